"""Answers as they come: read, left in every way there is, and read by two threads at once."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from pacemark import Engine, Token

from conftest import SLOW, TINY


def test_streams_what_it_would_hand_back(tiny: Engine) -> None:
    whole = tiny.generate("abc", max_tokens=12)
    stream = tiny.generate("abc", max_tokens=12, stream=True)
    tokens = list(stream)
    assert all(isinstance(token, Token) for token in tokens)
    assert [token.id for token in tokens] == list(whole.tokens)
    assert "".join(token.text for token in tokens) == whole.text
    assert stream.result is not None and stream.result.text == whole.text
    assert [token.at_ms for token in tokens] == sorted(token.at_ms for token in tokens)
    assert list(stream) == []


@pytest.fixture(scope="module")
def one_at_a_time() -> Iterator[Engine]:
    with Engine(SLOW, max_num_seqs=1) as engine:
        yield engine


@pytest.mark.parametrize("way", ["with", "close", "del", "callback"])
def test_a_stream_that_is_left_ends_its_request(one_at_a_time: Engine, way: str) -> None:
    """The next request begins when it is gone: after a few tokens' time, not after that of the thousands it asked for."""

    def leave() -> None:
        raise LookupError

    asked = {"max_tokens": 3000, "ignore_eos": True}
    stream = one_at_a_time.generate("abc", stream=True, callback=None, **asked)  # type: ignore[call-overload]
    times = [next(stream).at_ms for _ in range(9)]
    if way == "with":
        with stream:
            pass
    elif way == "close":
        stream.close()
    elif way == "callback":
        stream._callback = lambda _: leave()
        with pytest.raises(LookupError):
            next(stream)
    if way != "del":
        assert list(stream) == [] and stream.result is None
    del stream
    token_ms = (times[-1] - times[0]) / 8
    following = one_at_a_time.generate("xyz", max_tokens=2, ignore_eos=True)
    assert following.output_tokens == 2
    assert following.ttft_ms < 1000 * token_ms, "it waited for a request that nobody reads"


def test_a_stream_holds_its_engine() -> None:
    stream = Engine(TINY).generate("abc", max_tokens=50, ignore_eos=True, stream=True)
    gc.collect()
    assert len(list(stream)) == 50 and stream.result is not None
    assert len(list(Engine(TINY).generate("abc", max_tokens=50, ignore_eos=True, stream=True))) == 50
    held = [ended._engine for ended in (stream,)]
    assert held == [None], "one that has ended holds nobody"


def test_a_callback_hears_every_token_and_may_raise(tiny: Engine) -> None:
    heard: list[int] = []
    answer = tiny.generate("abc", max_tokens=6, ignore_eos=True, callback=lambda token: heard.append(token.id))
    assert heard == list(answer.tokens)

    def refuse(token: Token) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        tiny.generate("abc", max_tokens=4000, callback=refuse)
    stream = tiny.generate("abc", max_tokens=4000, stream=True, callback=refuse)
    with pytest.raises(LookupError):
        next(stream)
    assert list(stream) == [], "it was closed"
    assert tiny.generate("abc", max_tokens=6, ignore_eos=True).tokens == answer.tokens


def test_two_threads_on_one_stream_are_told(slow: Engine) -> None:
    """Both ask while the prompt is computed, so whoever comes second finds the other one reading."""
    with slow.generate("x" * 1500, max_tokens=3, ignore_eos=True, reuse_prefix=False, stream=True) as stream:
        errors: list[RuntimeError] = []
        tokens: list[Token] = []
        together = threading.Barrier(2)

        def read() -> None:
            together.wait(60)
            try:
                tokens.append(next(stream))
            except RuntimeError as error:
                errors.append(error)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(tokens) == len(errors) == 1 and "another thread" in str(errors[0])
        assert len(list(stream)) == 2, "the one that was refused took nothing"
