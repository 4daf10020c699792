"""Reports: JSON with the names of `pacemark suite`'s, CSV with a line a set of results, and targets.

What was not measured is `null` in JSON and empty in CSV. Files are written whole or not at all, and none is written over.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark._layout import report, system_info
from pacemark.benchmark._sorted import Sorted, sort
from pacemark.benchmark._targets import Failure, Validation, validate

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
        report = self._report(model_name, found)
        text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
        return self._write(model_name, "json", text + "\n")

    def generate_csv_report(self, model_name: str, results: object) -> str:
        """Writes a line for each set of results: results of different kinds share one, and a second of a kind begins the
        next. The columns are the paths of the JSON report. The file's path.
        """
        found = sort("results", results)
        reports: list[Mapping[str, Any]] = [self._report(model_name, line) for line in found.lines()]
        reports += [report for _, report in found.reports]
        if not reports:
            reports = [self._report(model_name, found)]
        lines = [dict(_flat("", report)) for report in reports]
        names = list(dict.fromkeys(name for line in lines for name in line))
        if not names:
            raise check.wrong_value("results", "something with a figure", results)
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        return self._write(model_name, "csv", text.getvalue())

    def _report(self, model_name: str, found: Sorted) -> dict[str, Any]:
        return report(model_name, found, with_system=self.include_system_info, with_model=self.include_model_info)

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


def validate_targets(
    model_name: str,
    results: object,
    targets: Mapping[str, Any],
    allow_undecided: bool = False,
) -> Validation:
    """Holds results to targets such as `{"min_tokens_per_second": 5, "max_ttft_ms": 200}`, as `pacemark check` does.

    A target is met where the whole 95 % interval keeps it, missed where the whole interval misses it, and undecided between,
    or with fewer than five runs: requests, or batches of a batch's rates. What is read off once, as memory and the rates of
    single and concurrent requests are, is judged as it is. What nothing measured answers is a failure too, with `actual` None.
    Undecided ones are failures unless `allow_undecided`. Figures are the command's and the fields of results.
    `results` may be a report that was read back from JSON.
    """
    check.text("model_name", model_name)
    check.truth("allow_undecided", allow_undecided)
    return validate(model_name, sort("results", results), targets, allow_undecided)


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
