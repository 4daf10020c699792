"""What an engine does: generating, streaming, chatting, embedding, scoring, from any number of threads."""

from __future__ import annotations

import math
import threading
import typing

import pytest

from pacemark import Engine, EngineClosedError, Generation, RequestError
from pacemark.benchmark import ThroughputResult

from conftest import SLOW, TINY


def test_generates_the_same_each_time(tiny: Engine) -> None:
    first = tiny.generate("abc", max_tokens=8)
    again = tiny.generate(tiny.encode("abc"), max_tokens=8)
    assert isinstance(first, Generation)
    assert first.tokens == again.tokens and len(first.tokens) == first.output_tokens == 8
    assert (first.prompt_tokens, first.finish_reason) == (3, "length")
    assert 0 < first.ttft_ms <= first.e2e_ms and first.tokens_per_second > 0
    assert tiny.decode(first.tokens) == first.text
    seeded = [tiny.generate("abc", max_tokens=8, temperature=1.5, seed=seed).tokens for seed in (1, 1, 2)]
    assert seeded[0] == seeded[1] != seeded[2]


def test_options_do_what_they_say(tiny: Engine) -> None:
    with_logprobs = tiny.generate("abc", max_tokens=3, ignore_eos=True, logprobs=2)
    assert with_logprobs.logprobs is not None and with_logprobs.top_logprobs is not None
    assert len(with_logprobs.logprobs) == 3
    assert all(len(top) == 2 for top in with_logprobs.top_logprobs)
    for token, logprob, top in zip(
        with_logprobs.tokens, with_logprobs.logprobs, with_logprobs.top_logprobs, strict=True
    ):
        assert top[0][0] == token and top[0][1] == pytest.approx(logprob), "the likeliest was taken"
    assert tiny.generate("abc", max_tokens=2).logprobs is None
    digits = tiny.generate("abc", max_tokens=20, regex="[0-9]{4}")
    assert digits.text.isdigit() and len(digits.text) == 4 and digits.finish_reason == "stop"
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False}
    assert '"a"' in tiny.generate("abc", max_tokens=200, json_schema=schema).text
    text = tiny.generate("abc", max_tokens=40, regex="[a-z]{30}").text
    cut = tiny.generate("abc", max_tokens=40, regex="[a-z]{30}", stop=text[5:8])
    assert cut.text == text[: text.index(text[5:8])] and cut.finish_reason == "stop"
    held = tiny.generate("abc", max_tokens=400, ignore_eos=True, kv="streaming:4+60")
    assert held.output_tokens == 400
    prompt = "a prompt of more than one block of tokens, so that it may be found again; " * 4
    tiny.generate(prompt, max_tokens=1)
    assert tiny.generate(prompt, max_tokens=1).cached_tokens > 0
    assert tiny.generate(prompt, max_tokens=1, reuse_prefix=False).cached_tokens == 0
    nothing = tiny.generate("abc", max_tokens=0)
    assert nothing.tokens == () and nothing.text == "" and math.isnan(nothing.ttft_ms)
    assert nothing.to_dict()["ttft_ms"] is None


def test_text_goes_to_tokens_and_back(tiny: Engine) -> None:
    text = "Straße 长城 \N{SLIGHTLY SMILING FACE}"
    tokens = tiny.encode(text)
    assert tiny.decode(tokens) == text and tiny.count(text) == len(tokens)
    assert tiny.encode("") == []


def test_scores_add_up(tiny: Engine) -> None:
    whole = tiny.score("abcdef")
    assert len(whole.tokens) == len(whole.logprobs) == 5 and whole.tokens == tuple(tiny.encode("bcdef"))
    assert whole.sum == pytest.approx(sum(whole.logprobs)) and all(value < 0 for value in whole.logprobs)
    assert whole.perplexity == pytest.approx(math.exp(-whole.sum / 5))
    after = tiny.score("def", context="abc")
    assert after.logprobs == pytest.approx(whole.logprobs[2:], abs=1e-4)
    one = tiny.generate("abc", max_tokens=1, ignore_eos=True, logprobs=0)
    assert one.logprobs is not None
    same = tiny.score(list(one.tokens), context="abc")
    assert same.logprobs[0] == pytest.approx(one.logprobs[0], abs=0.05)
    assert len(after.rows()) == 3


def test_embeddings_have_length_one(tiny: Engine) -> None:
    one = tiny.embed("abc")
    assert math.fsum(x * x for x in one) == pytest.approx(1.0, abs=1e-4)
    both = tiny.embed(["abc", "xyz"])
    assert both[0] == pytest.approx(one, abs=1e-5) and both[1] != both[0]
    assert tiny.embed(tiny.encode("abc"), pooling="last") != pytest.approx(tiny.embed("abc", pooling="mean"))


def test_chats_by_the_models_template(real: Engine) -> None:
    messages = [{"role": "user", "content": "Say hello."}]
    answer = real.chat(messages, max_tokens=8)
    assert answer.text.strip() and answer.prompt_tokens > real.count("Say hello.")
    parts = [token.text for token in real.chat(messages, max_tokens=8, stream=True)]
    assert "".join(parts) == answer.text


def test_what_it_is(tiny: Engine) -> None:
    info = tiny.info
    assert info["model"] == TINY and info["n_vocab"] == 300 and info["n_ctx"] == 4096 and info["n_seqs"] == 16
    held = tiny.memory()
    assert 0 < held.model_bytes <= int(info["model_bytes"]) and held.kv_allocated_bytes > 0
    assert "open" in repr(tiny)


def test_many_threads_ask_one_engine(tiny: Engine) -> None:
    alone = [tiny.generate(f"thread {i}", max_tokens=40, ignore_eos=True).tokens for i in range(4)]
    found: dict[int, list[tuple[int, ...]]] = {i: [] for i in range(4)}

    def ask(i: int) -> None:
        for _ in range(5):
            found[i].append(tiny.generate(f"thread {i}", max_tokens=40, ignore_eos=True, reuse_prefix=False).tokens)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(answers) for answers in found.values()] == [5] * 4
    for i, answers in found.items():
        assert all(len(tokens) == len(alone[i]) for tokens in answers)
        assert len(set(answers)) == 1


def test_other_threads_run_while_it_computes(slow: Engine) -> None:
    """A thread counts while this one waits in compiled code: with the lock held it would stand still."""
    counts = [0]
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            counts[0] += 1
            stop.wait(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        for work in (
            lambda: slow._native.timed([[1, 2, 3]], max_tokens=60, n_requests=1),
            lambda: slow.score("x" * 400),
            lambda: slow.embed("x" * 400),
            lambda: Engine(SLOW).close(),
        ):
            before = counts[0]
            work()
            assert counts[0] > before + 1
    finally:
        stop.set()
        thread.join()


def test_a_closed_engine_says_so() -> None:
    engine = Engine(TINY)
    stream = engine.generate("abc", max_tokens=4000, ignore_eos=True, stream=True)
    next(stream)
    engine.close()
    engine.close()
    assert engine.is_closed and "closed" in repr(engine)
    for call in (
        lambda: engine.generate("abc", max_tokens=1),
        lambda: engine.chat([{"role": "user", "content": "a"}]),
        lambda: engine.embed("abc"),
        lambda: engine.score("abc"),
        lambda: engine.count("abc"),
        lambda: engine.info,
        lambda: engine.memory(),
    ):
        with pytest.raises(EngineClosedError, match="closed"):
            call()
    with pytest.raises(EngineClosedError):
        list(stream)


def test_closing_ends_who_waits() -> None:
    engine = Engine(SLOW)
    found: list[BaseException] = []
    begun = threading.Event()

    def ask() -> None:
        try:
            engine.generate("abc", max_tokens=4000, ignore_eos=True, callback=lambda _: begun.set())
        except EngineClosedError as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(60)
    engine.close()
    thread.join(60)
    assert len(found) == 1


def test_left_by_with_it_is_closed() -> None:
    with pytest.raises(ZeroDivisionError), Engine(TINY) as engine:
        raise ZeroDivisionError
    assert engine.is_closed


def test_what_does_not_fit_is_refused(tiny: Engine) -> None:
    for call in (
        lambda: tiny.generate("a" * 5000, max_tokens=1),
        lambda: tiny.generate("a", max_tokens=5000),
        lambda: tiny.score("a" * 5000),
        lambda: tiny.generate("a", max_tokens=1, kv="no_such_policy:4"),
        lambda: tiny.generate("a", max_tokens=1, regex="(("),
        lambda: tiny.generate("a", max_tokens=1, json_schema="{"),
    ):
        with pytest.raises(RequestError) as caught:
            call()
        assert isinstance(caught.value, ValueError) and str(caught.value)
    assert tiny.generate("abc", max_tokens=2).output_tokens <= 2


def test_loading_tells_how_far_it_is() -> None:
    heard: list[tuple[int, int]] = []
    with Engine(TINY, progress=lambda done, of: heard.append((done, of))):
        pass
    assert heard and all(0 <= done <= of for done, of in heard)

    def refuse(done: int, of: int) -> None:
        raise LookupError("not today")

    with pytest.raises(LookupError, match="not today"):
        Engine(TINY, progress=refuse)


def test_hints_are_there_at_run_time() -> None:
    for function in (Engine.generate, Engine.chat, Engine.__init__, Engine.embed, Engine.score):
        assert "return" in typing.get_type_hints(function), function
    assert Engine.is_closed.__doc__ and ThroughputResult.batch_size.__doc__


def test_numpy_arrays_are_tokens(tiny: Engine) -> None:
    numpy = pytest.importorskip("numpy")
    tokens = tiny.encode("abc")
    assert tiny.generate(numpy.array(tokens), max_tokens=2).tokens == tiny.generate(tokens, max_tokens=2).tokens
