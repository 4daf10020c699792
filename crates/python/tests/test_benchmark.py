"""Benchmarks: figures by hand, real runs, and interrupts in the middle, after which nothing is lost."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacemark import Engine, EngineClosedError, ModelConfig, ModelManager, RequestSample, _native, to_pandas
from pacemark.benchmark import (
    InferenceMemoryResult,
    LatencyBenchmark,
    LatencyResult,
    MemoryBenchmark,
    ModelLoadResult,
    ThroughputBenchmark,
    ThroughputResult,
)
from pacemark.results import Result

from conftest import SLOW, TINY
from hf_model import llama_directory


def sample(began_s: float = 0.0, first_ms: float = 100.0, gap_ms: float = 50.0, n: int = 5) -> RequestSample:
    times = tuple(first_ms + gap_ms * i for i in range(n))
    return RequestSample(8, 0, n, "length", began_s, first_ms, times[-1], times, 4096)


def test_figures_by_hand(tiny: Engine) -> None:
    """The same figures as the suite's own test has: 100 ms, then 4 gaps of 50 ms."""
    one = sample()
    assert (one.tpot_ms, one.tokens_per_second, one.prefill_tokens_per_second) == (50.0, 20.0, 80.0)
    assert one.itl_ms == (50.0,) * 4 and one.decode_ms == 200.0
    result = LatencyBenchmark(0, 6)._result(tiny, [one] * 6, 5)
    assert (result.ttft_ms, result.tokens_per_second, result.e2e_latency_ms) == (100.0, 20.0, 300.0)
    assert result.ttft_ms_ci95 == pytest.approx((100.0, 100.0))
    assert LatencyBenchmark(0, 4)._result(tiny, [one] * 4, 5).ttft_ms_ci95 is None, "four values are too few"
    single = sample(n=1)
    assert math.isnan(single.tpot_ms) and math.isnan(single.tokens_per_second)


def test_rates_are_over_all_the_time(tiny: Engine) -> None:
    bench = ThroughputBenchmark(1, 5)
    samples = [sample(began_s=0.0), sample(began_s=0.3), sample(began_s=0.7)]
    result = bench._looped(tiny, "concurrent", 2, samples)
    assert result.seconds == pytest.approx(1.0)
    assert result.requests_per_second == pytest.approx(3.0) and result.total_tokens_per_second == pytest.approx(15.0)
    assert result.avg_latency_ms == pytest.approx(300.0) and result.p99_latency_ms is None
    assert result.num_concurrent == 2 and result.batch_size is None
    # Three sequences that end after 0.3 s: 15 tokens in 0.3 s, as the suite counts a batch.
    batch = bench._batches(tiny, 3, [[sample()] * 3] * 5, [])
    assert batch.total_tokens_per_second == pytest.approx(50.0) and batch.batch_size == 3
    assert batch.requests_per_second == pytest.approx(10.0)
    many = bench._looped(tiny, "single", 1, [sample(began_s=0.3 * i) for i in range(299)])
    assert many.p99_latency_ms == pytest.approx(300.0)


def test_latency_of_prompts(tiny: Engine) -> None:
    result = LatencyBenchmark(warmup_runs=1, test_runs=3).run(tiny, ["abc", "abcdef"], output_length=10)
    assert isinstance(result, LatencyResult)
    assert (result.n_runs, result.n_prompts, result.warmup_runs, result.output_length) == (6, 2, 1, 10)
    assert [one.prompt for one in result.samples] == [0, 0, 0, 1, 1, 1]
    assert all(one.output_tokens == len(one.token_ms) == 10 for one in result.samples)
    assert all(one.cached_tokens == 0 for one in result.samples), "no run helps another"
    assert 0 < result.ttft_ms < result.e2e_latency_ms and result.tokens_per_second > 0
    assert result.ttft_ms == pytest.approx(sum(one.ttft_ms for one in result.samples) / 6)
    assert result.ttft_ms_ci95 is not None and result.ttft_ms_ci95[0] <= result.ttft_ms <= result.ttft_ms_ci95[1]
    alone = LatencyBenchmark(0, 1).run(tiny, ["abc"], output_length=1)
    assert math.isnan(alone.tokens_per_second) and alone.to_dict()["tokens_per_second"] is None


def test_throughput_of_requests(tiny: Engine) -> None:
    bench = ThroughputBenchmark(duration_seconds=0.3, tokens_per_request=10)
    single = bench.measure_single_request(tiny, ["abc", "abcd"])
    concurrent = bench.measure_concurrent(tiny, ["abc"], num_concurrent=4)
    batch = bench.measure_batch(tiny, ["abc", "abcdef", "a"], batch_size=8)
    assert [result.mode for result in (single, concurrent, batch)] == ["single", "concurrent", "batch"]
    for result in (single, concurrent, batch):
        assert isinstance(result, ThroughputResult)
        assert result.n_requests == len(result.samples) > 0
        assert result.output_tokens == 10 * result.n_requests
        assert result.requests_per_second > 0 and result.total_tokens_per_second > 0 and result.avg_latency_ms > 0
    assert batch.n_requests % 8 == 0 and len(batch.batch_tokens_per_second) * 8 == batch.n_requests
    assert {one.prompt_tokens for one in batch.samples} == {1, 3, 6}
    # Never more at a time than were asked for.
    for result, most in ((single, 1), (concurrent, 4)):
        for one in result.samples:
            others = [o for o in result.samples if o.began_s <= one.began_s < o.began_s + o.e2e_ms / 1e3 - 1e-4]
            assert len(others) <= most


def test_memory_of_a_model() -> None:
    big = TINY.replace('"n_embd": 64', '"n_embd": 1024').replace('"n_ff": 128', '"n_ff": 8192').replace(
        '"head_dim": 32', '"head_dim": 512'
    )
    bench = MemoryBenchmark()
    manager = ModelManager()
    load = bench.measure_model_load(manager, ModelConfig(big))
    assert isinstance(load, ModelLoadResult)
    assert load.model_gb > 0.03 and load.memory_gb > load.model_gb * 0.8 and load.peak_memory_gb >= load.memory_gb
    assert load.load_seconds > 0 and load.notes == ()
    with manager.load(ModelConfig(big)) as engine:
        inference = bench.measure_inference(engine, "Hello", 100)
        assert isinstance(inference, InferenceMemoryResult)
        assert 0 <= inference.memory_delta_gb < inference.peak_memory_gb
        assert inference.peak_memory_gb == pytest.approx(inference.memory_before_gb + inference.memory_delta_gb)
        assert inference.kv_cache_gb > 0
        without = MemoryBenchmark(measure_peak=False, gc_before_measure=False).measure_inference(engine, "Hello", 4)
        assert math.isnan(without.peak_memory_gb) and math.isfinite(without.memory_delta_gb)
    assert math.isnan(MemoryBenchmark(measure_peak=False).measure_model_load(manager, ModelConfig(TINY)).peak_memory_gb)


def test_what_the_system_does_not_tell_is_said(tiny: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native, "peak_memory", lambda reset: None if reset else 1 << 40)
    bench = MemoryBenchmark()
    for result in (
        bench.measure_inference(tiny, "Hello", 2),
        bench.measure_model_load(ModelManager(), ModelConfig(TINY)),
    ):
        assert math.isnan(result.peak_memory_gb) and "peak" in result.notes[0], "one of before is not the peak"
    monkeypatch.setattr(_native, "memory_now", lambda: None)
    load = bench.measure_model_load(ModelManager(), ModelConfig(TINY))
    assert math.isnan(load.memory_gb) and load.to_dict()["memory_gb"] is None and load.notes


def test_a_manager_may_be_anything_that_loads() -> None:
    class Own:
        def __init__(self) -> None:
            self.engine: Engine | None = None

        def load(self, config: ModelConfig, /) -> Engine:
            self.engine = Engine(config.model_name)
            return self.engine

    own = Own()
    result = MemoryBenchmark().measure_model_load(own, ModelConfig(TINY))
    assert result.model_name == TINY and own.engine is not None and own.engine.is_closed


def test_models_by_name_and_quantization() -> None:
    with pytest.warns(UserWarning, match="random weights"):
        assert ModelConfig("gpt2").source() == ("synth:gpt2:F16", None)
    with pytest.warns(UserWarning):
        assert ModelConfig("gpt2-medium", "4bit").source() == ("synth:gpt2-medium:Q4_K_M", None)
    assert ModelConfig("synth:gpt2", "8bit").source() == ("synth:gpt2:Q8_0", None)
    assert ModelConfig("synth:gpt2:Q8_0", "8bit").source() == ("synth:gpt2:Q8_0", None)
    assert ModelConfig("a.gguf").source() == ("a.gguf", None)
    assert ModelConfig(os.path.dirname(__file__), "8bit").source() == (os.path.dirname(__file__), "Q8_0")
    with ModelManager() as manager:
        first, second = manager.load(TINY), manager.load(ModelConfig(TINY))
        manager.unload(first)
        assert first.is_closed and not second.is_closed
    assert second.is_closed


def test_a_directory_is_quantized_on_loading(tmp_path: Path) -> None:
    folder = llama_directory(tmp_path)
    as_it_is = MemoryBenchmark().measure_model_load(ModelManager(), ModelConfig(folder))
    in_8_bits = MemoryBenchmark().measure_model_load(ModelManager(), ModelConfig(folder, quantization="8bit"))
    assert "F32" in as_it_is.model["model_type"] and "Q8_0" in in_8_bits.model["model_type"]
    assert in_8_bits.model_gb < as_it_is.model_gb / 3
    with ModelManager() as manager:
        assert manager.load(ModelConfig(folder, "8bit")).generate("abc", max_tokens=2, ignore_eos=True).output_tokens == 2
    with pytest.raises(ValueError, match="weights: expected .*Q8_0.* found"):
        Engine(folder, weights="Q9")


def interrupted(work: Callable[[], Any], after: float) -> KeyboardInterrupt:
    """What comes of a Ctrl-C after so many seconds."""
    timer = threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            work()
    finally:
        timer.cancel()
        timer.join()
    return caught.value


def test_an_interrupt_keeps_what_was_measured(slow: Engine) -> None:
    bench = LatencyBenchmark(warmup_runs=0, test_runs=100_000)
    partial = getattr(interrupted(lambda: bench.run(slow, ["abc"], 2), 1.5), "partial")
    assert isinstance(partial, LatencyResult) and partial.n_runs == len(partial.samples) > 0
    assert partial.ttft_ms > 0
    loads: list[Callable[[ThroughputBenchmark], Any]] = [
        lambda b: b.measure_single_request(slow, ["abc"]),
        lambda b: b.measure_concurrent(slow, ["abc"], 4),
        lambda b: b.measure_batch(slow, ["abc"], 4),
    ]
    for load in loads:
        throughput = ThroughputBenchmark(duration_seconds=60, tokens_per_request=2)
        partial = getattr(interrupted(lambda load=load: load(throughput), 1.5), "partial")  # type: ignore[misc]
        assert isinstance(partial, ThroughputResult) and partial.n_requests > 0
        assert partial.requests_per_second > 0
    assert slow.generate("abc", max_tokens=2, ignore_eos=True).output_tokens == 2


class Alarm(Exception):
    """What a program's own handler of a signal raises."""


Benchmark = Callable[[Engine], Any]

LONG: list[tuple[Benchmark, type[Result] | None]] = [
    (lambda e: LatencyBenchmark(0, 100_000).run(e, ["abc"], 2), LatencyResult),
    (lambda e: LatencyBenchmark(0, 10).run(e, ["abc"] * 10_000, 2), LatencyResult),
    (lambda e: LatencyBenchmark(100_000, 1).run(e, ["abc"], 2), None),
    (lambda e: MemoryBenchmark().measure_inference(e, "abc", 4000), None),
    (lambda e: ThroughputBenchmark(60, 2).measure_single_request(e, ["abc"]), ThroughputResult),
    (lambda e: ThroughputBenchmark(60, 2).measure_concurrent(e, ["abc"], 4), ThroughputResult),
    (lambda e: ThroughputBenchmark(60, 2).measure_batch(e, ["abc"], 4), ThroughputResult),
]


def with_partial(error: BaseException, kind: type[Result] | None) -> None:
    partial = getattr(error, "partial")
    if kind is None:
        assert partial is None
    else:
        assert isinstance(partial, kind) and len(getattr(partial, "samples")) > 0


@pytest.mark.parametrize("row", range(len(LONG)))
def test_closing_keeps_what_was_measured(row: int) -> None:
    work, kind = LONG[row]
    engine = Engine(SLOW)
    timer = threading.Timer(1.0, engine.close)
    timer.start()
    with pytest.raises(EngineClosedError) as caught:
        work(engine)
    timer.join()
    with_partial(caught.value, kind)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarms")
@pytest.mark.parametrize("row", range(len(LONG)))
def test_any_exception_keeps_what_was_measured(slow: Engine, row: int) -> None:
    def ring(*_: object) -> None:
        raise Alarm

    work, kind = LONG[row]
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(Alarm) as caught:
            work(slow)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with_partial(caught.value, kind)


def test_an_interrupt_is_seen_between_short_requests(tiny: Engine) -> None:
    """Requests that end faster than anybody looks must not hide it: then it would be seen after all of them, with nothing."""
    throughput = ThroughputBenchmark(duration_seconds=30, tokens_per_request=1)
    partial = getattr(interrupted(lambda: throughput.measure_single_request(tiny, ["a"]), 0.5), "partial")
    assert isinstance(partial, ThroughputResult) and partial.n_requests > 0


def test_an_interrupt_before_anything_ended_has_nothing(slow: Engine) -> None:
    bench = LatencyBenchmark(warmup_runs=0, test_runs=1)
    assert getattr(interrupted(lambda: bench.run(slow, ["abc"], 4000), 0.5), "partial") is None
    warming = LatencyBenchmark(warmup_runs=100_000, test_runs=1)
    assert getattr(interrupted(lambda: warming.run(slow, ["abc"], 2), 1.0), "partial") is None
    memory = MemoryBenchmark()
    assert getattr(interrupted(lambda: memory.measure_inference(slow, "abc", 4000), 0.5), "partial") is None


def test_an_interrupt_ends_an_answer(slow: Engine) -> None:
    interrupted(lambda: slow.generate("abc", max_tokens=4000, ignore_eos=True), 0.5)
    interrupted(lambda: list(slow.generate("abc", max_tokens=4000, ignore_eos=True, stream=True)), 0.5)
    assert slow.generate("abc", max_tokens=2, ignore_eos=True).output_tokens == 2


def test_results_are_tables(tiny: Engine) -> None:
    pandas = pytest.importorskip("pandas")
    bench = LatencyBenchmark(0, 3)
    results: dict[str, Result] = {f"{n} tokens": bench.run(tiny, ["abc"], n) for n in (2, 4)}
    one = results["4 tokens"].to_pandas()
    assert isinstance(one, pandas.DataFrame) and len(one) == 3
    assert {"ttft_ms", "e2e_ms", "tokens_per_second", "output_tokens"} <= set(one.columns)
    table = to_pandas(results)
    assert list(table.index) == ["2 tokens", "4 tokens"] and list(table["output_length"]) == [2, 4]
    assert len(to_pandas(results.values())) == 2
    assert len(tiny.generate("abc", max_tokens=2).to_pandas()) == 1
    assert list(tiny.score("abc").to_pandas().columns) == ["token", "logprob"]
