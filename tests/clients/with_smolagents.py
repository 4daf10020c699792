"""smolagents: `OpenAIModel`, and agents on it where the model is able. See checks.py."""
import json

import openai
from smolagents import CodeAgent, OpenAIModel, ToolCallingAgent, tool
from smolagents.models import CODEAGENT_RESPONSE_FORMAT, agglomerate_stream_deltas

from checks import ABLE, BASE, KEY, MODEL, PERSON_QUESTION, QUESTION, SYSTEM, TOO_LONG, WEATHER_QUESTION
from checks import Person, check, is_person, is_weather_call, raises, row


@tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The city's name.
    """
    return f"18 degrees celsius in {city}"


def model(max_tokens=300):
    return OpenAIModel(MODEL, api_base=BASE, api_key=KEY, client_kwargs={"max_retries": 0}, temperature=0, max_tokens=max_tokens)


def user(text):
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


@check("chat")
def chat():
    answer = model(16).generate([{"role": "system", "content": SYSTEM}, *user(QUESTION)], stop_sequences=["Observation:"])
    assert answer.content and answer.token_usage.output_tokens <= 16, answer


@check("stream")
def stream():
    whole = agglomerate_stream_deltas(list(model(16).generate_stream(user(QUESTION))))
    assert whole.content == model(16).generate(user(QUESTION)).content and whole.token_usage.output_tokens, whole


@check("tools")
def forced():
    for answer in (model().generate(user(WEATHER_QUESTION), tools_to_call_from=[weather]),
                   agglomerate_stream_deltas(list(model().generate_stream(user(WEATHER_QUESTION), tools_to_call_from=[weather])))):
        is_weather_call(answer.tool_calls[0].function.name, answer.tool_calls[0].function.arguments)


@check("tools")
def agents():
    """A whole run: of an able model its answer; of another, that its steps come and are read."""
    for agent in (ToolCallingAgent([weather], model(), max_steps=3), CodeAgent([weather], model(), max_steps=3)):
        agent.logger.level = -1
        if ABLE:
            assert "18" in str(agent.run(WEATHER_QUESTION)), agent.memory.steps
        else:
            agent.max_steps = 1
            agent.run(WEATHER_QUESTION)
            assert agent.memory.steps[1].model_output_message, agent.memory.steps


@check("structured")
def by_schema():
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": Person.model_json_schema()}}
    is_person(Person.model_validate_json(model().generate(user(PERSON_QUESTION), response_format=form).content))


@check("structured")
def code_of_an_agent():
    """The form that a `CodeAgent` with structured output asks for: two strings without a bound, which may be cut."""
    answer = model().generate(user(WEATHER_QUESTION), response_format=CODEAGENT_RESPONSE_FORMAT)
    cut = answer.raw.choices[0].finish_reason == "length"
    assert cut or set(json.loads(answer.content)) == {"thought", "code"}, answer


@check("errors")
def overflow():
    error = raises(openai.BadRequestError, lambda: model(16).generate(user(TOO_LONG)))
    assert "This model's maximum context length is" in error.message, error


row("smolagents")
