"""Results of any shape, sorted by what they are of: one, a list, a mapping by name, or a report that was read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pacemark import _arguments as check
from pacemark.results import (
    InferenceMemoryResult,
    LatencyResult,
    ModelLoadResult,
    Result,
    ThroughputResult,
)

EXPECTED = "results of benchmarks: one, a list, or a mapping of them"

PARTS = ("latency", "memory", "throughput")


MemoryResult = ModelLoadResult | InferenceMemoryResult


@dataclass
class Sorted:
    """Each kind in the order in which it came, with what it is called."""

    latency: list[tuple[str, LatencyResult]] = field(default_factory=list)
    load: list[tuple[str, ModelLoadResult]] = field(default_factory=list)
    inference: list[tuple[str, InferenceMemoryResult]] = field(default_factory=list)
    throughput: list[tuple[str, ThroughputResult]] = field(default_factory=list)
    reports: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def memory(self) -> list[tuple[str, MemoryResult]]:
        """Loads, then inferences."""
        found: list[tuple[str, MemoryResult]] = []
        found.extend(self.load)
        found.extend(self.inference)
        return found

    def models(self) -> list[Mapping[str, Any]]:
        """What is known of the models that were measured, each once."""
        every: list[Mapping[str, Any]] = [result.model for _, result in self.latency]
        every += [result.model for _, result in self.memory()]
        every += [result.model for _, result in self.throughput]
        return [model for i, model in enumerate(every) if model not in every[:i]]

    def lines(self) -> list[Sorted]:
        """The first of each kind, the second of each, and so on: of throughputs, the first of each kind of load."""
        lines: list[Sorted] = []

        def line(i: int) -> Sorted:
            while len(lines) <= i:
                lines.append(Sorted())
            return lines[i]

        for i, latency in enumerate(self.latency):
            line(i).latency.append(latency)
        for i, load in enumerate(self.load):
            line(i).load.append(load)
        for i, inference in enumerate(self.inference):
            line(i).inference.append(inference)
        seen: dict[tuple[str, int], int] = {}
        for of, result in self.throughput:
            key = (result.mode, result.n_parallel)
            seen[key] = seen.get(key, -1) + 1
            line(seen[key]).throughput.append((of, result))
        return lines


def sort(name: str, results: object, only: str | None = None) -> Sorted:
    """All of them; `only` latency, memory or throughput where that is named. None is nothing measured."""
    found = Sorted()
    _add(found, name, "", results, only)
    return found


def _add(found: Sorted, name: str, of: str, results: object, only: str | None) -> None:
    expected = EXPECTED if only is None else f"{EXPECTED}, of {only}"
    if results is None:
        return
    if isinstance(results, LatencyResult) and only in (None, "latency"):
        found.latency.append((of or f"latency of {results.output_length} tokens", results))
    elif isinstance(results, ModelLoadResult) and only in (None, "memory"):
        found.load.append((of or "loading", results))
    elif isinstance(results, InferenceMemoryResult) and only in (None, "memory"):
        found.inference.append((of or "inference", results))
    elif isinstance(results, ThroughputResult) and only in (None, "throughput"):
        found.throughput.append((of or f"{results.mode} {results.n_parallel}", results))
    elif isinstance(results, Result):
        raise check.wrong_type(name, expected, results)
    elif isinstance(results, Mapping):
        if only is None and is_report(results):
            found.reports.append((of or "report", results))
            return
        _add_each(found, name, results.items(), only)
    elif isinstance(results, Sequence) and not isinstance(results, (str, bytes)):
        _add_each(found, name, ((i, one) for i, one in enumerate(results)), only)
    else:
        raise check.wrong_type(name, expected, results)


def _add_each(found: Sorted, name: str, results: Iterable[tuple[object, object]], only: str | None) -> None:
    for key, one in results:
        _add(found, f"{name}[{key!r}]", key if isinstance(key, str) else "", one, only)


def is_report(results: Mapping[Any, Any]) -> bool:
    """Whether it is what `generate_json_report` writes: parts that are mappings of figures, not results."""
    parts = [results[part] for part in PARTS if part in results]
    return bool(parts) and all(
        isinstance(part, Mapping) and not any(isinstance(one, Result) for one in part.values()) for part in parts
    )
