"""Checks of arguments: each error names the argument, what was expected, and what was found.

A string is no list of strings here, a truth value is no number, and NaN is no quantity, though Python would let all three pass.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable, Mapping, Sequence

# Longer values are cut in messages.
_LONGEST = 60

# Most of what the compiled part takes.
MOST_THREADS = 2**16 - 1
MOST_CTX = 2**32 - 1
MOST_SEQS = 4096
MOST_AT_ONCE = 4096


def shown(value: object) -> str:
    """A value as a message has it: its type, and itself where that is short."""
    try:
        text = repr(value)
    except Exception:  # A class may refuse to be shown; the message must not fail for that.
        text = "?"
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return f"{type(value).__name__} {text}"


def wrong_type(name: str, expected: str, value: object) -> TypeError:
    return TypeError(f"{name}: expected {expected}, found {shown(value)}")


def wrong_value(name: str, expected: str, value: object) -> ValueError:
    return ValueError(f"{name}: expected {expected}, found {shown(value)}")


def integer(name: str, value: object, least: int, most: int = 2**63 - 1) -> int:
    """A whole number from `least` to `most`; those of numpy are as good."""
    expected = f"a whole number of at least {least}"
    if isinstance(value, bool):
        raise wrong_type(name, expected, value)
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise wrong_type(name, expected, value) from None
    if number < least:
        raise wrong_value(name, expected, value)
    if number > most:
        raise wrong_value(name, f"a whole number of at most {most}", value)
    return number


def number(name: str, value: object, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number from `least` to `most`."""
    expected = "a number"
    if isinstance(value, (bool, str, bytes)):
        raise wrong_type(name, expected, value)
    try:
        found = float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise wrong_value(name, expected, value) from None
    except (TypeError, ValueError):
        raise wrong_type(name, expected, value) from None
    if not math.isfinite(found):
        raise wrong_value(name, "a finite number", value)
    if not least <= found <= most:
        if most == math.inf:
            expected = f"at least {least:g}"
        elif least == -math.inf:
            expected = f"at most {most:g}"
        else:
            expected = f"{least:g} to {most:g}"
        raise wrong_value(name, expected, value)
    return found


def positive(name: str, value: object) -> float:
    """A finite number above zero."""
    found = number(name, value)
    if found <= 0:
        raise wrong_value(name, "a number above 0", value)
    return found


def truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(name, "True or False", value)
    return value


def text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise wrong_type(name, "a string", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise wrong_value(name, "text without halves of characters (surrogates)", value) from None
    return value


def tokens(name: str, value: object) -> list[int]:
    """A sequence of token ids."""
    # An iterator could be asked once only, and a mapping's keys are no prompt. An array of numpy is no Sequence, but as good.
    is_sequence = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    is_other = isinstance(value, (bytes, bytearray, memoryview, Mapping))
    if not is_sequence or is_other or not isinstance(value, Iterable):
        raise wrong_type(name, "a string or a sequence of token ids", value)
    return [integer(f"{name}[{i}]", token, 0, 2**32 - 1) for i, token in enumerate(value)]


def texts(name: str, value: object) -> list[str]:
    """One or more texts: a list of them, not a text, whose letters would be taken for them."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise wrong_type(name, "a list of strings", value)
    if not value:
        raise wrong_value(name, "at least one string", value)
    return [text(f"{name}[{i}]", one) for i, one in enumerate(value)]


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    found = text(name, value)
    if found not in known:
        raise wrong_value(name, " or ".join(known), value)
    return found


def unknown_keyword(function: str, name: str, known: Iterable[str]) -> TypeError:
    """As Python says it of a function's own, with the nearest."""
    near = difflib.get_close_matches(name, list(known), n=1)
    advice = f" (did you mean {near[0]!r}?)" if near else ""
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}{advice}")
