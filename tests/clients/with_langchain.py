"""langchain-openai: `ChatOpenAI` and what is bound to it. See checks.py."""
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from checks import ABLE, BASE, KEY, MODEL, PERSON_QUESTION, QUESTION, SYSTEM, TOO_LONG, WEATHER_QUESTION
from checks import Person, check, is_person, is_weather_call, raises, row, weather

model = ChatOpenAI(model=MODEL, base_url=BASE, api_key=KEY, temperature=0, max_tokens=300, max_retries=0)
short = model.bind(max_tokens=16)
tools = [tool(weather)]


@check("chat")
def chat():
    answer = short.invoke([SystemMessage(SYSTEM), HumanMessage(QUESTION)])
    assert answer.content and answer.usage_metadata["output_tokens"] <= 16, answer
    assert answer.response_metadata["finish_reason"] in ("stop", "length"), answer


@check("chat")
def batch():
    assert len(short.batch([QUESTION, "Name a town."])) == 2


@check("stream")
def stream():
    chunks = list(short.stream(QUESTION, stream_usage=True))
    whole = sum(chunks[1:], chunks[0])
    assert whole.content == short.invoke(QUESTION).content and whole.usage_metadata["output_tokens"], whole
    assert sum(bool(chunk.content) for chunk in chunks) > 1, chunks


@check("tools")
def forced():
    for choice in ("required", "weather"):
        called = model.bind_tools(tools, tool_choice=choice, parallel_tool_calls=False).invoke(WEATHER_QUESTION)
        is_weather_call(called.tool_calls[0]["name"], called.tool_calls[0]["args"])


@check("tools")
def forced_stream():
    chunks = list(model.bind_tools(tools, tool_choice="required").stream(WEATHER_QUESTION))
    called = sum(chunks[1:], chunks[0]).tool_calls[0]
    is_weather_call(called["name"], called["args"])


@check("tools")
def round_trip():
    asked = [HumanMessage(WEATHER_QUESTION)]
    called = model.bind_tools(tools, **({} if ABLE else {"tool_choice": "required"})).invoke(asked)
    call = called.tool_calls[0]
    result = ToolMessage(tools[0].invoke(call["args"]), tool_call_id=call["id"])
    assert model.bind_tools(tools, tool_choice="none").invoke([*asked, called, result], max_tokens=24).content


@check("structured")
def by_each_method():
    for method in ("json_schema", "function_calling"):
        is_person(model.with_structured_output(Person, method=method).invoke(PERSON_QUESTION))


@check("structured")
def json_mode():
    """Without a schema a weak model nests objects to the end."""
    if not ABLE:
        return
    answer = model.with_structured_output(None, method="json_mode").invoke("Alice is 31. Answer with a small JSON object.")
    assert isinstance(answer, dict), answer


@check("structured")
def streamed():
    is_person(list(model.with_structured_output(Person, method="json_schema").stream(PERSON_QUESTION))[-1])


@check("errors")
def overflow():
    raises(ContextOverflowError, lambda: short.invoke(TOO_LONG))


row("langchain-openai")
