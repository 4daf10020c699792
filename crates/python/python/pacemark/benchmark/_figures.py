"""Means, intervals and quantiles of samples, by the definitions of the command: the compiled part has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pacemark import _arguments as check
from pacemark import _native
from pacemark.engine import Engine
from pacemark.results import GB, NAN, Interval, RequestSample, Result


def finite(values: Iterable[float]) -> list[float]:
    """Those that there are: what was not measured is NaN."""
    return [value for value in values if math.isfinite(value)]


def mean(values: Sequence[float]) -> float:
    """NaN of none."""
    return math.fsum(values) / len(values) if values else NAN


def interval(values: Sequence[float]) -> Interval | None:
    """Of the mean, 95 %."""
    return _native.mean_interval(values) if values else None


def quantile(values: Sequence[float], q: float) -> float | None:
    """`None` where the values do not bound it."""
    return _native.quantile(values, q) if values else None


def quantile_interval(values: Sequence[float], q: float) -> Interval | None:
    """95 %, by order statistics; `None` where the values do not bound it."""
    return _native.quantile_interval(values, q) if values else None


def gb(n_bytes: float | None) -> float:
    """NaN where the system does not tell."""
    return NAN if n_bytes is None else n_bytes / GB


def prompts(engine: Engine, texts: object, n_tokens: int) -> list[list[int]]:
    """The tokens of each prompt; one that leaves no room for its answer is refused before anything is measured."""
    found = [engine._prompt(f"prompts[{i}]", text) for i, text in enumerate(check.texts("prompts", texts))]
    for i, tokens in enumerate(found):
        fits(engine, f"prompts[{i}]", tokens, n_tokens)
    return found


def fits(engine: Engine, name: str, tokens: Sequence[int], n_tokens: int) -> None:
    n_ctx = int(engine.info["n_ctx"])
    if len(tokens) + n_tokens > n_ctx:
        raise ValueError(
            f"{name}: expected at most {n_ctx} tokens of context for prompt and answer, found {len(tokens)} and {n_tokens}"
        )


@contextmanager
def keeping(result: Callable[[], Result | None]) -> Iterator[None]:
    """Gives whatever ends a benchmark the result of what was measured by then as its `partial`; None where nothing was."""
    try:
        yield
    except BaseException as error:
        # A class may have no room for it; then the exception is more than the result.
        with suppress(AttributeError, TypeError):
            error.partial = result()  # type: ignore[attr-defined]
        raise


def partial(error: BaseException, prompt: int | None = None) -> list[RequestSample]:
    """The requests that had ended when a run was cut off."""
    ended: Any = getattr(error, "partial", None)
    if not isinstance(ended, list):
        return []
    return [RequestSample.of(one, prompt) for one in ended if isinstance(one, _native.Sample)]
