"""`python -m pacemark.main --benchmark --model gpt2`: latency, memory and throughput of a model, and a report.

`pacemark suite` measures each part in a process of its own, sweeps, and goes on where it ended; this is its little sister.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from pacemark import errors
from pacemark.benchmark import (
    BenchmarkReporter,
    LatencyBenchmark,
    MemoryBenchmark,
    ThroughputBenchmark,
)
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
    """0 where all was measured, 1 on an error, 130 after an interrupt, which leaves a report of what was measured."""
    args = parser().parse_args(arguments)
    results: list[Result] = []
    interrupted = False
    try:
        try:
            _measure(args, results)
        except KeyboardInterrupt as error:
            interrupted = True
            part = getattr(error, "partial", None)
            if isinstance(part, Result):
                results.append(part)
        if results or not interrupted:
            print(f"Report saved to: {_write(args, results)}")
    except (errors.PacemarkError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 130 if interrupted else 0


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
