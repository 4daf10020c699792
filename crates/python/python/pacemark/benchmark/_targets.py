"""Targets: what a model is to reach, judged as `pacemark check` does: by the whole 95 % interval where there is one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark import _figures as figures
from pacemark.benchmark._sorted import Sorted
from pacemark.results import Interval, LatencyResult, Result, ThroughputResult

MIN_RUNS = 5
"""Fewer values have no interval of their mean, and decide nothing."""

_STATISTIC = re.compile(r"_(mean|sd|min|max|p\d+(?:_\d+)?)$")


@dataclass(frozen=True, slots=True)
class Failure(Result):
    """A target that was not shown to be met."""

    metric: str
    """The figure, as the target names it."""
    actual: float | None
    """None where nothing that was measured has it."""
    target: float
    bound: str
    """`min` or `max`."""
    verdict: str
    """`missed`, `undecided` or `not_measured`."""
    ci95: Interval | None = None
    of: str = ""
    """What was measured, where there are several."""

    def __str__(self) -> str:
        actual = "-" if self.actual is None else f"{self.actual:.4g}"
        words = {"min": "at least", "max": "at most"}[self.bound]
        of = f" [{self.of}]" if self.of else ""
        return f"{self.verdict}: {self.metric} = {actual} (target: {words} {self.target:g}){of}"


@dataclass(frozen=True, slots=True)
class Validation(Result):
    """What targets came to."""

    model_name: str
    passed: bool
    failures: tuple[Failure, ...]
    n_targets: int


@dataclass(frozen=True, slots=True)
class _Measure:
    """What a target may be held to: values by run, or one that was read off once."""

    of: str
    values: tuple[float, ...] | None
    value: float | None = None
    ci95: Interval | None = None


def validate(model_name: str, found: Sorted, targets: object, allow_undecided: bool) -> Validation:
    """Each target against everything that was measured and has its figure."""
    failures: list[Failure] = []
    n_targets = 0
    for name, bound, target in _each(targets):
        n_targets += 1
        figure = _figure(bound, name)
        measures = list(_measures(found, figure))
        if not measures:
            failures.append(Failure(name, None, target, bound, "not_measured"))
        for measure in measures:
            failure = _judged(name, bound, target, figure, measure, alone=len(measures) == 1)
            is_allowed = failure is not None and failure.verdict == "undecided" and allow_undecided
            if failure is not None and not is_allowed:
                failures.append(failure)
    return Validation(model_name, not failures, tuple(failures), n_targets)


def _figure(bound: str, name: str) -> str:
    """The figure that a target is of; of an unknown one the error says the nearest."""
    try:
        return _native.figure_of(f"{bound}_{name}")
    except ValueError as error:
        raise ValueError(f"targets: {error}") from None


def _each(targets: object) -> Iterable[tuple[str, str, float]]:
    """Figure, `min` or `max`, and number of every target: `max_ttft_ms: 200`, or `ttft_ms: {max: 200}`."""
    if not isinstance(targets, Mapping):
        raise check.wrong_type("targets", "a mapping such as {'max_ttft_ms': 200}", targets)
    if not targets:
        raise check.wrong_value("targets", "at least one target", targets)
    for key, value in targets.items():
        name = check.text("targets", key)
        at = f"targets[{name!r}]"
        if isinstance(value, Mapping):
            if not value or not set(value) <= {"min", "max"}:
                raise check.wrong_value(at, "min, max or both", value)
            for bound, number in value.items():
                yield name, bound, check.number(at, number)
            continue
        bound, _, figure = name.partition("_")
        if bound not in ("min", "max") or not figure:
            # An unknown figure is told the nearest; a known one what it lacks.
            _figure("max", name)
            raise check.wrong_value(at, f"min_{name} or max_{name}", name)
        yield figure, bound, check.number(at, value)


def _judged(
    name: str, bound: str, target: float, figure: str, measure: _Measure, *, alone: bool
) -> Failure | None:
    """Nothing where it is met."""
    actual, ci95 = measure.value, measure.ci95
    enough = True
    if measure.values is not None:
        actual, ci95, enough = _statistic(measure.values, _split(figure)[1])
    of = "" if alone else measure.of
    if actual is None or not math.isfinite(actual):
        verdict = "not_measured" if enough else "undecided"
        return Failure(name, None, target, bound, verdict, None, of)
    low, high = ci95 or (None, None)
    verdict = _native.judge(f"{bound}_{name}", target, actual, low, high) if enough else "undecided"
    return None if verdict == "met" else Failure(name, actual, target, bound, verdict, ci95, of)


def _split(figure: str) -> tuple[str, str]:
    """A series and the statistic of it, the mean where there is none."""
    plain = figure.replace(".", "_")
    found = _STATISTIC.search(plain)
    return (plain[: found.start()], found.group(1)) if found else (plain, "mean")


def _statistic(values: Sequence[float], statistic: str) -> tuple[float | None, Interval | None, bool]:
    """The value, its interval, and whether there are values enough for it."""
    if not values:
        return None, None, True
    if statistic == "mean":
        return figures.mean(values), figures.interval(values), len(values) >= MIN_RUNS
    if statistic.startswith("p"):
        q = float(statistic[1:].replace("_", ".")) / 100
        value = figures.quantile(values, q)
        return value, figures.quantile_interval(values, q), value is not None
    if statistic == "sd":
        mean = figures.mean(values)
        n = len(values) - 1
        return (math.sqrt(sum((value - mean) ** 2 for value in values) / n) if n else None), None, True
    return (min(values) if statistic == "min" else max(values)), None, True


def _measures(found: Sorted, figure: str) -> Iterable[_Measure]:
    """Figures of a request alone are those of latency, where that was measured; memory's are memory's."""
    series, _ = _split(figure)
    requests: Sequence[tuple[str, LatencyResult | ThroughputResult]] = found.latency or found.throughput
    for of, result in requests:
        values = _of_requests(result, series)
        if values:
            yield _Measure(of, tuple(values))
    for of, rates in found.throughput:
        if series in ("request_rate", "requests_per_second"):
            yield _Measure(of, None, rates.requests_per_second)
        elif series in ("output_ts_total", "total_tokens_per_second"):
            yield _Measure(of, None, rates.total_tokens_per_second, rates.total_tokens_per_second_ci95)
    if series == "peak_memory_gb":
        for of, memory in found.memory():
            if math.isfinite(memory.peak_memory_gb):
                yield _Measure(of, None, memory.peak_memory_gb)
    for of, report in found.reports:
        yield from _of_report(of, report, figure)


def _of_requests(result: LatencyResult | ThroughputResult, series: str) -> list[float]:
    samples = result.samples
    if series == "itl_ms":
        return [gap for sample in samples for gap in sample.itl_ms]
    of = {
        "decode_tps": "tokens_per_second",
        "tokens_per_second": "tokens_per_second",
        "prefill_tps": "prefill_tokens_per_second",
        "ttft_ms": "ttft_ms",
        "tpot_ms": "tpot_ms",
        "e2e_ms": "e2e_ms",
        "e2e_latency_ms": "e2e_ms",
    }.get(series)
    return figures.finite(getattr(sample, of) for sample in samples) if of else []


_IN_REPORTS: dict[str, tuple[str, str]] = {
    "decode_tps": ("latency", "tokens_per_second"),
    "tokens_per_second": ("latency", "tokens_per_second"),
    "prefill_tps": ("latency", "prefill_tokens_per_second"),
    "ttft_ms": ("latency", "ttft_ms"),
    "tpot_ms": ("latency", "tpot_ms"),
    "e2e_ms": ("latency", "e2e_latency_ms"),
    "e2e_latency_ms": ("latency", "e2e_latency_ms"),
    "itl_ms_p50": ("latency", "itl_ms_p50"),
    "itl_ms_p95": ("latency", "itl_ms_p95"),
    "itl_ms_p99": ("latency", "itl_ms_p99"),
    "peak_memory_gb": ("memory", "peak_gb"),
}


def _of_report(of: str, report: Mapping[str, Any], figure: str) -> Iterable[_Measure]:
    """A figure of a report that was read back. One without an interval is judged as it is, unless its runs were too few."""
    part, name = _IN_REPORTS.get(figure.replace(".", "_"), ("", ""))
    values = report.get(part)
    value = values.get(name) if isinstance(values, Mapping) else None
    if not isinstance(values, Mapping) or value is None:
        return
    at = f"results[{part!r}][{name!r}]"
    ends = values.get(f"{name}_ci95")
    ci95: Interval | None = None
    if isinstance(ends, Sequence) and len(ends) == 2:
        ci95 = (check.number(at, ends[0]), check.number(at, ends[1]))
    found = check.number(at, value)
    n_runs = values.get("n_runs")
    if ci95 is None and part == "latency" and isinstance(n_runs, int) and 0 < n_runs < MIN_RUNS:
        # So few values have no interval, whatever they are.
        yield _Measure(of, (found,))
    else:
        yield _Measure(of, None, found, ci95)
