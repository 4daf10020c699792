"""The layout of a report: the names of `pacemark suite`'s, null where nothing was measured."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark import _figures as figures
from pacemark.benchmark._sorted import MemoryResult, Sorted
from pacemark.results import LatencyResult, Result, ThroughputResult


def report(model_name: str, found: Sorted, *, with_system: bool, with_model: bool) -> dict[str, Any]:
    """The report of results that were sorted."""
    whole: dict[str, Any] = {
        "model_name": check.text("model_name", model_name),
        "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if with_system:
        whole["system_info"] = system_info()
    if with_model:
        models = [_plain(model) for model in found.models()]
        whole["model_info"] = models[0] if len(models) == 1 else models or None
    whole["latency"] = _latency(found)
    whole["memory"] = _memory(found)
    whole["throughput"] = _throughput(found)
    whole["experiments"] = []
    whole["not_measured"] = {part: "not measured" for part in _absent(found)}
    whole["notes"] = _notes(found)
    whole["settings"] = _settings(found)
    return whole


def system_info() -> dict[str, Any]:
    """This machine, by the names of `pacemark suite`. Torch's version is told only where the program has it loaded."""
    known = _native.system()
    torch = getattr(sys.modules.get("torch"), "__version__", None)
    info: dict[str, Any] = {
        "gpu": None,
        "gpu_memory_gb": None,
        "cpu": known.get("cpu"),
        "ram_gb": known.get("ram_gb"),
        "python_version": platform.python_version(),
        "torch_version": None if torch is None else str(torch),
        "pacemark_version": known.get("pacemark_version"),
        # The suite's key: the command is built in a checkout, the package from wherever its sources were.
        "pacemark_commit": None,
        "kernel": known.get("kernel"),
        "logical_cpus": known.get("logical_cpus"),
    }
    return info


def _figures(result: Result, names: Mapping[str, str]) -> dict[str, Any]:
    """Figures under the report's names, an interval after the figure it is of."""
    found: dict[str, Any] = {}
    for name, ours in names.items():
        found[name] = _number(getattr(result, ours))
        ends = getattr(result, f"{ours}_ci95", None)
        if ends is not None:
            found[f"{name}_ci95"] = list(ends)
    return found


def _number(value: float | None) -> float | None:
    """None for what is not there."""
    return value if value is not None and math.isfinite(value) else None


_LATENCY = {name: name for name in ("ttft_ms", "tokens_per_second", "e2e_latency_ms")}
_LATENCY_MORE = {
    name: name
    for name in ("tpot_ms", "prefill_tokens_per_second", "itl_ms_p50", "itl_ms_p95", "itl_ms_p99", "n_runs")
}
RUNS = {
    "ttft_ms": "ttft_ms",
    "tokens_per_second": "tokens_per_second",
    "e2e_latency_ms": "e2e_ms",
    "tpot_ms": "tpot_ms",
    "prefill_tokens_per_second": "prefill_tokens_per_second",
}
"""Of each request what targets may be held to, by the names of the report."""

_THROUGHPUT = {
    name: name
    for name in (
        "requests_per_second",
        "total_tokens_per_second",
        "tokens_per_second",
        "ttft_ms",
        "avg_latency_ms",
        "p99_latency_ms",
    )
}
_LOAD = {"model_load_gb": "memory_gb", "load_seconds": "load_seconds"}
_INFERENCE = {"inference_delta_gb": "memory_delta_gb", "kv_cache_gb": "kv_cache_gb"}


def _latency(found: Sorted) -> dict[str, Any]:
    """The figures of the first result, and those of each."""
    latency: dict[str, Any] = dict.fromkeys(_LATENCY)
    for _, first in found.latency[:1]:
        latency.update(_figures(first, {**_LATENCY, **_LATENCY_MORE}))
    latency["each"] = [latency_of_each(of, result) for of, result in found.latency]
    return latency


def latency_of_each(of: str, result: LatencyResult) -> dict[str, Any]:
    """The figures of one result, and in `runs` those of each run, so that a report is judged as its results are."""
    each = _figures(result, {**_LATENCY, **_LATENCY_MORE})
    gaps = [gap for sample in result.samples for gap in sample.itl_ms]
    each["itl_ms"] = _number(figures.mean(gaps))
    each["itl_ms_ci95"] = figures.interval(gaps)
    for name, q in (("itl_ms_p50", 0.5), ("itl_ms_p95", 0.95), ("itl_ms_p99", 0.99)):
        each[f"{name}_ci95"] = figures.quantile_interval(gaps, q)
    runs = {name: figures.finite(getattr(one, ours) for one in result.samples) for name, ours in RUNS.items()}
    return {**each, "runs": runs, "of": of}


def memory_of_each(of: str, result: MemoryResult) -> dict[str, Any]:
    """The figures of one result."""
    return {**result.summary(), "of": of}


def throughput_of_each(of: str, result: ThroughputResult) -> dict[str, Any]:
    """The figures of one result; in `runs` the rates of each batch, where it is of batches. Requests may be many thousands: of
    them there are means."""
    each = {"mode": result.mode, "n_parallel": result.n_parallel, "n_requests": result.n_requests}
    rates = list(result.batch_tokens_per_second)
    runs: dict[str, list[float]] = {}
    if result.mode == "batch":
        runs["total_tokens_per_second"] = rates
        # Each request of a batch is answered with so many tokens.
        runs["requests_per_second"] = [rate / result.tokens_per_request for rate in rates]
    return {**each, **_figures(result, _THROUGHPUT), "runs": runs, "of": of}


def _memory(found: Sorted) -> dict[str, Any]:
    """The figures of the first load and of the first inference; the peak is the higher one's."""
    memory: dict[str, Any] = {"model_load_gb": None, "inference_delta_gb": None, "peak_gb": None}
    peaks = []
    for _, load in found.load[:1]:
        memory.update(_figures(load, _LOAD))
        peaks.append(_number(load.peak_memory_gb))
    for _, inference in found.inference[:1]:
        memory.update(_figures(inference, _INFERENCE))
        peaks.append(_number(inference.peak_memory_gb))
    memory["peak_gb"] = max((peak for peak in peaks if peak is not None), default=None)
    if found.memory():
        memory["each"] = [memory_of_each(of, result) for of, result in found.memory()]
    return memory


def _throughput(found: Sorted) -> dict[str, Any]:
    throughput: dict[str, Any] = {"single_request_tps": None}
    for _, result in found.throughput:
        values, n = _figures(result, _THROUGHPUT), result.n_parallel
        if result.mode == "batch":
            new = {f"batch_{n}_tps": values["total_tokens_per_second"]}
        elif result.mode == "single" or n == 1:
            new = {
                "single_request_tps": values["total_tokens_per_second"],
                "single_request_rps": values["requests_per_second"],
            }
        else:
            new = {
                f"concurrent_{n}_rps": values["requests_per_second"],
                f"concurrent_{n}_tps": values["total_tokens_per_second"],
                f"concurrent_{n}_avg_latency_ms": values["avg_latency_ms"],
                f"concurrent_{n}_p99_latency_ms": values["p99_latency_ms"],
            }
        # The first of a kind is the report's, as for latency.
        for name, value in new.items():
            if throughput.get(name) is None:
                throughput[name] = value
    if found.throughput:
        throughput["each"] = [throughput_of_each(of, result) for of, result in found.throughput]
    return throughput


def _absent(found: Sorted) -> list[str]:
    parts = {
        "latency": found.latency,
        "memory.load": found.load,
        "memory.inference": found.inference,
        "throughput": found.throughput,
    }
    return [part for part, results in parts.items() if not results]


def _notes(found: Sorted) -> list[str]:
    notes = [note for _, result in found.memory() for note in result.notes]
    for model in found.models():
        if str(model.get("model", "")).startswith("synth:"):
            notes.append(f"{model['model']}: random weights of that shape: the same work, and answers that mean nothing")
    return list(dict.fromkeys(notes))


def _settings(found: Sorted) -> list[dict[str, Any]]:
    """Values that the measurements were made with, as the suite's reports list theirs."""
    values: dict[str, Any] = {}
    for _, latency in found.latency[:1]:
        values["latency.warmup_runs"] = latency.warmup_runs
        values["latency.output_length"] = latency.output_length
        values["latency.n_prompts"] = latency.n_prompts
    for _, inference in found.inference[:1]:
        values["memory.output_length"] = inference.output_length
    for _, throughput in found.throughput[:1]:
        values["throughput.tokens_per_request"] = throughput.tokens_per_request
    return [{"key": key, "value": value, "from": "argument"} for key, value in values.items()]


def _plain(model: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in model.items()}
