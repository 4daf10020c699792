"""The names that the guide's examples use and do not define, for each example by its number.

`DECLARED` is what a type checker is told of them, `made` makes them. What takes long is made short here: see `SHORT`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from pacemark import Engine, ModelConfig, ModelManager
from pacemark.benchmark import (
    BenchmarkReporter,
    LatencyBenchmark,
    MemoryBenchmark,
    ThroughputBenchmark,
)

SHORT = {
    "duration_seconds=60": "duration_seconds=2",
    "warmup_runs=3": "warmup_runs=1",
    "test_runs=10": "test_runs=2",
}
"""The only changes that are made to an example, so that all take minutes less. PACEMARK_TEST_GUIDE=full makes none."""

_ENGINE = "from pacemark import Engine\nengine: Engine\n"
_INFERENCE = "from pacemark import Engine\ninference_engine: Engine\n"
_LATENCY = "from pacemark.benchmark import LatencyBenchmark\nbenchmark: LatencyBenchmark\n"

DECLARED: dict[int, str] = {
    1: _INFERENCE,
    2: _ENGINE + _LATENCY,
    3: _INFERENCE
    + "from pacemark import ModelConfig, ModelManager\nmodel_manager: ModelManager\nmodel_config: ModelConfig\n",
    4: "from pacemark import ModelConfig, ModelManager\nmanager: ModelManager\n"
    "from pacemark.benchmark import MemoryBenchmark\nbenchmark: MemoryBenchmark\n",
    5: _INFERENCE + "test_prompts: list[str]\n",
    6: "from pacemark.benchmark import LatencyResult, ModelLoadResult, ThroughputResult\n"
    "latency_results: LatencyResult\nmemory_results: ModelLoadResult\nthroughput_results: list[ThroughputResult]\n",
    7: "from pacemark.benchmark import BenchmarkReporter, LatencyResult\n"
    "reporter: BenchmarkReporter\nall_results: list[LatencyResult]\n",
    8: "from typing import Any\nfrom pacemark.benchmark import LatencyResult\n"
    "benchmark_results: LatencyResult\nconfig: dict[str, Any]\n",
    9: _ENGINE + _LATENCY,
    10: "from pacemark.benchmark import LatencyBenchmark\n",
    11: _ENGINE + _LATENCY + "prompts: list[str]\n",
    12: "from pacemark.benchmark import BenchmarkReporter\n",
    13: "from pacemark.benchmark import MemoryBenchmark\n",
    14: "",
}

PROMPTS = ["What is the capital of France?", "Explain quantum computing briefly."]
CONFIG = {"targets": {"gpt2": {"min_tokens_per_second": 5, "max_ttft_ms": 200, "max_memory_gb": 2}}}


def made(number: int, engine: Engine, folder: Path) -> dict[str, Any]:
    """The names of an example, with an engine for those that want one."""
    quick = LatencyBenchmark(warmup_runs=1, test_runs=2)
    names: dict[str, Any] = {
        "Engine": Engine,
        "ModelConfig": ModelConfig,
        "LatencyBenchmark": LatencyBenchmark,
        "MemoryBenchmark": MemoryBenchmark,
        "BenchmarkReporter": BenchmarkReporter,
        "engine": engine,
        "inference_engine": engine,
        "benchmark": quick,
        "manager": ModelManager(),
        "model_manager": ModelManager(),
        "model_config": ModelConfig(engine.model),
        "test_prompts": PROMPTS,
        "prompts": PROMPTS,
        "config": CONFIG,
        "reporter": BenchmarkReporter(folder),
    }
    if number == 4:
        names["benchmark"] = MemoryBenchmark()
        # There is no file of gpt2-medium: its shape with random weights, which is told.
        warnings.simplefilter("ignore")
    if number in (6, 7, 8):
        found = quick.run(engine, PROMPTS, output_length=8)
        names.update(latency_results=found, benchmark_results=found, all_results=[found, found])
        names["memory_results"] = MemoryBenchmark().measure_model_load(ModelManager(), ModelConfig(engine.model))
        load = ThroughputBenchmark(duration_seconds=0.5, tokens_per_request=8)
        names["throughput_results"] = [
            load.measure_single_request(engine, PROMPTS),
            load.measure_concurrent(engine, PROMPTS, 4),
            load.measure_batch(engine, PROMPTS, 8),
        ]
    return names
