"""What targets are held to: figures of results, and of reports that were read back, by the same rules.

A result is judged by what a report has of it, and by its single values beside, so that the two cannot differ.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark import _figures as figures
from pacemark.benchmark._layout import RUNS, latency_of_each, memory_of_each, throughput_of_each
from pacemark.benchmark._sorted import Sorted
from pacemark.results import Interval

MIN_RUNS = 5
"""Fewer values have no interval of their mean, and decide nothing."""

_STATISTIC = re.compile(r"_(mean|sd|min|max|p\d+(?:_\d+)?)$")


@dataclass(frozen=True, slots=True)
class Figure:
    """What a target is of: a field of a part of the report, and a statistic of its values."""

    fields: Mapping[str, str]
    """By the part."""
    statistic: str = "mean"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure as it was measured."""

    of: str
    value: float | None
    """None where there are values, but too few for it."""
    ci95: Interval | None = None
    is_enough: bool = True
    """Whether it decides anything: a mean takes five runs, a quantile as many as bound it, what is read off once itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One result, as a report has it."""

    part: str
    of: str
    fields: Mapping[str, Any]
    runs: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Single values, by the field that is their mean."""


def _request(latency: str, throughput: str | None = None) -> dict[str, str]:
    """A figure of a request alone."""
    return {"latency": latency, "throughput": throughput or latency}


_NATIVE: dict[str, dict[str, str]] = {
    "decode_tps": _request("tokens_per_second"),
    "tokens_per_second": _request("tokens_per_second"),
    "prefill_tps": _request("prefill_tokens_per_second"),
    "ttft_ms": _request("ttft_ms"),
    "tpot_ms": _request("tpot_ms"),
    "itl_ms": _request("itl_ms"),
    "e2e_ms": _request("e2e_latency_ms", "avg_latency_ms"),
    "request_rate": {"throughput": "requests_per_second"},
    "output_ts_total": {"throughput": "total_tokens_per_second"},
    "output_tokens_per_second": {"throughput": "total_tokens_per_second"},
    "peak_memory_gb": {"memory": "peak_memory_gb"},
}
"""Figures of the command."""

_OWN: dict[str, dict[str, str]] = {
    "prefill_tokens_per_second": _NATIVE["prefill_tps"],
    "requests_per_second": {"throughput": "requests_per_second"},
    "total_tokens_per_second": {"throughput": "total_tokens_per_second"},
    "avg_latency_ms": {"throughput": "avg_latency_ms"},
    "load_seconds": {"memory": "load_seconds"},
    "model_gb": {"memory": "model_gb"},
    "model_load_gb": {"memory": "memory_gb"},
    "memory_delta_gb": {"memory": "memory_delta_gb"},
    "inference_delta_gb": {"memory": "memory_delta_gb"},
    "kv_cache_gb": {"memory": "kv_cache_gb"},
    "memory_before_gb": {"memory": "memory_before_gb"},
    "peak_gb": {"memory": "peak_memory_gb"},
}
"""Fields of results and names of reports that the command has no figure of. `memory_gb` is the command's: the peak."""

_P99 = "p99_latency_ms"


def figure(bound: str, name: str) -> Figure:
    """The figure that a target is of; of an unknown one the error says the nearest."""
    plain = name.replace(".", "_")
    if (percent := re.search(r"_p(\d+)(_\d+)?$", plain)) is not None and int(percent[1]) > 100:
        raise check.wrong_value("targets", "percentiles of at most 100", name)
    if plain == _P99:
        return Figure(_OWN["avg_latency_ms"], "p99")
    stem, statistic = _split(plain)
    if stem in _OWN:
        return Figure(_OWN[stem], statistic)
    try:
        found = _native.figure_of(f"{bound}_{name}")
    except ValueError as error:
        near = difflib.get_close_matches(plain, [*_OWN, _P99], n=1, cutoff=0.7)
        raise ValueError(f"targets: {error}{f' or {near[0]}?' if near else ''}") from None
    stem, statistic = _split(found.replace(".", "_"))
    return Figure(_NATIVE.get(stem, {}), statistic)


def _split(plain: str) -> tuple[str, str]:
    """A series and the statistic of it, the mean where there is none."""
    found = _STATISTIC.search(plain)
    return (plain[: found.start()], found.group(1)) if found else (plain, "mean")


def measures(found: Sorted, of: Figure) -> Iterable[Measure]:
    """Figures of a request alone are those of latency, where that was measured; memory's are memory's."""
    groups = [list(_of_results(found)), *(list(_of_report(*report)) for report in found.reports)]
    for group in groups:
        has_latency = any(entry.part == "latency" for entry in group)
        for entry in group:
            if entry.part == "throughput" and has_latency and "latency" in of.fields:
                continue
            measure = _measure(entry, of)
            if measure is not None:
                yield measure


def _measure(entry: Entry, of: Figure) -> Measure | None:
    """None where the entry does not have it."""
    name = of.fields.get(entry.part)
    if name is None:
        return None
    mean = _number(entry, name)
    values = entry.runs.get(name)
    if values is not None:
        if not values:
            return None
        value, ci95, is_enough = _statistic(values, of.statistic)
        # A batch's rate of requests is all of them over all the time, as the result has it.
        is_mean = of.statistic == "mean" and mean is not None
        return Measure(entry.of, mean if is_mean else value, ci95, is_enough)
    n_runs = entry.fields.get("n_runs", entry.fields.get("n_requests"))
    is_once = entry.part == "memory" or name in ("requests_per_second", "total_tokens_per_second")
    if of.statistic == "mean" or (is_once and of.statistic in ("min", "max")):
        ci95 = _interval(entry, name)
        # One without an interval is judged as it is, unless its runs were too few for one.
        are_few = ci95 is None and not is_once and isinstance(n_runs, int) and 0 < n_runs < MIN_RUNS
        return None if mean is None else Measure(entry.of, mean, ci95, not are_few)
    quantile = _P99 if (name, of.statistic) == ("avg_latency_ms", "p99") else f"{name}_{of.statistic}"
    if quantile not in entry.fields:
        return None
    value = _number(entry, quantile)
    if value is None:
        # There are values, but too few for this one.
        return None if mean is None else Measure(entry.of, None, None, False)
    return Measure(entry.of, value, _interval(entry, quantile))


def _statistic(values: Sequence[float], statistic: str) -> tuple[float | None, Interval | None, bool]:
    """The value, its interval, and whether there are values enough for it."""
    if statistic == "mean":
        return figures.mean(values), figures.interval(values), len(values) >= MIN_RUNS
    if statistic.startswith("p"):
        q = float(statistic[1:].replace("_", ".")) / 100
        value = figures.quantile(values, q)
        return value, figures.quantile_interval(values, q), value is not None
    if statistic == "sd":
        mean = figures.mean(values)
        n = len(values) - 1
        sd = math.sqrt(sum((value - mean) ** 2 for value in values) / n) if n else None
        return sd, None, sd is not None
    return (min(values) if statistic == "min" else max(values)), None, True


def _number(entry: Entry, name: str) -> float | None:
    value = entry.fields.get(name)
    return None if value is None else check.number(f"results[{entry.part!r}][{name!r}]", value)


def _interval(entry: Entry, name: str) -> Interval | None:
    ends = entry.fields.get(f"{name}_ci95")
    if ends is None:
        return None
    at = f"results[{entry.part!r}]['{name}_ci95']"
    if isinstance(ends, (str, bytes)) or not isinstance(ends, Sequence) or len(ends) != 2:
        raise check.wrong_value(at, "two numbers", ends)
    return (check.number(at, ends[0]), check.number(at, ends[1]))


def _of_results(found: Sorted) -> Iterable[Entry]:
    """What a report would have, and the values of requests that it does not have."""
    for of, latency in found.latency:
        fields = latency_of_each(of, latency)
        gaps = [gap for sample in latency.samples for gap in sample.itl_ms]
        yield Entry("latency", of, fields, {**fields["runs"], "itl_ms": gaps})
    for of, result in found.memory():
        yield Entry("memory", of, memory_of_each(of, result))
    for of, throughput in found.throughput:
        fields = throughput_of_each(of, throughput)
        samples = throughput.samples
        runs = {name: figures.finite(getattr(one, ours) for one in samples) for name, ours in RUNS.items()}
        runs["avg_latency_ms"] = runs.pop("e2e_latency_ms")
        runs["itl_ms"] = [gap for sample in samples for gap in sample.itl_ms]
        yield Entry("throughput", of, fields, {**runs, **fields["runs"]})


def _of_report(of: str, report: Mapping[str, Any]) -> Iterable[Entry]:
    """Of each result where the report has them, and its summary where that is of none of them."""
    for part in ("latency", "memory", "throughput"):
        summary = report.get(part)
        if not isinstance(summary, Mapping):
            continue
        each = [one for one in _list(summary.get("each")) if isinstance(one, Mapping)]
        for one in each:
            yield Entry(part, str(one.get("of") or of), one, _runs(part, one.get("runs")))
        if part == "latency":
            names = ("ttft_ms", "tokens_per_second", "e2e_latency_ms")
            is_one = any(all(one.get(name) == summary.get(name) for name in names) for one in each)
            if not is_one and any(summary.get(name) is not None for name in names):
                yield Entry(part, of, summary)
        elif part == "memory" and not each:
            named = {"memory_gb": "model_load_gb", "memory_delta_gb": "inference_delta_gb", "peak_memory_gb": "peak_gb"}
            yield Entry(part, of, {**summary, **{ours: summary.get(name) for ours, name in named.items()}})
        elif part == "throughput" and not each:
            yield from _loads(summary)


_LOAD = re.compile(r"(single_request|concurrent_\d+|batch_\d+)_(rps|tps|avg_latency_ms|p99_latency_ms)")


def _loads(summary: Mapping[str, Any]) -> Iterable[Entry]:
    """Of a report without its single results, such as the suite's: a load by the beginning of its names."""
    named = {"rps": "requests_per_second", "tps": "total_tokens_per_second"}
    loads: dict[str, dict[str, Any]] = {}
    for name, value in summary.items():
        found = _LOAD.fullmatch(str(name))
        if found is not None and value is not None:
            loads.setdefault(found[1], {})[named.get(found[2], found[2])] = value
    for of, fields in loads.items():
        yield Entry("throughput", of, fields)


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _runs(part: str, runs: object) -> dict[str, list[float]]:
    if not isinstance(runs, Mapping):
        return {}
    at = f"results[{part!r}]['each']"
    return {str(name): [check.number(f"{at}[{name!r}]", one) for one in _list(values)] for name, values in runs.items()}


__all__ = ["MIN_RUNS", "Figure", "Measure", "figure", "measures"]
