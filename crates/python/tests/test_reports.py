"""Reports have the suite's names and no NaN; targets are judged by whole intervals."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from pacemark import Engine, RequestSample
from pacemark.benchmark import (
    BenchmarkReporter,
    InferenceMemoryResult,
    LatencyBenchmark,
    LatencyResult,
    ModelLoadResult,
    ThroughputBenchmark,
    ThroughputResult,
    validate_targets,
)
from pacemark.benchmark.reporter import plain_name

from conftest import REPOSITORY

NAN = math.nan
MODEL = {"model": "m", "n_ctx": 8}
SUITE = REPOSITORY / "crates/cli/src/commands/suite/report.rs"


def latency(engine: Engine, ttft_ms: float = 100.0, n: int = 6, spread: float = 0.0) -> LatencyResult:
    def sample(i: int) -> RequestSample:
        first = ttft_ms + spread * (i - (n - 1) / 2)
        times = tuple(first + 50.0 * j for j in range(5))
        return RequestSample(8, 0, 5, "length", 0.5 * i, first, times[-1], times, 64, 0)

    return LatencyBenchmark(1, n)._result(engine, [sample(i) for i in range(n)], 5)


def load(gb: float = 1.0) -> ModelLoadResult:
    return ModelLoadResult(gb, gb * 1.1, 2.0, 0.9, "m", None, MODEL)


def inference(peak: float = 1.5) -> InferenceMemoryResult:
    return InferenceMemoryResult(0.25, peak, 0.125, 1.0, 5, MODEL, ())


def throughput(engine: Engine, mode: str, n: int) -> ThroughputResult:
    bench = ThroughputBenchmark(1, 5)
    samples = latency(engine).samples
    if mode == "batch":
        return bench._batches(engine, n, [list(samples)] * 5, [])
    return bench._looped(engine, mode, n, list(samples))


def read(path: str) -> Any:
    text = Path(path).read_text()
    assert "NaN" not in text and "Infinity" not in text
    return json.loads(text)


def test_the_names_are_the_suites(tiny: Engine, tmp_path: Path) -> None:
    """Read from its source, so that neither can change alone."""
    source = SUITE.read_text()
    top = re.findall(r'report\.insert\("(\w+)"', source)
    system = re.search(r"fn system_info.*?json!\(\{(.*?)\}\)", source, re.DOTALL)
    assert top and system
    report = read(
        BenchmarkReporter(tmp_path).generate_json_report(
            model_name="m",
            latency_results=latency(tiny),
            memory_results=[load(), inference()],
            throughput_results=[throughput(tiny, "single", 1), throughput(tiny, "concurrent", 4), throughput(tiny, "batch", 8)],
        )
    )
    assert [key for key in report if key != "model_info"] == top
    assert list(report["system_info"]) == re.findall(r'"(\w+)":', system[1])
    nulls = re.findall(r"nulls\(&\[(.*?)\]\)", source)
    for part, names in zip(("latency", "memory", "throughput"), nulls, strict=True):
        assert set(re.findall(r"\w+", names)) <= set(report[part])
    for key in re.findall(r'put\(format!\("(\w+_\{n\}_\w+)"\)', source):
        n = 8 if key.startswith("batch") else 4
        assert report["throughput"][key.replace("{n}", str(n))] is not None or "p99" in key
    assert report["latency"]["ttft_ms"] == 100.0 and report["latency"]["ttft_ms_ci95"] == [100.0, 100.0]
    assert report["latency"]["n_runs"] == 6 and report["latency"]["each"][0]["of"]
    memory = report["memory"]
    assert (memory["model_load_gb"], memory["inference_delta_gb"], memory["peak_gb"]) == (1.0, 0.25, 1.5)
    assert report["throughput"]["single_request_tps"] == pytest.approx(30 / 2.8)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["timestamp"])
    assert report["not_measured"] == {} and report["system_info"]["python_version"]
    assert set(report["settings"][0]) == {"key", "value", "from"}


def test_what_was_not_measured_is_null(tiny: Engine, tmp_path: Path) -> None:
    report = read(BenchmarkReporter(tmp_path).generate_json_report("m"))
    assert report["latency"]["ttft_ms"] is None and report["throughput"] == {"single_request_tps": None}
    assert set(report["not_measured"]) == {"latency", "memory.load", "memory.inference", "throughput"}
    lost = dataclasses.replace(load(), memory_gb=NAN, peak_memory_gb=NAN, notes=("why",))
    report = read(BenchmarkReporter(tmp_path).generate_json_report("m", memory_results=lost))
    assert report["memory"]["model_load_gb"] is None and report["memory"]["peak_gb"] is None and report["notes"] == ["why"]
    bare = BenchmarkReporter(tmp_path, include_system_info=False, include_model_info=False)
    assert not {"system_info", "model_info"} & set(read(bare.generate_json_report("m")))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    reporter = BenchmarkReporter(tmp_path / "a" / "b")
    paths = {reporter.generate_json_report("m") for _ in range(5)}
    assert len(paths) == 5 and all(Path(path).is_file() for path in paths)
    for name in ("../../etc/passwd", "a/b\\c:d", "长城", "", "x" * 400, "-rf", "new\nline"):
        path = Path(BenchmarkReporter(tmp_path).generate_json_report(name))
        assert path.parent == tmp_path and json.loads(path.read_text())["model_name"] == name
        assert re.fullmatch(r"[\w.-]+", plain_name(name), re.ASCII)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        BenchmarkReporter(tmp_path / "file").generate_json_report("m")


def lines(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_line_for_each_set(tiny: Engine, tmp_path: Path) -> None:
    reporter = BenchmarkReporter(tmp_path)
    several = [latency(tiny, 100.0 + i) for i in range(5)]
    found = lines(reporter.generate_csv_report("a,b", several))
    assert [float(line["latency.ttft_ms"]) for line in found] == [100.0, 101.0, 102.0, 103.0, 104.0]
    assert found[0]["model_name"] == "a,b" and "latency.each" not in found[0]
    mixed = {"latency": latency(tiny), "memory": [load(), inference()], "many": throughput(tiny, "concurrent", 4)}
    found = lines(reporter.generate_csv_report("m", mixed))
    assert len(found) == 1 and found[0]["memory.model_load_gb"] == "1.0" and found[0]["throughput.concurrent_4_rps"]
    assert found[0]["throughput.concurrent_4_p99_latency_ms"] == ""
    report = read(reporter.generate_json_report("m", latency(tiny)))
    assert lines(reporter.generate_csv_report("m", report))[0]["latency.ttft_ms"] == "100.0"
    assert len(lines(reporter.generate_csv_report("m", None))) == 1


def test_targets_are_judged_by_the_whole_interval(tiny: Engine) -> None:
    certain, wide, few = latency(tiny), latency(tiny, spread=20.0), latency(tiny, n=3)

    def verdicts(results: object, targets: dict[str, Any], **more: Any) -> dict[str, str]:
        found = validate_targets("m", results, targets, **more)
        assert found.passed == (not found.failures) and found.model_name == "m"
        return {failure.metric: failure.verdict for failure in found.failures}

    assert verdicts(certain, {"min_tokens_per_second": 5, "max_ttft_ms": 200}) == {}
    assert verdicts(certain, {"min_tokens_per_second": 25, "max_ttft_ms": 50}) == {
        "tokens_per_second": "missed",
        "ttft_ms": "missed",
    }
    assert verdicts(wide, {"max_ttft_ms": 101}) == {"ttft_ms": "undecided"}
    assert verdicts(wide, {"max_ttft_ms": 101}, allow_undecided=True) == {}
    assert verdicts(few, {"max_ttft_ms": 10_000}) == {"ttft_ms": "undecided"}, "three runs decide nothing"
    assert verdicts(certain, {"max_memory_gb": 2}) == {"memory_gb": "not_measured"}
    assert verdicts(certain, {"max_memory_gb": 2}, allow_undecided=True) == {"memory_gb": "not_measured"}
    assert verdicts(None, {"max_ttft_ms": 1}) == {"ttft_ms": "not_measured"}
    assert verdicts([certain, load(), inference(1.5)], {"max_memory_gb": 2}) == {}
    assert verdicts([load(), inference(2.5)], {"max_memory_gb": 2}) == {"memory_gb": "missed"}
    assert verdicts(certain, {"ttft_ms": {"min": 90, "max": 110}}) == {}
    assert verdicts(certain, {"ttft_ms": {"min": 110, "max": 200}}) == {"ttft_ms": "missed"}
    assert verdicts(wide, {"max_ttft_ms.max": 120, "min_ttft_ms_min": 60}) == {"ttft_ms.max": "missed", "ttft_ms_min": "missed"}
    assert verdicts(certain, {"max_ttft_ms.p99": 200}) == {"ttft_ms.p99": "undecided"}, "six runs have no p99"
    assert verdicts(throughput(tiny, "concurrent", 4), {"min_request_rate": 1, "max_ttft_ms": 200}) == {}


def test_a_failure_tells_all(tiny: Engine) -> None:
    found = validate_targets("m", {"first": latency(tiny), "second": latency(tiny, 300.0)}, {"max_ttft_ms": 200})
    (failure,) = found.failures
    assert (failure.metric, failure.actual, failure.target, failure.bound) == ("ttft_ms", 300.0, 200.0, "max")
    assert failure.of == "second" and "at most 200" in str(failure) and found.n_targets == 1
    absent = validate_targets("m", None, {"max_memory_gb": 2}).failures[0]
    assert absent.actual is None and absent.to_dict()["actual"] is None and "-" in str(absent)


def test_a_report_is_judged_as_its_results(tiny: Engine, tmp_path: Path) -> None:
    targets = {"min_tokens_per_second": 5, "max_ttft_ms": 101, "max_memory_gb": 2}
    for result in (latency(tiny), latency(tiny, spread=20.0), latency(tiny, n=3), latency(tiny, 300.0)):
        memory = [load(), inference()]
        report = read(BenchmarkReporter(tmp_path).generate_json_report("m", result, memory))
        direct, again = validate_targets("m", [result, *memory], targets), validate_targets("m", report, targets)
        assert [f.verdict for f in direct.failures] == [f.verdict for f in again.failures]
    example = {"latency": {"ttft_ms": 45.2, "tokens_per_second": 35.8}, "memory": {"peak_gb": 1.45}}
    assert validate_targets("gpt2", example, targets).passed, "a summary without intervals is judged as it is"
