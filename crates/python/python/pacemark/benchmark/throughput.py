"""Throughput: requests for a while, one after another, several at a time, or a batch after another.

A request that has begun is measured to its end, so a test lasts a little longer than it was asked to.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from pacemark import _arguments as check
from pacemark.benchmark import _figures as figures
from pacemark.engine import Engine, measured
from pacemark.results import NAN, RequestSample, ThroughputResult

QUANTILE = 0.99


class ThroughputBenchmark:
    """New requests begin for `duration_seconds`; each is answered with exactly `tokens_per_request` tokens."""

    def __init__(self, duration_seconds: float = 60, tokens_per_request: int = 100) -> None:
        self.duration_seconds = check.positive("duration_seconds", duration_seconds)
        self.tokens_per_request = check.integer("tokens_per_request", tokens_per_request, 1)

    def measure_single_request(self, engine: Engine, prompts: Sequence[str]) -> ThroughputResult:
        """One request after another. `tokens_per_second` is a request's rate after its first token, and
        `total_tokens_per_second` all tokens over all the time, prompts included."""
        return self._loop(engine, prompts, "single", 1)

    def measure_concurrent(
        self, engine: Engine, prompts: Sequence[str], num_concurrent: int = 4
    ) -> ThroughputResult:
        """So many requests at any time, the next as soon as one ends. Those beyond the engine's `max_num_seqs` wait."""
        n = check.integer("num_concurrent", num_concurrent, 1, check.MOST_AT_ONCE)
        return self._loop(engine, prompts, "concurrent", n)

    def measure_batch(self, engine: Engine, prompts: Sequence[str], batch_size: int = 8) -> ThroughputResult:
        """So many requests that begin together, and the next batch when all have ended: at least one."""
        measured(engine)
        n = check.integer("batch_size", batch_size, 1, check.MOST_AT_ONCE)
        most = int(engine.info["n_seqs"])
        if n > most:
            raise ValueError(f"batch_size: expected at most the engine's max_num_seqs ({most}), found {n}")
        batches: list[list[RequestSample]] = []
        others: list[RequestSample] = []

        def result() -> ThroughputResult | None:
            return self._batches(engine, n, batches, others) if batches or others else None

        with figures.keeping(result):
            tokens = figures.prompts(engine, prompts, self.tokens_per_request)
            end = time.perf_counter() + self.duration_seconds
            while not batches or time.perf_counter() < end:
                first = len(batches) * n
                batch = [tokens[(first + i) % len(tokens)] for i in range(n)]
                try:
                    found = engine._native.timed(batch, max_tokens=self.tokens_per_request, concurrency=n, n_requests=n)
                except BaseException as error:
                    # A batch that was cut off has no rate; requests of it that had ended are kept.
                    others += figures.partial(error)
                    raise
                batches.append([RequestSample.of(sample) for sample in found])
            return self._batches(engine, n, batches, others)

    def _loop(self, engine: Engine, prompts: Sequence[str], mode: str, n: int) -> ThroughputResult:
        measured(engine)
        samples: list[RequestSample] = []
        with figures.keeping(lambda: self._looped(engine, mode, n, samples) if samples else None):
            tokens = figures.prompts(engine, prompts, self.tokens_per_request)
            try:
                found = engine._native.timed(
                    tokens,
                    max_tokens=self.tokens_per_request,
                    concurrency=n,
                    duration_seconds=self.duration_seconds,
                )
            except BaseException as error:
                samples += figures.partial(error)
                raise
            samples += [RequestSample.of(sample) for sample in found]
            return self._looped(engine, mode, n, samples)

    def _looped(self, engine: Engine, mode: str, n: int, samples: list[RequestSample]) -> ThroughputResult:
        seconds = _span(samples)
        tokens = sum(sample.output_tokens for sample in samples)
        rate = tokens / seconds if seconds > 0 else NAN
        return self._result(engine, mode, n, samples, seconds, rate, [])

    def _batches(
        self,
        engine: Engine,
        n: int,
        batches: list[list[RequestSample]],
        others: list[RequestSample],
    ) -> ThroughputResult:
        """By batches that are whole; `others` are requests of one that is not."""
        spans = [_span(batch) for batch in batches]
        tokens = [sum(sample.output_tokens for sample in batch) for batch in batches]
        rates = [n / s for n, s in zip(tokens, spans, strict=True) if s > 0]
        samples = [sample for batch in batches for sample in batch]
        return self._result(engine, "batch", n, samples, sum(spans), figures.mean(rates), rates, others)

    def _result(
        self,
        engine: Engine,
        mode: str,
        n: int,
        samples: list[RequestSample],
        seconds: float,
        total: float,
        rates: list[float],
        others: Sequence[RequestSample] = (),
    ) -> ThroughputResult:
        every = [*samples, *others]
        ttft = figures.finite(sample.ttft_ms for sample in every)
        alone = figures.finite(sample.tokens_per_second for sample in every)
        e2e = figures.finite(sample.e2e_ms for sample in every)
        p99 = figures.quantile(e2e, QUANTILE)
        return ThroughputResult(
            mode=mode,
            n_parallel=n,
            requests_per_second=len(samples) / seconds if seconds > 0 else NAN,
            total_tokens_per_second=total,
            tokens_per_second=figures.mean(alone),
            avg_latency_ms=figures.mean(e2e),
            p99_latency_ms=p99,
            ttft_ms=figures.mean(ttft),
            total_tokens_per_second_ci95=figures.interval(rates),
            tokens_per_second_ci95=figures.interval(alone),
            avg_latency_ms_ci95=figures.interval(e2e),
            p99_latency_ms_ci95=figures.quantile_interval(e2e, QUANTILE),
            ttft_ms_ci95=figures.interval(ttft),
            n_requests=len(every),
            output_tokens=sum(sample.output_tokens for sample in every),
            seconds=seconds,
            tokens_per_request=self.tokens_per_request,
            batch_tokens_per_second=tuple(rates),
            model=engine.info if not engine.is_closed else {"model": engine.model},
            samples=tuple(every),
        )


def _span(samples: Sequence[RequestSample]) -> float:
    """Seconds from the first request's beginning to the last one's last token."""
    if not samples:
        return 0.0
    begin = min(sample.began_s for sample in samples)
    return max(sample.began_s + sample.e2e_ms / 1e3 for sample in samples) - begin


__all__ = ["ThroughputBenchmark", "ThroughputResult"]
