"""Reports: JSON with the names of `pacemark suite`'s, CSV with a line a set of results, and targets.

What was not measured is `null` in JSON and empty in CSV. Files are written whole or not at all, and none is written over.
"""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark._sorted import Sorted, sort
from pacemark.benchmark._targets import Failure, Validation, validate
from pacemark.results import Result

# A file's name has at most 255 bytes, and the time and an ending take some.
_LONGEST_NAME = 120


class BenchmarkReporter:
    """Writes reports into `output_dir`, which is made where it is not there."""

    def __init__(
        self,
        output_dir: str | os.PathLike[str] = "data/benchmarks",
        include_system_info: bool = True,
        include_model_info: bool = True,
    ) -> None:
        if not isinstance(output_dir, (str, os.PathLike)):
            raise check.wrong_type("output_dir", "a path", output_dir)
        self.output_dir = check.text("output_dir", os.fspath(output_dir))
        self.include_system_info = check.truth("include_system_info", include_system_info)
        self.include_model_info = check.truth("include_model_info", include_model_info)

    def generate_json_report(
        self,
        model_name: str,
        latency_results: object = None,
        memory_results: object = None,
        throughput_results: object = None,
    ) -> str:
        """Writes what was measured of a model; the file's path. Each argument is one result, a list or a mapping of them."""
        found = sort("latency_results", latency_results, "latency")
        memory = sort("memory_results", memory_results, "memory")
        found.load, found.inference = memory.load, memory.inference
        found.throughput = sort("throughput_results", throughput_results, "throughput").throughput
        report = self.report(model_name, found)
        text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
        return self._write(model_name, "json", text + "\n")

    def generate_csv_report(self, model_name: str, results: object) -> str:
        """Writes a line for each set of results: results of different kinds share one, and a second of a kind begins the
        next. The columns are the paths of the JSON report. The file's path.
        """
        found = sort("results", results)
        reports: list[Mapping[str, Any]] = [self.report(model_name, line) for line in found.lines()]
        reports += [report for _, report in found.reports]
        if not reports:
            reports = [self.report(model_name, found)]
        lines = [dict(_flat("", report)) for report in reports]
        names = list(dict.fromkeys(name for line in lines for name in line))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        return self._write(model_name, "csv", text.getvalue())

    def report(self, model_name: str, found: Sorted) -> dict[str, Any]:
        """The report of results that were sorted."""
        report: dict[str, Any] = {
            "model_name": check.text("model_name", model_name),
            "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if self.include_system_info:
            report["system_info"] = system_info()
        if self.include_model_info:
            models = [_plain(model) for model in found.models()]
            report["model_info"] = models[0] if len(models) == 1 else models or None
        report["latency"] = _latency(found)
        report["memory"] = _memory(found)
        report["throughput"] = _throughput(found)
        report["experiments"] = []
        report["not_measured"] = {part: "not measured" for part in _absent(found)}
        report["notes"] = _notes(found)
        report["settings"] = _settings(found)
        return report

    def _write(self, model_name: str, ending: str, text: str) -> str:
        os.makedirs(self.output_dir, exist_ok=True)
        when = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        stem = os.path.join(self.output_dir, f"benchmark-{plain_name(model_name)}-{when}")
        path, i = f"{stem}.{ending}", 1
        while os.path.lexists(path):
            i += 1
            path = f"{stem}-{i}.{ending}"
        _native.write_file(path, text.encode())
        return path


def plain_name(model_name: str) -> str:
    """A model's name as a file's name may have it."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in model_name)
    return plain[:_LONGEST_NAME] or "model"


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
        "pacemark_commit": known.get("pacemark_commit"),
        "kernel": known.get("kernel"),
        "logical_cpus": known.get("logical_cpus"),
    }
    return info


def validate_targets(
    model_name: str,
    results: object,
    targets: Mapping[str, Any],
    allow_undecided: bool = False,
) -> Validation:
    """Holds results to targets such as `{"min_tokens_per_second": 5, "max_ttft_ms": 200}`, as `pacemark check` does.

    A target is met where the whole 95 % interval keeps it, missed where the whole interval misses it, and undecided between,
    or with fewer than five runs. What nothing measured answers is a failure too, with `actual` None. Undecided ones are
    failures unless `allow_undecided`. `results` may be a report that was read back from JSON.
    """
    check.text("model_name", model_name)
    check.truth("allow_undecided", allow_undecided)
    return validate(model_name, sort("results", results), targets, allow_undecided)


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


def _flat(path: str, value: object) -> Iterable[tuple[str, object]]:
    """Paths and values of all that is no list."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            if name != "settings":
                yield from _flat(f"{path}.{name}" if path else str(name), one)
    elif isinstance(value, (list, tuple)):
        return
    else:
        yield path, _cell(value)


def _cell(value: object) -> object:
    """As JSON has it, but for what is not there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


__all__ = ["BenchmarkReporter", "Failure", "Validation", "plain_name", "system_info", "validate_targets"]
