"""llama-index: `OpenAILike`, with its own ways of tools and structured output. See checks.py."""
import openai
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from checks import ABLE, BASE, KEY, MODEL, PERSON_QUESTION, QUESTION, SYSTEM, TOO_LONG, WEATHER_QUESTION
from checks import Person, check, is_person, is_weather_call, raises, row, weather


def model(max_tokens=300, **options):
    return OpenAILike(model=MODEL, api_base=BASE, api_key=KEY, is_chat_model=True, is_function_calling_model=True, context_window=4096,
                      temperature=0, max_tokens=max_tokens, max_retries=0, **options)


tool = FunctionTool.from_defaults(weather)
MESSAGES = [ChatMessage(role=MessageRole.SYSTEM, content=SYSTEM), ChatMessage(role=MessageRole.USER, content=QUESTION)]


@check("chat")
def chat():
    assert model(16).chat(MESSAGES).message.content


@check("chat")
def completion():
    assert OpenAILike(model=MODEL, api_base=BASE, api_key=KEY, max_tokens=8, temperature=0).complete("One, two,").text


@check("stream")
def stream():
    parts = list(model(16).stream_chat(MESSAGES))
    assert len(parts) > 2 and parts[-1].message.content == model(16).chat(MESSAGES).message.content, parts[-1]


@check("tools")
def forced():
    answer = model().chat_with_tools([tool], WEATHER_QUESTION, tool_required=True)
    call = model().get_tool_calls_from_response(answer)[0]
    is_weather_call(call.tool_name, call.tool_kwargs)


@check("tools")
def forced_stream():
    last = list(model().stream_chat_with_tools([tool], WEATHER_QUESTION, tool_required=True))[-1]
    call = model().get_tool_calls_from_response(last)[0]
    is_weather_call(call.tool_name, call.tool_kwargs)


@check("tools")
def round_trip():
    asked = ChatMessage(role=MessageRole.USER, content=WEATHER_QUESTION)
    called = model().chat_with_tools([tool], chat_history=[asked], tool_required=not ABLE)
    call = model().get_tool_calls_from_response(called)[0]
    result = ChatMessage(role=MessageRole.TOOL, content=weather(**call.tool_kwargs), additional_kwargs={"tool_call_id": call.tool_id})
    answer = model(24).chat_with_tools([tool], chat_history=[asked, called.message, result], tool_choice="none")
    assert answer.message.content, answer


@check("structured")
def by_tool_and_by_schema():
    for schema in (False, True):
        able = model(should_use_structured_outputs=schema)
        is_person(able.structured_predict(Person, PromptTemplate("{text}"), text=PERSON_QUESTION))


@check("structured")
def as_structured():
    is_person(model().as_structured_llm(Person).complete(PERSON_QUESTION).raw)


@check("errors")
def overflow():
    error = raises(openai.BadRequestError, lambda: model(16).chat([ChatMessage(role=MessageRole.USER, content=TOO_LONG)]))
    assert error.code == "context_length_exceeded" and "This model's maximum context length is" in error.message, error


row("llama-index-llms-openai-like", "llama-index (OpenAILike)")
