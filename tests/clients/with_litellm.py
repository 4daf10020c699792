"""litellm: `completion` with its `openai/` prefix, as its proxy calls a server of this kind. See checks.py."""
import json
import os

# Prices are not asked for: the package would fetch them at its import, with retries.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

from checks import ABLE, BASE, KEY, MODEL, PERSON_QUESTION, QUESTION, SYSTEM, TOO_LONG, WEATHER, WEATHER_QUESTION
from checks import Person, check, is_person, is_weather_call, raises, row, weather

litellm.suppress_debug_info = True
litellm.enable_json_schema_validation = True


def user(text):
    return [{"role": "user", "content": text}]


def ask(messages, max_tokens=300, provider="openai", **options):
    return litellm.completion(model=f"{provider}/{MODEL}", api_base=BASE, api_key=KEY, messages=messages, temperature=0,
                              max_tokens=max_tokens, num_retries=0, **options)


@check("chat")
def chat():
    answer = ask([{"role": "system", "content": SYSTEM}, *user(QUESTION)], 16)
    assert answer.choices[0].message.content and answer.usage.completion_tokens <= 16, answer


@check("chat")
def as_vllm():
    assert ask(user(QUESTION), 8, provider="hosted_vllm").choices[0].message.content


@check("stream")
def stream():
    chunks = list(ask(user(QUESTION), 16, stream=True, stream_options={"include_usage": True}))
    whole = litellm.stream_chunk_builder(chunks)
    assert whole.choices[0].message.content == ask(user(QUESTION), 16).choices[0].message.content, whole
    assert whole.usage.completion_tokens and len(chunks) > 3, chunks


@check("tools")
def forced():
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        call = ask(user(WEATHER_QUESTION), tools=[WEATHER], tool_choice=choice).choices[0].message.tool_calls[0]
        is_weather_call(call.function.name, call.function.arguments)


@check("tools")
def forced_stream():
    chunks = list(ask(user(WEATHER_QUESTION), tools=[WEATHER], tool_choice="required", stream=True))
    call = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls[0]
    is_weather_call(call.function.name, call.function.arguments)


@check("tools")
def round_trip():
    choice = "auto" if ABLE else "required"
    called = ask(user(WEATHER_QUESTION), tools=[WEATHER], tool_choice=choice).choices[0]
    assert called.finish_reason == "tool_calls", called
    call = called.message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
    messages = [*user(WEATHER_QUESTION), called.message.model_dump(), result]
    assert ask(messages, 24, tools=[WEATHER], tool_choice="none").choices[0].message.content


@check("structured")
def by_model():
    answer = ask(user(PERSON_QUESTION), response_format=Person)
    is_person(Person.model_validate_json(answer.choices[0].message.content))


@check("structured")
def json_mode():
    answer = ask(user("Alice is 31. Answer with a small JSON object."), response_format={"type": "json_object"}).choices[0]
    assert answer.finish_reason == "length" or isinstance(json.loads(answer.message.content), dict), answer


@check("errors")
def overflow():
    raises(litellm.ContextWindowExceededError, lambda: ask(user(TOO_LONG), 16))


@check("errors")
def unknown_model():
    raises(litellm.NotFoundError, lambda: litellm.completion(
        model="openai/nobody", api_base=BASE, api_key=KEY, messages=user(QUESTION), num_retries=0))


row("litellm")
