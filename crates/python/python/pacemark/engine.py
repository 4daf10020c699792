"""The engine: a loaded model that generates, chats, embeds and scores.

Arguments are checked here, before the compiled part is asked anything; computing is its business, on threads of its own.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from pacemark import _arguments as check
from pacemark import _native
from pacemark._native import Token
from pacemark.results import NAN, Generation, Memory, RequestSample, Score

if TYPE_CHECKING:
    from typing_extensions import Unpack

DEFAULT_MODEL = "smollm2-135m"

Prompt = str | Sequence[int]
"""A text, or the ids of its tokens."""


class Options(TypedDict, total=False):
    """How tokens are chosen, and when an answer ends. What is left out is as the command has it: the likeliest token."""

    max_tokens: int | None
    """At most; as many as there is room for where it is None. 0 computes the prompt only."""
    temperature: float
    """0 takes the likeliest token."""
    top_k: int
    """Only the likeliest so many; 0 for all."""
    top_p: float
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    seed: int
    stop: str | Sequence[str]
    """Texts that end the answer where they begin."""
    ignore_eos: bool
    """Go on where the model would end."""
    logprobs: int | None
    """So many of the likeliest tokens beside each, with natural log-probabilities."""
    json_schema: str | Mapping[str, Any] | None
    """The answer is JSON of this schema. One of this, `regex` and `grammar`."""
    regex: str | None
    grammar: str | None
    kv: str | None
    """A policy of the KV cache, such as `streaming:4+508`."""
    reuse_prefix: bool
    """Keep what was computed for the prompt, and start from what is there."""


class TokenStream:
    """The tokens of an answer as they come. Closed, left by `with`, or dropped, it ends the request."""

    def __init__(self, stream: _native.Stream, callback: Callable[[Token], object] | None) -> None:
        self._stream = stream
        self._callback = callback
        self._tokens: list[Token] = []

    def __iter__(self) -> TokenStream:
        return self

    def __next__(self) -> Token:
        token = next(self._stream)
        self._tokens.append(token)
        if self._callback is not None:
            try:
                self._callback(token)
            except BaseException:
                self.close()
                raise
        return token

    def close(self) -> None:
        """Ends the request; what had come is lost to nobody who kept it."""
        self._stream.close()

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def result(self) -> Generation | None:
        """The whole answer, once it has ended by itself."""
        ended = self._stream.ended
        return None if ended is None else _generation(self._tokens, ended)


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
        max_num_seqs: int = 16,
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
            threads=None if threads is None else check.integer("threads", threads, 1, 2**16),
            n_ctx=None if n_ctx is None else check.integer("n_ctx", n_ctx, 1, 2**31),
            max_num_seqs=check.integer("max_num_seqs", max_num_seqs, 1, 2**16),
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
        return self._native.decode(self._known(check.tokens("tokens", tokens)))

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
        text = json.dumps(_messages(messages))
        extra = _json("template", {} if template is None else template)
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

    def _known(self, tokens: list[int]) -> list[int]:
        """Tokens that the model has."""
        n_vocab = int(self._native.info["n_vocab"])
        for token in tokens:
            if token >= n_vocab:
                raise check.wrong_value("tokens", f"ids below the model's {n_vocab}", token)
        return tokens

    def _prompt(self, name: str, prompt: object) -> list[int]:
        """The tokens of a prompt, which is a text or tokens already."""
        if isinstance(prompt, str):
            tokens = self._native.encode(check.text(name, prompt), True)
        else:
            tokens = self._known(check.tokens(name, prompt))
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
        values = _checked(function, options)
        if values["max_tokens"] is None:
            values["max_tokens"] = self._native.room(len(tokens), values["kv"])
        found = TokenStream(self._native.start(tokens, **values), callback)
        if stream:
            return found
        with found:
            for _ in found:
                pass
            result = found.result
        if result is None:
            raise _native.EngineError("the request ended without a result")
        return result


def _generation(tokens: list[Token], ended: _native.Sample) -> Generation:
    sample = RequestSample.of(ended)
    logprobs = [token.logprob for token in tokens]
    known = [logprob for logprob in logprobs if logprob is not None]
    has_logprobs = bool(tokens) and len(known) == len(tokens)
    return Generation(
        text="".join(token.text for token in tokens),
        tokens=tuple(token.id for token in tokens),
        finish_reason=sample.finish_reason,
        prompt_tokens=sample.prompt_tokens,
        cached_tokens=sample.cached_tokens,
        output_tokens=sample.output_tokens,
        ttft_ms=sample.ttft_ms if tokens else NAN,
        e2e_ms=sample.e2e_ms,
        tokens_per_second=sample.tokens_per_second,
        logprobs=tuple(known) if has_logprobs else None,
        top_logprobs=tuple(tuple(token.top_logprobs) for token in tokens) if has_logprobs else None,
    )


def _messages(messages: object) -> list[dict[str, Any]]:
    """Messages with a role each; what else they have is the template's business."""
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        raise check.wrong_type("messages", 'a list such as [{"role": "user", "content": "Hello"}]', messages)
    if not messages:
        raise check.wrong_value("messages", "at least one message", messages)
    found = []
    for i, message in enumerate(messages):
        name = f"messages[{i}]"
        if not isinstance(message, Mapping):
            raise check.wrong_type(name, "a message with role and content", message)
        role = check.text(f'{name}["role"]', message.get("role"))
        if not role:
            raise check.wrong_value(f'{name}["role"]', "system, user or assistant", role)
        content = message.get("content")
        if content is None and role != "assistant":
            raise check.wrong_value(f'{name}["content"]', "a string", content)
        found.append(json.loads(_json(name, message)))
    return found


def _json(name: str, value: Mapping[str, Any]) -> str:
    if not isinstance(value, Mapping):
        raise check.wrong_type(name, "a mapping", value)
    try:
        return json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name}: expected what JSON can hold: {error}") from None


def _checked(function: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options with their defaults, each of a type and value that can be."""
    for name in options:
        if name not in _OPTIONS:
            raise check.unknown_keyword(function, name, ["stream", "callback", *_OPTIONS])
    found = {
        name: default if options.get(name, default) is default else of(name, options[name])
        for name, (default, of) in _OPTIONS.items()
    }
    forms = [name for name in ("json_schema", "regex", "grammar") if found[name] is not None]
    if len(forms) > 1:
        raise ValueError(f"{forms[1]}: expected one of json_schema, regex and grammar, found {' and '.join(forms)}")
    return found


def _stop(name: str, value: object) -> list[str]:
    stops = [value] if isinstance(value, str) else value
    found = check.texts(name, stops) if stops else []
    if "" in found:
        raise check.wrong_value(name, "texts that are not empty", value)
    return found


def _schema(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return _json(name, value)
    return check.text(name, value)


_Option = tuple[Any, Callable[[str, object], Any]]

_OPTIONS: dict[str, _Option] = {
    "max_tokens": (None, lambda name, value: check.integer(name, value, 0)),
    "temperature": (0.0, lambda name, value: check.number(name, value, 0.0)),
    "top_k": (0, lambda name, value: check.integer(name, value, 0, 2**31)),
    "top_p": (1.0, lambda name, value: check.number(name, value, 0.0, 1.0)),
    "min_p": (0.0, lambda name, value: check.number(name, value, 0.0, 1.0)),
    "repetition_penalty": (1.0, check.positive),
    "presence_penalty": (0.0, check.number),
    "frequency_penalty": (0.0, check.number),
    "seed": (0, lambda name, value: check.integer(name, value, 0, 2**64 - 1)),
    "stop": ((), _stop),
    "ignore_eos": (False, check.truth),
    "logprobs": (None, lambda name, value: check.integer(name, value, 0, 2**16)),
    "json_schema": (None, _schema),
    "regex": (None, check.text),
    "grammar": (None, check.text),
    "kv": (None, check.text),
    "reuse_prefix": (True, check.truth),
}


def measured(engine: object) -> Engine:
    """The engine of a benchmark: open, and one of these."""
    if not isinstance(engine, Engine):
        raise check.wrong_type("engine", "a pacemark.Engine", engine)
    if engine.is_closed:
        raise _native.EngineClosedError("engine: expected an open one, found one that was closed")
    return engine


__all__ = ["DEFAULT_MODEL", "Engine", "Options", "Prompt", "TokenStream"]
