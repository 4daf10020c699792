"""pydantic-ai: agents on `OpenAIChatModel`. See checks.py."""
import asyncio

from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.exceptions import ModelContextWindowExceededError
from pydantic_ai.messages import ModelRequest, ModelResponse, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from checks import ABLE, BASE, KEY, MODEL, PERSON_QUESTION, QUESTION, SYSTEM, TOO_LONG, WEATHER_QUESTION
from checks import Address, Person, check, is_person, raises, row, weather

model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=BASE, api_key=KEY))
LONG, SHORT = {"temperature": 0, "max_tokens": 300}, {"temperature": 0, "max_tokens": 16}


@check("chat")
def chat():
    answer = Agent(model, instructions=SYSTEM, model_settings=SHORT).run_sync(QUESTION)
    assert answer.output and answer.usage.output_tokens <= 16, answer


@check("stream")
def stream():
    async def collected():
        async with Agent(model, model_settings=SHORT).run_stream(QUESTION) as answer:
            return [part async for part in answer.stream_text(delta=True, debounce_by=None)]

    parts = asyncio.run(collected())
    assert len(parts) > 1 and "".join(parts) == Agent(model, model_settings=SHORT).run_sync(QUESTION).output, parts


@check("tools")
def forced():
    """A result by the one tool that an agent makes its model call."""
    answer = Agent(model, output_type=ToolOutput(Address), model_settings=LONG, retries=0).run_sync("Who lives at 5 Main Street, Leeds?")
    assert isinstance(answer.output, Address), answer


@check("tools")
def round_trip():
    """An agent's run: a model that calls of its own accord calls; for another, the history has the call already."""
    if ABLE:
        run = Agent(model, tools=[weather], model_settings=LONG).run_sync(WEATHER_QUESTION)
        assert "ToolReturnPart" in str(run.all_messages()) and run.output, run.all_messages()
        return
    history = [ModelRequest([UserPromptPart(WEATHER_QUESTION)]), ModelResponse([ToolCallPart("weather", {"city": "Paris"}, "call_1")]),
               ModelRequest([ToolReturnPart("weather", weather("Paris"), "call_1")])]
    agent = Agent(model, tools=[weather], model_settings={**SHORT, "tool_choice": "none"})
    assert agent.run_sync(message_history=history).output


@check("structured")
def by_each_way():
    for way in (NativeOutput, ToolOutput, *([PromptedOutput] if ABLE else [])):
        is_person(Agent(model, output_type=way(Person), model_settings=LONG, retries=0).run_sync(PERSON_QUESTION).output)


@check("structured")
def streamed():
    async def last():
        agent = Agent(model, output_type=NativeOutput(Person), model_settings=LONG)
        async with agent.run_stream(PERSON_QUESTION) as answer:
            return await answer.get_output()

    is_person(asyncio.run(last()))


@check("errors")
def overflow():
    raises(ModelContextWindowExceededError, lambda: Agent(model, model_settings=SHORT).run_sync(TOO_LONG))


row("pydantic-ai-slim", "pydantic-ai")
