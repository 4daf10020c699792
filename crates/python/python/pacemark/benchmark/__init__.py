"""Benchmarks of an engine in this process, their reports, and targets to hold them to.

What ends a benchmark in the middle loses nothing: what was measured by then is the `partial` of the exception, a result like any
other, of fewer runs (`None` where nothing had ended).
"""

from pacemark.benchmark.latency import LatencyBenchmark
from pacemark.benchmark.memory import MemoryBenchmark
from pacemark.benchmark.reporter import BenchmarkReporter, Failure, Validation, validate_targets
from pacemark.benchmark.throughput import ThroughputBenchmark
from pacemark.models import ModelConfig, ModelManager
from pacemark.results import (
    InferenceMemoryResult,
    LatencyResult,
    ModelLoadResult,
    ThroughputResult,
    to_pandas,
)

__all__ = [
    "BenchmarkReporter",
    "Failure",
    "InferenceMemoryResult",
    "LatencyBenchmark",
    "LatencyResult",
    "MemoryBenchmark",
    "ModelConfig",
    "ModelLoadResult",
    "ModelManager",
    "ThroughputBenchmark",
    "ThroughputResult",
    "Validation",
    "to_pandas",
    "validate_targets",
]
