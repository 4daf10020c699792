"""`python -m pacemark.main --benchmark --model gpt2`: latency, memory and throughput of a model, and a report.

`pacemark suite` measures each part in a process of its own, sweeps, and goes on where it ended; this is its little sister.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence

from pacemark import _arguments as check
from pacemark import errors
from pacemark.benchmark import (
    BenchmarkReporter,
    LatencyBenchmark,
    MemoryBenchmark,
    ThroughputBenchmark,
)
from pacemark.engine import DEFAULT_SEQS
from pacemark.models import ModelConfig, ModelManager
from pacemark.results import Result

PROMPTS = ["Name three rivers of South America.", "Why is the sea salty?"]

EXAMPLES = """examples:
  python -m pacemark.main --benchmark --model gpt2
  python -m pacemark.main --benchmark --model smollm2-135m --benchmark-output ./results
  python -m pacemark.main --benchmark --model model.gguf --benchmark-format csv --duration-seconds 10
"""


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m pacemark.main",
        description="Measures a model's latency, memory and throughput in this process, and writes a report.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--benchmark", action="store_true", required=True, help="measure")
    found.add_argument("--model", required=True, help="a file, a directory, a name of the catalog, or synth:SHAPE:TYPE")
    found.add_argument("--quantization", choices=["8bit", "4bit"], help="of shapes and Hugging Face directories")
    found.add_argument("--benchmark-output", default="data/benchmarks", metavar="DIR", help="where the report goes")
    found.add_argument("--benchmark-format", default="json", choices=["json", "csv"])
    found.add_argument("--output-length", type=int, default=100, metavar="N", help="tokens of each answer")
    found.add_argument("--warmup-runs", type=int, default=3, metavar="N")
    found.add_argument("--test-runs", type=int, default=10, metavar="N")
    found.add_argument("--duration-seconds", type=float, default=60.0, metavar="S", help="of each test of throughput")
    found.add_argument("--concurrent", type=int, default=4, metavar="N", help="requests at a time")
    found.add_argument("--batch-size", type=int, default=8, metavar="N")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where all was measured, 1 on an error, 2 on wrong arguments, 130 after an interrupt. Whatever ends it in the middle leaves
    a report of what was measured by then."""
    options = parser()
    args = options.parse_args(arguments)
    try:
        _check(args)
    except (ValueError, TypeError) as error:
        options.error(str(error))
    results: list[Result] = []
    ended: BaseException | None = None
    try:
        _measure(args, results)
    except BaseException as error:
        ended = error
        part = getattr(error, "partial", None)
        if isinstance(part, Result):
            results.append(part)
    try:
        if results:
            print(f"Report saved to: {_write(args, results)}")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if ended is None:
        return 0
    if isinstance(ended, KeyboardInterrupt):
        return 130
    if isinstance(ended, (errors.PacemarkError, ValueError, OSError)):
        print(f"error: {ended}", file=sys.stderr)
        return 1
    raise ended


def _check(args: argparse.Namespace) -> None:
    """What would be refused only after minutes of measuring, or could not be written then."""
    LatencyBenchmark(args.warmup_runs, args.test_runs)
    ThroughputBenchmark(args.duration_seconds, args.output_length)
    ModelConfig(args.model, args.quantization)
    check.integer("concurrent", args.concurrent, 1, check.MOST_AT_ONCE)
    check.integer("batch_size", args.batch_size, 1, DEFAULT_SEQS)
    folder = os.path.abspath(args.benchmark_output)
    # It is made when there is something to write.
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"benchmark_output: nothing can be written into {args.benchmark_output}: {error.strerror}") from None


def _measure(args: argparse.Namespace, results: list[Result]) -> None:
    latency = LatencyBenchmark(args.warmup_runs, args.test_runs)
    throughput = ThroughputBenchmark(args.duration_seconds, args.output_length)
    memory = MemoryBenchmark()
    with ModelManager() as manager:
        config = ModelConfig(args.model, args.quantization)
        results.append(memory.measure_model_load(manager, config))
        with manager.load(config) as engine:
            steps: list[Callable[[], Result]] = [
                lambda: memory.measure_inference(engine, PROMPTS[0], args.output_length),
                lambda: latency.run(engine, PROMPTS, args.output_length),
                lambda: throughput.measure_single_request(engine, PROMPTS),
                lambda: throughput.measure_concurrent(engine, PROMPTS, args.concurrent),
                lambda: throughput.measure_batch(engine, PROMPTS, args.batch_size),
            ]
            for step in steps:
                results.append(step())


def _write(args: argparse.Namespace, results: list[Result]) -> str:
    reporter = BenchmarkReporter(args.benchmark_output)
    if args.benchmark_format == "csv":
        return reporter.generate_csv_report(args.model, results)
    names = {"LatencyResult": "latency", "ThroughputResult": "throughput"}
    parts: dict[str, list[Result]] = {"latency": [], "memory": [], "throughput": []}
    for result in results:
        parts[names.get(type(result).__name__, "memory")].append(result)
    return reporter.generate_json_report(args.model, parts["latency"], parts["memory"], parts["throughput"])


if __name__ == "__main__":
    sys.exit(main())
