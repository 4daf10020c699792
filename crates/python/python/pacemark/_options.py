"""Options of a request and messages of a chat: their names, defaults and checks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from pacemark import _arguments as check

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack
else:

    class Unpack:
        """Python's own is from 3.11 on. Here, so that `typing.get_type_hints` finds the name."""

        def __class_getitem__(cls, of: Any) -> Any:
            return of


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
    stop: str | Sequence[str] | None
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


def messages(given: object) -> list[dict[str, Any]]:
    """Messages with a role each; what else they have is the template's business."""
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
        raise check.wrong_type("messages", 'a list such as [{"role": "user", "content": "Hello"}]', given)
    if not given:
        raise check.wrong_value("messages", "at least one message", given)
    found = []
    for i, message in enumerate(given):
        name = f"messages[{i}]"
        if not isinstance(message, Mapping):
            raise check.wrong_type(name, "a message with role and content", message)
        role = check.text(f'{name}["role"]', message.get("role"))
        if not role:
            raise check.wrong_value(f'{name}["role"]', "system, user or assistant", role)
        _content(f'{name}["content"]', message.get("content"), role)
        found.append(json.loads(as_json(name, message)))
    return found


def _content(name: str, content: object, role: str) -> None:
    """A text, or parts of a message; an assistant's may be absent, where it called tools."""
    if isinstance(content, str):
        check.text(name, content)
    elif isinstance(content, (list, tuple)):
        for i, part in enumerate(content):
            if not isinstance(part, Mapping):
                raise check.wrong_type(f"{name}[{i}]", 'a part such as {"type": "text", "text": "Hello"}', part)
            check.text(f'{name}[{i}]["type"]', part.get("type"))
            if part.get("text") is not None:
                check.text(f'{name}[{i}]["text"]', part["text"])
    elif content is not None:
        raise check.wrong_type(name, "a string or a list of parts", content)
    elif role != "assistant":
        raise check.wrong_value(name, "a string", content)


def as_json(name: str, value: Mapping[str, Any]) -> str:
    if not isinstance(value, Mapping):
        raise check.wrong_type(name, "a mapping", value)
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name}: expected what JSON can hold: {error}") from None
    return check.text(name, text)


def checked(function: str, options: Mapping[str, Any]) -> dict[str, Any]:
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
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return []
    found = check.texts(name, [value] if isinstance(value, str) else value)
    if "" in found:
        raise check.wrong_value(name, "texts that are not empty", value)
    return found


def _schema(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return as_json(name, value)
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

__all__ = ["Options", "Unpack", "as_json", "checked", "messages"]
