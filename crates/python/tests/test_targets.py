"""Targets: every figure by its name, a report judged as its results are, and what decides nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pacemark import Engine
from pacemark.benchmark import BenchmarkReporter, LatencyBenchmark, ThroughputBenchmark, ThroughputResult, validate_targets
from pacemark.benchmark._measures import _NATIVE, _OWN
from pacemark.results import Result

from test_reports import inference, latency, load, throughput

NAMES = [*_NATIVE, *_OWN, "memory_gb", "e2e_latency_ms", "output_tps"]
OF_REQUESTS = ["ttft_ms", "tokens_per_second", "e2e_ms", "tpot_ms", "prefill_tps"]
STATISTICS = ["mean", "sd", "min", "max", "p50", "p95", "p99"]
ITL = ["itl_ms_mean", "itl_ms_p50", "itl_ms_p95", "itl_ms_p99"]


def batches(engine: Engine, n_batches: int) -> ThroughputResult:
    return ThroughputBenchmark(1, 5)._batches(engine, 6, [list(latency(engine).samples)] * n_batches, [])


def verdicts(results: object, targets: dict[str, Any], **more: Any) -> dict[str, str]:
    return {one.metric: one.verdict for one in validate_targets("m", results, targets, **more).failures}


def judged(results: object, name: str, target: float) -> list[tuple[str, float | None, str]]:
    """All failures of a figure at a target, from either side."""
    targets = {f"min_{name}": target, f"max_{name}": target}
    return [(one.bound, one.actual, one.verdict) for one in validate_targets("m", results, targets).failures]


def read_back(folder: Path, results: list[Result]) -> Any:
    kinds: dict[str, list[Result]] = {"Latency": [], "Memory": [], "Throughput": []}
    for result in results:
        kind = type(result).__name__.removesuffix("Result")
        kinds[kind if kind in kinds else "Memory"].append(result)
    path = BenchmarkReporter(folder).generate_json_report("m", kinds["Latency"], kinds["Memory"], kinds["Throughput"])
    return json.loads(Path(path).read_text())


def test_a_report_of_several_is_judged_by_all_of_them(tiny: Engine, tmp_path: Path) -> None:
    results: list[Result] = [latency(tiny), latency(tiny, 300.0), load(), load(3.0)]
    report = read_back(tmp_path, results)
    for targets in ({"max_ttft_ms": 200}, {"max_memory_gb": 2}):
        direct = [(one.actual, one.of) for one in validate_targets("m", results, targets).failures]
        again = [(one.actual, one.of) for one in validate_targets("m", report, targets).failures]
        assert direct == again and len(direct) == 1


def test_a_report_is_judged_as_its_results_for_every_figure(tiny: Engine, tmp_path: Path) -> None:
    every: list[list[Result]] = [
        [latency(tiny), latency(tiny, 300.0, spread=20.0), load(), inference()],
        [latency(tiny, n=3), throughput(tiny, "single", 1), throughput(tiny, "concurrent", 4), batches(tiny, 5)],
        [LatencyBenchmark(0, 6).run(tiny, ["abc", "abcd"], 40)],
        [LatencyBenchmark(0, 6).run(tiny, ["abc"], 1)],
        [load(), load(2.0), inference()],
    ]
    names = NAMES + ITL + [f"{name}_{statistic}" for name in OF_REQUESTS for statistic in STATISTICS]
    n_measured = 0
    for results in every:
        report = read_back(tmp_path, results)
        for name in names:
            for target in (0.5, 12.0, 101.0, 1e9):
                direct = judged(results, name, target)
                assert judged(report, name, target) == direct, (name, target)
                n_measured += all(verdict != "not_measured" for _, _, verdict in direct)
    assert n_measured > 300
    alone: list[Result] = [throughput(tiny, "single", 1), batches(tiny, 1), batches(tiny, 6)]
    report = read_back(tmp_path, alone)
    for name in ("request_rate", "output_tps", "avg_latency_ms", "p99_latency_ms", "ttft_ms", "tokens_per_second", "e2e_ms"):
        for target in (1.0, 100.0, 1e9):
            assert judged(report, name, target) == judged(alone, name, target), name
    assert verdicts(report, {"max_ttft_ms_p50": 1e9}) == {"ttft_ms_p50": "not_measured"}, "requests are not in it"


def test_a_report_of_the_suite_has_its_rates() -> None:
    report = {
        "latency": {"ttft_ms": 100.0, "tokens_per_second": 20.0, "each": [{"of": "pp8", "ttft_ms": 300.0}]},
        "memory": {"model_load_gb": 1.0, "inference_delta_gb": None, "peak_gb": 2.0, "load_seconds": 3.0},
        "throughput": {"single_request_tps": 9.0, "concurrent_4_rps": 2.0, "concurrent_4_p99_latency_ms": None, "batch_8_tps": 50.0},
    }
    assert [one.actual for one in validate_targets("m", report, {"max_ttft_ms": 50}).failures] == [300.0, 100.0]
    assert [one.actual for one in validate_targets("m", report, {"min_output_tps": 60}).failures] == [9.0, 50.0]
    met = {"max_load_seconds": 3, "max_memory_gb": 2, "max_model_load_gb": 1, "min_request_rate": 2, "max_peak_gb": 2}
    assert verdicts(report, met) == {}
    absent = {"max_memory_delta_gb": 1, "max_kv_cache_gb": 1, "max_p99_latency_ms": 1}
    assert set(verdicts(report, absent).values()) == {"not_measured"}
    for wrong in ("fast", [1], True):
        with pytest.raises((TypeError, ValueError), match=r"results\['latency'\]\['ttft_ms'\]"):
            validate_targets("m", {"latency": {"ttft_ms": wrong}}, {"max_ttft_ms": 1})


def test_the_packages_own_fields_are_figures(tiny: Engine) -> None:
    many = throughput(tiny, "concurrent", 4)
    results: list[Result] = [latency(tiny), load(), inference(), many]
    fields = {
        "requests_per_second": many.requests_per_second,
        "total_tokens_per_second": many.total_tokens_per_second,
        "avg_latency_ms": 300.0,
        "load_seconds": 2.0,
        "kv_cache_gb": 0.125,
        "memory_delta_gb": 0.25,
        "inference_delta_gb": 0.25,
        "model_load_gb": 1.0,
        "model_gb": 0.9,
        "memory_before_gb": 1.0,
        "prefill_tokens_per_second": 80.0,
    }
    for name, value in fields.items():
        assert verdicts(results, {f"min_{name}": value * 0.99, f"max_{name}": value * 1.01}) == {}, name
        (failure,) = validate_targets("m", results, {f"min_{name}": value * 1.01}).failures
        assert failure.verdict == "missed" and failure.actual == pytest.approx(value), name
    assert verdicts(results, {"max_p99_latency_ms": 1e9}) == {"p99_latency_ms": "undecided"}, "six requests have none"
    assert verdicts(latency(tiny), {"max_avg_latency_ms": 1e9}) == {"avg_latency_ms": "not_measured"}
    for unknown, near in (("requests_per_secnd", "requests_per_second"), ("load_secnds", "load_seconds"), ("ttft_mss", "ttft_ms")):
        with pytest.raises(ValueError, match=f"targets: .*{near}"):
            validate_targets("m", None, {f"max_{unknown}": 1})
    with pytest.raises(ValueError, match="percentiles of at most 100"):
        validate_targets("m", latency(tiny), {"max_avg_latency_ms.p101": 1})


def test_fewer_than_five_batches_decide_nothing(tiny: Engine) -> None:
    targets = {"min_output_tps": 0.001, "min_request_rate": 0.001}
    few = {"output_tps": "undecided", "request_rate": "undecided"}
    for n_batches in (1, 4):
        assert verdicts(batches(tiny, n_batches), targets) == few
        assert verdicts(batches(tiny, n_batches), targets, allow_undecided=True) == {}
    assert verdicts(batches(tiny, 5), targets) == {}
    loop = throughput(tiny, "single", 1)
    one = ThroughputBenchmark(1, 5)._looped(tiny, "single", 1, list(loop.samples[:1]))
    assert verdicts(one, targets) == {}, "a loop's rate is read off once, and judged as it is"
    assert verdicts(one, {"max_avg_latency_ms": 1e9}) == {"avg_latency_ms": "undecided"}, "its request is a run"
    none = dataclasses.replace(batches(tiny, 1), batch_tokens_per_second=(), requests_per_second=float("nan"))
    assert set(verdicts(none, targets).values()) == {"not_measured"}


def test_results_are_found_however_deep(tiny: Engine, tmp_path: Path) -> None:
    for results in (
        {"latency": {"short": [latency(tiny)]}},
        {"latency": {"short": latency(tiny)}, "memory": {"a": {"b": load()}}},
        {"latency": [[latency(tiny)]]},
    ):
        assert verdicts(results, {"max_ttft_ms": 50}) == {"ttft_ms": "missed"}
        text = Path(BenchmarkReporter(tmp_path).generate_csv_report("m", results)).read_text()
        assert "latency.ttft_ms" in text
    named = validate_targets("m", {"latency": {"short": [latency(tiny), latency(tiny)]}}, {"max_ttft_ms": 50})
    assert [one.of for one in named.failures] == ["short[0]", "short[1]"]


def test_nothing_is_written_without_a_column(tmp_path: Path) -> None:
    several: list[dict[str, Any]] = [{"latency": {}}, {"latency": {"each": []}, "memory": {}}]
    for empty in several:
        with pytest.raises(ValueError, match="results: expected something with a figure"):
            BenchmarkReporter(tmp_path).generate_csv_report("m", empty)
    assert list(tmp_path.iterdir()) == []


def test_what_contains_itself_is_refused(tiny: Engine, tmp_path: Path) -> None:
    a_list: list[Any] = [latency(tiny)]
    a_list.append(a_list)
    a_report: dict[str, Any] = {"latency": {}}
    a_report["latency"]["again"] = a_report
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    reporter = BenchmarkReporter(tmp_path)
    for endless, says in ((a_list, "contains itself"), (a_report, "contains itself"), (deep, "within each other")):
        for call in (
            lambda: reporter.generate_csv_report("m", endless),  # noqa: B023
            lambda: reporter.generate_json_report("m", endless),  # noqa: B023
            lambda: validate_targets("m", endless, {"max_ttft_ms": 1}),  # noqa: B023
        ):
            with pytest.raises(ValueError, match=f"results.*{says}"):
                call()
    shared = latency(tiny)
    assert verdicts([[shared], [shared]], {"max_ttft_ms": 200}) == {}, "twice is not within itself"
