"""The engine: a loaded model that generates, chats, embeds and scores.

Arguments are checked here, before the compiled part is asked anything; computing is its business, on threads of its own.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, overload

from pacemark import _arguments as check
from pacemark import _native
from pacemark._native import Token
from pacemark._options import Options, Unpack, as_json, checked
from pacemark._options import messages as as_messages
from pacemark._stream import TokenStream
from pacemark.results import Generation, Memory, Score

DEFAULT_MODEL = "smollm2-135m"
DEFAULT_SEQS = 16

Prompt = str | Sequence[int]
"""A text, or the ids of its tokens."""


class Engine:
    """A model in memory. Any number of threads may ask at once: their requests are computed together.

    `model` is a GGUF file, a Hugging Face directory, a name of `pacemark models list` (fetched once), `hf:OWNER/NAME`, or
    `synth:SHAPE:TYPE` (random weights). `progress(done, of)` hears of layers while it loads.

    A process that was forked off has no engine of its parent's; use the start method "spawn".
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        threads: int | None = None,
        n_ctx: int | None = None,
        max_num_seqs: int = DEFAULT_SEQS,
        cache_type_k: str = "f16",
        cache_type_v: str = "f16",
        weights: str | None = None,
        prefix_cache: bool = True,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        if not isinstance(model, (str, os.PathLike)):
            raise check.wrong_type("model", "a name or a path", model)
        name = os.fspath(model)
        if not check.text("model", name):
            raise check.wrong_value("model", "a name or a path", name)
        if progress is not None and not callable(progress):
            raise check.wrong_type("progress", "a function or None", progress)
        self._model = name
        self._native = _native.Engine(
            name,
            threads=None if threads is None else check.integer("threads", threads, 1, check.MOST_THREADS),
            n_ctx=None if n_ctx is None else check.integer("n_ctx", n_ctx, 1, check.MOST_CTX),
            max_num_seqs=check.integer("max_num_seqs", max_num_seqs, 1, check.MOST_SEQS),
            cache_type_k=check.text("cache_type_k", cache_type_k),
            cache_type_v=check.text("cache_type_v", cache_type_v),
            weights=None if weights is None else check.text("weights", weights),
            prefix_cache=check.truth("prefix_cache", prefix_cache),
            progress=progress,
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        return f"<pacemark.Engine {self._model!r}, {state}>"

    def close(self) -> None:
        """Gives its memory back; requests under way end with `EngineClosedError`. A second time does nothing."""
        self._native.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close()` was called, or `with` was left."""
        return self._native.is_closed

    @property
    def model(self) -> str:
        """The model as it was asked for."""
        return self._model

    @property
    def info(self) -> dict[str, str | int | bool]:
        """`model` as it was asked for, `model_path`, `model_type`, `model_bytes`, `n_params`, `n_vocab`, `n_ctx`, `n_seqs`,
        `n_threads`, `kv_types`, `kv_bytes_per_token`, `backend`, `engine`, `isa`."""
        return {"model": self._model, **self._native.info}

    def memory(self) -> Memory:
        """Bytes of weights, and of keys and values."""
        return Memory(**self._native.memory())

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """The tokens of a text; with `special` as a prompt: what the model wants before it is added, and names of
        special tokens in it are those tokens."""
        return self._native.encode(check.text("text", text), check.truth("special", special))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""
        return self._native.decode(self._known("tokens", check.tokens("tokens", tokens)))

    def count(self, text: str) -> int:
        """Tokens of a text as a prompt."""
        return len(self.encode(text))

    @overload
    def generate(
        self,
        prompt: Prompt,
        *,
        stream: Literal[False] = False,
        callback: Callable[[Token], object] | None = None,
        **options: Unpack[Options],
    ) -> Generation: ...
    @overload
    def generate(
        self,
        prompt: Prompt,
        *,
        stream: Literal[True],
        callback: Callable[[Token], object] | None = None,
        **options: Unpack[Options],
    ) -> TokenStream: ...
    @overload
    def generate(
        self,
        prompt: Prompt,
        *,
        stream: bool,
        callback: Callable[[Token], object] | None = None,
        **options: Unpack[Options],
    ) -> Generation | TokenStream: ...
    def generate(
        self,
        prompt: Prompt,
        *,
        stream: bool = False,
        callback: Callable[[Token], object] | None = None,
        **options: Unpack[Options],
    ) -> Generation | TokenStream:
        """Goes on with a text. Options are those of `pacemark.engine.Options`.

        `stream=True` hands back an iterator of tokens at once. `callback` is called with each token, on this thread; what it
        raises ends the request and comes out here.
        """
        tokens = self._prompt("prompt", prompt)
        return self._ask("generate", tokens, stream, callback, options)

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[False] = False,
        callback: Callable[[Token], object] | None = None,
        template: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Generation: ...
    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[True],
        callback: Callable[[Token], object] | None = None,
        template: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> TokenStream: ...
    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool,
        callback: Callable[[Token], object] | None = None,
        template: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Generation | TokenStream: ...
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        callback: Callable[[Token], object] | None = None,
        template: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Generation | TokenStream:
        """Answers a conversation, written by the model's own template: `[{"role": "user", "content": "Hello"}]`.

        `template` has further values for it, such as `{"enable_thinking": False}`. The rest is as in `generate`.
        """
        text = json.dumps(as_messages(messages))
        extra = as_json("template", {} if template is None else template)
        tokens = self._native.encode_chat(text, extra)
        return self._ask("chat", tokens, stream, callback, options)

    @overload
    def embed(self, text: Prompt, pooling: str | None = None) -> list[float]: ...
    @overload
    def embed(self, text: list[str], pooling: str | None = None) -> list[list[float]]: ...
    def embed(
        self, text: Prompt | list[str], pooling: str | None = None
    ) -> list[float] | list[list[float]]:
        """The embedding of a text, of length 1; of a list of texts, one of each. `pooling` is `mean`, `cls` or `last`;
        the model's own where it is None."""
        if pooling is not None:
            check.text("pooling", pooling)
        if isinstance(text, list) and (not text or isinstance(text[0], str)):
            prompts = [self._prompt("text", one) for one in check.texts("text", text)]
            return [self._native.embed(tokens, pooling) for tokens in prompts]
        return self._native.embed(self._prompt("text", text), pooling)

    def score(self, text: Prompt, context: Prompt | None = None) -> Score:
        """How likely a text is, token by token, after `context` where there is one.

        Both are made into tokens by themselves. Without a context the first token of the text is not scored: there is nothing
        to tell it from. It waits until no other request is under way.
        """
        if context is None:
            before: list[int] = []
            tokens = self._prompt("text", text)
        else:
            before = self._prompt("context", context)
            plain = isinstance(text, str)
            tokens = self.encode(check.text("text", text), special=False) if plain else self._prompt("text", text)
        whole = before + tokens
        if len(whole) < 2 or not tokens:
            raise check.wrong_value("text", "something to score: two tokens, or one after a context", text)
        first = max(len(before) - 1, 0)
        logprobs = self._native.score(whole, first)
        total = math.fsum(logprobs)
        mean = -total / len(logprobs)
        # A single impossible token makes it endless, as the definition has it.
        perplexity = math.exp(mean) if mean < 700 else math.inf
        return Score(tuple(whole[first + 1 :]), tuple(logprobs), total, perplexity)

    def _known(self, name: str, tokens: list[int]) -> list[int]:
        """Tokens that the model has."""
        n_vocab = int(self._native.info["n_vocab"])
        for i, token in enumerate(tokens):
            if token >= n_vocab:
                raise check.wrong_value(f"{name}[{i}]", f"ids below the model's {n_vocab}", token)
        return tokens

    def _prompt(self, name: str, prompt: object) -> list[int]:
        """The tokens of a prompt, which is a text or tokens already."""
        if isinstance(prompt, str):
            tokens = self._native.encode(check.text(name, prompt), True)
        else:
            tokens = self._known(name, check.tokens(name, prompt))
        if not tokens:
            raise check.wrong_value(name, "at least one token", prompt)
        return tokens

    def _ask(
        self,
        function: str,
        tokens: list[int],
        stream: bool,
        callback: Callable[[Token], object] | None,
        options: Options,
    ) -> Generation | TokenStream:
        check.truth("stream", stream)
        if callback is not None and not callable(callback):
            raise check.wrong_type("callback", "a function or None", callback)
        values = checked(function, options)
        if values["max_tokens"] is None:
            values["max_tokens"] = self._native.room(len(tokens), values["kv"])
        found = TokenStream(self._native, self._native.start(tokens, **values), callback)
        if stream:
            return found
        with found:
            for _ in found:
                pass
            result = found.result
        if result is None:
            raise _native.EngineError("the request ended without a result")
        return result


def measured(engine: object) -> Engine:
    """The engine of a benchmark: open, and one of these."""
    if not isinstance(engine, Engine):
        raise check.wrong_type("engine", "a pacemark.Engine", engine)
    if engine.is_closed:
        raise _native.EngineClosedError("engine: expected an open one, found one that was closed")
    return engine


__all__ = ["DEFAULT_MODEL", "Engine", "Options", "Prompt", "TokenStream"]
