"""The layout of a report: the names of `pacemark suite`'s, null where nothing was measured."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark._sorted import Sorted
from pacemark.results import Result


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
    values = result.to_dict()
    found: dict[str, Any] = {}
    for name, ours in names.items():
        found[name] = values[ours]
        if values.get(f"{ours}_ci95") is not None:
            found[f"{name}_ci95"] = values[f"{ours}_ci95"]
    return found


_LATENCY = {name: name for name in ("ttft_ms", "tokens_per_second", "e2e_latency_ms")}
_LATENCY_MORE = {
    name: name
    for name in ("tpot_ms", "prefill_tokens_per_second", "itl_ms_p50", "itl_ms_p95", "itl_ms_p99", "n_runs")
}
_LOAD = {"model_load_gb": "memory_gb", "load_seconds": "load_seconds"}
_INFERENCE = {"inference_delta_gb": "memory_delta_gb", "kv_cache_gb": "kv_cache_gb"}


def _latency(found: Sorted) -> dict[str, Any]:
    """The figures of the first result, and those of each."""
    latency: dict[str, Any] = dict.fromkeys(_LATENCY)
    each = []
    for of, result in found.latency:
        figures = _figures(result, {**_LATENCY, **_LATENCY_MORE})
        each.append({**figures, "of": of})
    if each:
        latency.update({name: value for name, value in each[0].items() if name != "of"})
    latency["each"] = each
    return latency


def _memory(found: Sorted) -> dict[str, Any]:
    """The figures of the first load and of the first inference; the peak is the higher one's."""
    memory: dict[str, Any] = {"model_load_gb": None, "inference_delta_gb": None, "peak_gb": None}
    peaks = []
    for _, load in found.load[:1]:
        memory.update(_figures(load, _LOAD))
        peaks.append(load.to_dict()["peak_memory_gb"])
    for _, inference in found.inference[:1]:
        memory.update(_figures(inference, _INFERENCE))
        peaks.append(inference.to_dict()["peak_memory_gb"])
    memory["peak_gb"] = max((peak for peak in peaks if peak is not None), default=None)
    if max(len(found.load), len(found.inference)) > 1:
        memory["each"] = [{**result.summary(), "of": of} for of, result in found.memory()]
    return memory


def _throughput(found: Sorted) -> dict[str, Any]:
    throughput: dict[str, Any] = {"single_request_tps": None}
    for _, result in found.throughput:
        values, n = result.to_dict(), result.n_parallel
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
