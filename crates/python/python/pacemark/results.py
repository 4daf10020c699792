"""What is handed back: plain frozen records, with the values that every figure was made of.

Times are milliseconds, sizes GB of 2^30 bytes, rates per second; `..._ci95` is a 95 % interval of the mean, `None` below five
values. A figure that could not be measured is NaN, and `None` in `to_dict()`, so that JSON can hold it.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pacemark import _native

if TYPE_CHECKING:
    import pandas

GB = float(1 << 30)
"""Bytes of what reports call GB."""

NAN = math.nan

Interval = tuple[float, float]


class Result:
    """What all results can do."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, in plain types that JSON has; NaN is `None`."""
        fields = dataclasses.fields(cast(Any, self))
        return {one.name: _plain(getattr(self, one.name)) for one in fields}

    def rows(self) -> list[dict[str, Any]]:
        """What `to_pandas` has a row for each of: requests where the result is of several, else itself."""
        return [self.summary()]

    def summary(self) -> dict[str, Any]:
        """The fields that are one value each."""
        row: dict[str, Any] = {}
        for name, value in self.to_dict().items():
            if name.endswith("_ci95"):
                row[name + "_low"], row[name + "_high"] = value or (None, None)
            elif not isinstance(value, (list, dict)):
                row[name] = value
        return row

    def to_pandas(self) -> pandas.DataFrame:
        """A table with a row for each request (or of one row). Takes pandas: `pip install pacemark[pandas]`."""
        return _frame(self.rows())


def to_pandas(results: Iterable[Result] | Mapping[str, Result]) -> pandas.DataFrame:
    """A table with a row for each result, that of a sweep for instance; keys of a mapping are the index."""
    if isinstance(results, Mapping):
        return _frame([one.summary() for one in results.values()], index=list(results))
    return _frame([one.summary() for one in results])


def _frame(rows: list[dict[str, Any]], index: Sequence[str] | None = None) -> pandas.DataFrame:
    try:
        module = importlib.import_module("pandas")
    except ImportError as error:
        raise ImportError("to_pandas() takes pandas: pip install pacemark[pandas]") from error
    frame = module.DataFrame(rows, index=index)
    return cast("pandas.DataFrame", frame)


def _plain(value: object) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


@dataclass(frozen=True, slots=True)
class RequestSample(Result):
    """One request as it was measured. All times are since it was handed over."""

    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    finish_reason: str
    began_s: float
    """When it was handed over, since the first of its run."""
    ttft_ms: float
    e2e_ms: float
    token_ms: tuple[float, ...] = field(repr=False)
    """When each token was known."""
    kv_bytes: int | None
    prompt: int | None = None
    """Which of the prompts it was, where they were asked one after another."""

    @classmethod
    def of(cls, sample: _native.Sample, prompt: int | None = None) -> RequestSample:
        return cls(
            prompt_tokens=sample.prompt_tokens,
            cached_tokens=sample.cached_tokens,
            output_tokens=sample.output_tokens,
            finish_reason=sample.finish_reason,
            began_s=sample.began_s,
            ttft_ms=sample.ttft_ms,
            e2e_ms=sample.e2e_ms,
            token_ms=tuple(sample.token_ms),
            kv_bytes=sample.kv_bytes,
            prompt=prompt,
        )

    @property
    def decode_ms(self) -> float:
        """From the first token to the last."""
        return self.token_ms[-1] - self.token_ms[0] if self.token_ms else 0.0

    @property
    def tpot_ms(self) -> float:
        """Time per token after the first; NaN of fewer than two tokens."""
        n = len(self.token_ms) - 1
        return self.decode_ms / n if n > 0 and self.decode_ms > 0 else NAN

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second after the first; NaN of fewer than two tokens."""
        return 1e3 / self.tpot_ms

    @property
    def prefill_tokens_per_second(self) -> float:
        """Prompt tokens that were computed, a second until the first token."""
        computed = self.prompt_tokens - self.cached_tokens
        return computed * 1e3 / self.ttft_ms if self.ttft_ms > 0 else NAN

    @property
    def itl_ms(self) -> tuple[float, ...]:
        """The gaps between tokens."""
        return tuple(b - a for a, b in zip(self.token_ms, self.token_ms[1:], strict=False))

    def summary(self) -> dict[str, Any]:
        # Not super(): a dataclass with slots is another class than the one that was written.
        row = Result.summary(self)
        row["tpot_ms"] = _plain(self.tpot_ms)
        row["tokens_per_second"] = _plain(self.tokens_per_second)
        return row


@dataclass(frozen=True, slots=True)
class Generation(Result):
    """What a request was answered."""

    text: str
    tokens: tuple[int, ...] = field(repr=False)
    finish_reason: str
    """`stop`: the model ended it, or a stop text did; `length`: there was no more room."""
    prompt_tokens: int
    cached_tokens: int
    """Of those, not computed because their keys and values were there."""
    output_tokens: int
    ttft_ms: float
    e2e_ms: float
    tokens_per_second: float
    """After the first token; NaN of fewer than two."""
    logprobs: tuple[float, ...] | None = field(default=None, repr=False)
    """Natural log-probabilities of the tokens, where they were asked for."""
    top_logprobs: tuple[tuple[tuple[int, float], ...], ...] | None = field(default=None, repr=False)
    """For each token the most likely ones with theirs."""


@dataclass(frozen=True, slots=True)
class Score(Result):
    """How likely a text was to the model."""

    tokens: tuple[int, ...] = field(repr=False)
    """The tokens that were scored: all but what came before, and never the very first."""
    logprobs: tuple[float, ...] = field(repr=False)
    """The natural log-probability of each."""
    sum: float
    """Of the whole."""
    perplexity: float
    """exp of the mean negative log-probability."""

    def rows(self) -> list[dict[str, Any]]:
        pairs = zip(self.tokens, self.logprobs, strict=True)
        return [{"token": token, "logprob": _plain(logprob)} for token, logprob in pairs]


@dataclass(frozen=True, slots=True)
class Memory(Result):
    """Bytes that an engine holds."""

    model_bytes: int
    kv_allocated_bytes: int
    kv_used_bytes: int


@dataclass(frozen=True, slots=True)
class LatencyResult(Result):
    """Requests one after another: means over all counted runs of all prompts."""

    ttft_ms: float
    """Time to the first token."""
    tokens_per_second: float
    """Tokens a second after the first, the mean over runs; NaN of outputs of one token."""
    e2e_latency_ms: float
    """From handing over to the last token."""
    tpot_ms: float
    prefill_tokens_per_second: float
    ttft_ms_ci95: Interval | None
    tokens_per_second_ci95: Interval | None
    e2e_latency_ms_ci95: Interval | None
    tpot_ms_ci95: Interval | None
    prefill_tokens_per_second_ci95: Interval | None
    itl_ms_p50: float | None
    """Quantiles of the gaps between tokens, all runs together; `None` where they are too few for one."""
    itl_ms_p95: float | None
    itl_ms_p99: float | None
    n_runs: int
    n_prompts: int
    warmup_runs: int
    output_length: int
    model: Mapping[str, Any] = field(repr=False, hash=False)
    samples: tuple[RequestSample, ...] = field(repr=False)

    def rows(self) -> list[dict[str, Any]]:
        return [sample.summary() for sample in self.samples]


@dataclass(frozen=True, slots=True)
class ModelLoadResult(Result):
    """What loading a model added to this process."""

    memory_gb: float
    """Resident memory that it added; NaN where the system does not tell."""
    peak_memory_gb: float
    """The most resident while it was loaded; NaN where that was not asked for or the system does not tell."""
    load_seconds: float
    model_gb: float
    """Bytes of its tensors."""
    model_name: str
    quantization: str | None
    model: Mapping[str, Any] = field(repr=False, hash=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InferenceMemoryResult(Result):
    """What answering a prompt added to this process."""

    memory_delta_gb: float
    """The most resident during it less what was resident before; without `measure_peak`, what was resident after it less that."""
    peak_memory_gb: float
    """The most resident during it; NaN where that was not asked for or the system does not tell."""
    kv_cache_gb: float
    """Keys and values that were kept at its end, over all layers; NaN where that is not known."""
    memory_before_gb: float
    output_length: int
    model: Mapping[str, Any] = field(repr=False, hash=False)
    samples: tuple[RequestSample, ...] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThroughputResult(Result):
    """Requests for a while: one after another, several at a time, or batch after batch."""

    mode: str
    """`single`, `concurrent` or `batch`."""
    n_parallel: int
    """Requests at a time."""
    requests_per_second: float
    """Requests that ended, over the time from the first one's beginning to the last one's end."""
    total_tokens_per_second: float
    """Generated tokens of all requests over the same time; of batches the mean over batches."""
    tokens_per_second: float
    """Tokens a second of one request after its first, the mean over requests."""
    avg_latency_ms: float
    p99_latency_ms: float | None
    """`None` with fewer than 299 requests: they do not bound it."""
    ttft_ms: float
    total_tokens_per_second_ci95: Interval | None
    """Of batches only: the others are one value."""
    tokens_per_second_ci95: Interval | None
    avg_latency_ms_ci95: Interval | None
    p99_latency_ms_ci95: Interval | None
    ttft_ms_ci95: Interval | None
    n_requests: int
    output_tokens: int
    seconds: float
    """The time that the rates are over."""
    tokens_per_request: int
    batch_tokens_per_second: tuple[float, ...] = field(repr=False)
    """Of each batch; empty otherwise."""
    model: Mapping[str, Any] = field(repr=False, hash=False)
    samples: tuple[RequestSample, ...] = field(repr=False)

    @property
    def num_concurrent(self) -> int | None:
        """Requests at a time, where it is a test of that."""
        return self.n_parallel if self.mode == "concurrent" else None

    @property
    def batch_size(self) -> int | None:
        """Requests of a batch, where it is a test of that."""
        return self.n_parallel if self.mode == "batch" else None

    def rows(self) -> list[dict[str, Any]]:
        return [sample.summary() for sample in self.samples]
