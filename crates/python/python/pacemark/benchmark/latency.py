"""Latency: one request at a time, its time to the first token, its rate after that, and its whole time."""

from __future__ import annotations

from collections.abc import Sequence

from pacemark import _arguments as check
from pacemark.benchmark import _figures as figures
from pacemark.engine import Engine, measured
from pacemark.results import LatencyResult, RequestSample


class LatencyBenchmark:
    """For each prompt `warmup_runs` that are not counted, then `test_runs` that are."""

    def __init__(self, warmup_runs: int = 3, test_runs: int = 10) -> None:
        self.warmup_runs = check.integer("warmup_runs", warmup_runs, 0)
        self.test_runs = check.integer("test_runs", test_runs, 1)

    def run(self, engine: Engine, prompts: Sequence[str], output_length: int = 100) -> LatencyResult:
        """Answers each prompt with exactly `output_length` tokens, the likeliest, beyond the model's own end; nothing of an
        earlier run is found again in a cache. The `partial` of whatever ends it is the result of the runs that had ended.
        """
        measured(engine)
        n_tokens = check.integer("output_length", output_length, 1)
        samples: list[RequestSample] = []
        with figures.keeping(lambda: self._result(engine, samples, n_tokens) if samples else None):
            tokens = figures.prompts(engine, prompts, n_tokens)
            for i, prompt in enumerate(tokens):
                if self.warmup_runs > 0:
                    engine._native.timed([prompt], max_tokens=n_tokens, n_requests=self.warmup_runs)
                try:
                    found = engine._native.timed([prompt], max_tokens=n_tokens, n_requests=self.test_runs)
                except BaseException as error:
                    samples += figures.partial(error, i)
                    raise
                samples += [RequestSample.of(sample, i) for sample in found]
            return self._result(engine, samples, n_tokens)

    def _result(self, engine: Engine, samples: list[RequestSample], n_tokens: int) -> LatencyResult:
        ttft = figures.finite(sample.ttft_ms for sample in samples)
        rates = figures.finite(sample.tokens_per_second for sample in samples)
        e2e = figures.finite(sample.e2e_ms for sample in samples)
        tpot = figures.finite(sample.tpot_ms for sample in samples)
        prefill = figures.finite(sample.prefill_tokens_per_second for sample in samples)
        gaps = [gap for sample in samples for gap in sample.itl_ms]
        return LatencyResult(
            ttft_ms=figures.mean(ttft),
            tokens_per_second=figures.mean(rates),
            e2e_latency_ms=figures.mean(e2e),
            tpot_ms=figures.mean(tpot),
            prefill_tokens_per_second=figures.mean(prefill),
            ttft_ms_ci95=figures.interval(ttft),
            tokens_per_second_ci95=figures.interval(rates),
            e2e_latency_ms_ci95=figures.interval(e2e),
            tpot_ms_ci95=figures.interval(tpot),
            prefill_tokens_per_second_ci95=figures.interval(prefill),
            itl_ms_p50=figures.quantile(gaps, 0.5),
            itl_ms_p95=figures.quantile(gaps, 0.95),
            itl_ms_p99=figures.quantile(gaps, 0.99),
            n_runs=len(samples),
            n_prompts=len({sample.prompt for sample in samples}),
            warmup_runs=self.warmup_runs,
            output_length=n_tokens,
            model=engine.info if not engine.is_closed else {"model": engine.model},
            samples=tuple(samples),
        )


__all__ = ["LatencyBenchmark", "LatencyResult"]
