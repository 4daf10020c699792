"""OpenAI's own package, by its helpers for pydantic; openai_client.py tries its plain calls. See checks.py."""
import json

import openai
import pydantic

from checks import ABLE, BASE, KEY, MODEL, PERSON_QUESTION, QUESTION, SYSTEM, TOO_LONG, WEATHER, WEATHER_QUESTION
from checks import Person, check, is_person, is_weather_call, raises, row, weather

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0)


class Weather(pydantic.BaseModel):
    """The weather in a city."""

    city: str = pydantic.Field(max_length=20)


def user(text):
    return [{"role": "user", "content": text}]


def ask(messages, max_tokens=300, **options):
    return client.chat.completions.create(model=MODEL, messages=messages, temperature=0, max_tokens=max_tokens, **options)


@check("chat")
def chat():
    answer = ask([{"role": "developer", "content": SYSTEM}, *user(QUESTION)], 16)
    assert answer.choices[0].message.content and answer.usage.completion_tokens <= 16, answer


@check("stream")
def stream():
    with client.chat.completions.stream(model=MODEL, messages=user(QUESTION), temperature=0, max_tokens=16) as events:
        text = "".join(event.delta for event in events if event.type == "content.delta")
    assert text == ask(user(QUESTION), 16).choices[0].message.content, text


@check("tools")
def forced():
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        call = ask(user(WEATHER_QUESTION), tools=[WEATHER], tool_choice=choice).choices[0].message.tool_calls[0]
        is_weather_call(call.function.name, call.function.arguments)


@check("tools")
def by_model():
    answer = client.chat.completions.parse(
        model=MODEL, messages=user(WEATHER_QUESTION), temperature=0, max_tokens=300, tool_choice="required",
        tools=[openai.pydantic_function_tool(Weather)])
    assert isinstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, Weather), answer


@check("tools")
def round_trip():
    choice = "auto" if ABLE else "required"
    called = ask(user(WEATHER_QUESTION), tools=[WEATHER], tool_choice=choice).choices[0]
    call = called.message.tool_calls[0]
    is_weather_call(call.function.name, call.function.arguments)
    result = {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
    assert ask([*user(WEATHER_QUESTION), called.message, result], 24, tools=[WEATHER], tool_choice="none").choices[0].message.content


@check("structured")
def parsed():
    answer = client.chat.completions.parse(model=MODEL, messages=user(PERSON_QUESTION), temperature=0, max_tokens=300,
                                           response_format=Person)
    is_person(answer.choices[0].message.parsed)


@check("structured")
def json_mode():
    answer = ask(user("Alice is 31. Answer with a small JSON object."), response_format={"type": "json_object"}).choices[0]
    assert answer.finish_reason == "length" or isinstance(json.loads(answer.message.content), dict), answer


@check("errors")
def overflow():
    error = raises(openai.BadRequestError, lambda: ask(user(TOO_LONG), 16))
    assert error.code == "context_length_exceeded" and "This model's maximum context length is" in error.message, error


row("openai", "openai (Python)")
