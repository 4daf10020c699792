"""Memory: what loading a model adds to this process, and what answering a prompt adds to that.

The memory is this process's own, as the system counts it, so whatever else the process does meanwhile is in it.
"""

from __future__ import annotations

import gc
import time
from typing import Any, Protocol

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark import _figures as figures
from pacemark.engine import Engine, measured
from pacemark.models import ModelConfig
from pacemark.results import NAN, InferenceMemoryResult, ModelLoadResult, RequestSample

UNTOLD = "this system does not tell a process its memory"
NO_RESET = "this system does not let a process forget its peak, so the most during this is not known"


class Manager(Protocol):
    """Whatever loads models."""

    def load(self, config: ModelConfig, /) -> Engine: ...


class MemoryBenchmark:
    """`measure_peak` asks for the most at any time, not only for what is there at the end; `gc_before_measure` has Python
    collect its garbage first."""

    def __init__(self, measure_peak: bool = True, gc_before_measure: bool = True) -> None:
        self.measure_peak = check.truth("measure_peak", measure_peak)
        self.gc_before_measure = check.truth("gc_before_measure", gc_before_measure)

    def measure_model_load(self, manager: Manager, model_config: ModelConfig) -> ModelLoadResult:
        """Loads a model, and closes it again: the growth of resident memory, and the time."""
        load = getattr(manager, "load", None) or getattr(manager, "load_model", None)
        if not callable(load):
            raise check.wrong_type("manager", "a ModelManager", manager)
        if not isinstance(model_config, ModelConfig):
            raise check.wrong_type("model_config", "a ModelConfig", model_config)
        with figures.keeping(lambda: None):
            before, is_peak_new = self._before()
            began = time.perf_counter()
            engine = measured(load(model_config))
            try:
                seconds = time.perf_counter() - began
                peak = _native.peak_memory(False) if is_peak_new else None
                after = _native.memory_now()
                info: dict[str, Any] = {**engine.info}
            finally:
                engine.close()
        return ModelLoadResult(
            memory_gb=figures.gb(after - before) if before is not None and after is not None else NAN,
            peak_memory_gb=figures.gb(peak),
            load_seconds=seconds,
            model_gb=figures.gb(info.get("model_bytes")),
            model_name=model_config.model_name,
            quantization=model_config.quantization,
            model=info,
            notes=self._notes(before, is_peak_new),
        )

    def measure_inference(self, engine: Engine, prompt: str, output_length: int = 100) -> InferenceMemoryResult:
        """Answers a prompt once: by how much resident memory rose meanwhile, and the keys and values that were kept.

        An engine keeps the memory of its cache for the next request, so the first request of a length adds it and later ones
        add little. `kv_cache_gb` is what this request held, whoever asked before.
        """
        measured(engine)
        n_tokens = check.integer("output_length", output_length, 1)
        # Half an answer has no figures.
        with figures.keeping(lambda: None):
            tokens = engine._prompt("prompt", check.text("prompt", prompt))
            figures.fits(engine, "prompt", tokens, n_tokens)
            before, is_peak_new = self._before()
            found = engine._native.timed([tokens], max_tokens=n_tokens, n_requests=1)
            if self.measure_peak:
                most = _native.peak_memory(False) if is_peak_new else None
            else:
                most = _native.memory_now()
        samples = tuple(RequestSample.of(sample) for sample in found)
        kv_bytes = [sample.kv_bytes for sample in samples if sample.kv_bytes is not None]
        return InferenceMemoryResult(
            memory_delta_gb=figures.gb(most - before) if before is not None and most is not None else NAN,
            peak_memory_gb=figures.gb(most) if self.measure_peak else NAN,
            kv_cache_gb=figures.gb(max(kv_bytes)) if kv_bytes else NAN,
            memory_before_gb=figures.gb(before),
            output_length=n_tokens,
            model=engine.info,
            samples=samples,
            notes=self._notes(before, is_peak_new),
        )

    def _before(self) -> tuple[int | None, bool]:
        """What is resident now, and whether the peak begins here."""
        if self.gc_before_measure:
            gc.collect()
        is_peak_new = self.measure_peak and _native.peak_memory(True) is not None
        return _native.memory_now(), is_peak_new

    def _notes(self, before: int | None, is_peak_new: bool) -> tuple[str, ...]:
        """Why something is NaN."""
        if before is None:
            return (UNTOLD,)
        return (NO_RESET,) if self.measure_peak and not is_peak_new else ()


__all__ = ["InferenceMemoryResult", "MemoryBenchmark", "ModelLoadResult"]
