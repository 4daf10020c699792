"""OpenAI's own Python client against a running server: python tests/clients/openai_client.py http://127.0.0.1:8080

Needs `pip install openai`. Exits with 1 at the first thing that is not as it should be. Constraints and tools are tried
where the server's model has them; what was left out is printed.
"""
import json
import sys

import openai

base = sys.argv[1].rstrip("/")
client = openai.OpenAI(base_url=base + "/v1", api_key=sys.argv[2] if len(sys.argv) > 2 else "none", max_retries=0)
MESSAGES = [{"role": "user", "content": "Name a colour."}]
WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"],
                   "additionalProperties": False}}}
done, left_out = [], []


def step(test):
    """Runs a test; one that the model cannot do is left out, with the server's reason."""
    try:
        test()
        done.append(test.__name__)
    except openai.BadRequestError as error:
        if error.code != "unsupported_parameter":
            raise
        left_out.append(f"{test.__name__}: {error.body['message']}")


def models():
    listed = client.models.list().data
    assert listed and client.models.retrieve(listed[0].id).id == listed[0].id
    return listed[0].id


model = models()


def chat():
    answer = client.chat.completions.create(model=model, messages=MESSAGES, max_tokens=8, n=2, temperature=0, seed=1)
    assert len(answer.choices) == 2 and answer.usage.completion_tokens <= 16
    assert answer.choices[0].message.content == answer.choices[1].message.content or model == "mock"
    assert answer.usage.prompt_tokens_details.cached_tokens is not None


def stream():
    options = dict(model=model, messages=MESSAGES, max_completion_tokens=8, temperature=0, seed=1)
    whole = client.chat.completions.create(**options)
    text, usage, reasons = "", None, []
    for chunk in client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    assert text == whole.choices[0].message.content, (text, whole)
    assert usage.completion_tokens == whole.usage.completion_tokens and reasons == [whole.choices[0].finish_reason]
    with client.chat.completions.stream(model=model, messages=MESSAGES, max_tokens=4, temperature=0) as events:
        assert any(event.type == "content.delta" for event in events)


def logprobs():
    answer = client.chat.completions.create(
        model=model, messages=MESSAGES, max_tokens=3, temperature=0, logprobs=True, top_logprobs=2)
    tokens = answer.choices[0].logprobs.content
    assert len(tokens) == answer.usage.completion_tokens and all(len(token.top_logprobs) == 2 for token in tokens)
    assert all(token.logprob <= 0 and bytes(token.bytes).decode("utf-8", "replace") == token.token for token in tokens)


def completions():
    answer = client.completions.create(model=model, prompt=["One,", "Two,"], max_tokens=4, temperature=0, logprobs=1)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert len(answer.choices[0].logprobs.tokens) == 4
    by_ids = client.completions.create(model=model, prompt=[1, 2, 3], max_tokens=4, extra_body={"ignore_eos": True})
    assert by_ids.usage.prompt_tokens == 3 and by_ids.usage.completion_tokens == 4


def embeddings():
    vectors = client.embeddings.create(model=model, input=["a", "b"]).data
    numbers = client.embeddings.create(model=model, input="a", encoding_format="float").data
    assert len(vectors) == 2 and max(abs(x - y) for x, y in zip(vectors[0].embedding, numbers[0].embedding)) < 1e-3


def structured_output():
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "green", "blue"]}}, "required": ["colour"],
              "additionalProperties": False}
    answer = client.chat.completions.create(
        model=model, messages=MESSAGES, max_tokens=60,
        response_format={"type": "json_schema", "json_schema": {"name": "c", "strict": True, "schema": schema}})
    assert json.loads(answer.choices[0].message.content)["colour"] in ("red", "green", "blue")
    pattern = client.chat.completions.create(
        model=model, messages=MESSAGES, max_tokens=20, extra_body={"structured_outputs": {"regex": "[a-c]{3}-[0-9]"}})
    assert len(pattern.choices[0].message.content) == 5, pattern


def tools_required():
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        options = dict(model=model, messages=[{"role": "user", "content": "Weather in Paris?"}], tools=[WEATHER],
                       tool_choice=choice, parallel_tool_calls=False, max_tokens=100, temperature=0)
        call = client.chat.completions.create(**options).choices[0].message.tool_calls[0]
        assert call.function.name == "weather" and "city" in json.loads(call.function.arguments), call
        with client.chat.completions.stream(**options) as events:
            streamed = events.get_final_completion().choices[0].message.tool_calls[0]
        assert (streamed.function.name, streamed.function.arguments) == (call.function.name, call.function.arguments)


def tools_auto():
    """What the model calls is its own affair; whatever it is, a stream of it is the same."""
    options = dict(model=model, messages=[{"role": "user", "content": "Weather in Paris?"}], tools=[WEATHER], max_tokens=100,
                   temperature=0, seed=1)
    answer = client.chat.completions.create(**options).choices[0]
    with client.chat.completions.stream(**options) as events:
        streamed = events.get_final_completion().choices[0]
    calls = [[(call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
             for choice in (answer, streamed)]
    assert calls[0] == calls[1] and answer.finish_reason == streamed.finish_reason, (answer, streamed)
    assert (answer.message.content or "") == (streamed.message.content or "")
    if calls[0]:
        assert answer.finish_reason == "tool_calls" and isinstance(json.loads(calls[0][0][1]), dict), answer
    print(f"calls of its own accord: {calls[0]}")


def errors():
    for options, kind in (({"model": "no such model"}, openai.NotFoundError), ({"temperature": -1}, openai.BadRequestError),
                          ({"max_tokens": 0}, openai.BadRequestError)):
        try:
            client.chat.completions.create(**{"model": model, "messages": MESSAGES, "max_tokens": 1, **options})
        except kind as error:
            assert error.body["message"] and error.param, error
        else:
            raise AssertionError(f"{options} was accepted")


for test in (chat, stream, logprobs, completions, embeddings, structured_output, tools_required, tools_auto, errors):
    step(test)
print(f"openai {openai.__version__}, model {model}: fine: {', '.join(done)}")
for reason in left_out:
    print(f"left out: {reason}")
