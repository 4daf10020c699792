"""Results of any shape, sorted by what they are of: one, a list, a mapping by name, or a report that was read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


_DEEPEST = 32

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
    _add(found, name, "", results, only, ())
    return found


def _add(found: Sorted, name: str, of: str, results: object, only: str | None, above: tuple[object, ...]) -> None:
    """`above` is what the results are in."""
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
        _not_within(name, results, above)
        if only is None and is_report(results) and not _has_result(name, results, above):
            found.reports.append((of or "report", results))
            return
        for key, one in results.items():
            _add(found, f"{name}[{key!r}]", key if isinstance(key, str) else of, one, only, (*above, results))
    elif isinstance(results, Sequence) and not isinstance(results, (str, bytes)):
        _not_within(name, results, above)
        for i, one in enumerate(results):
            # Of several below one name each has a name.
            its = f"{of}[{i}]" if of and len(results) > 1 else of
            _add(found, f"{name}[{i}]", its, one, only, (*above, results))
    else:
        raise check.wrong_type(name, expected, results)


def is_report(results: Mapping[Any, Any]) -> bool:
    """Whether it may be what `generate_json_report` writes: parts that are mappings."""
    parts = [results[part] for part in PARTS if part in results]
    return bool(parts) and all(isinstance(part, Mapping) for part in parts)


def _has_result(name: str, value: object, above: tuple[object, ...]) -> bool:
    """Whether there is a result in it, however deep."""
    if isinstance(value, Result):
        return True
    if isinstance(value, (str, bytes)) or not isinstance(value, (Mapping, Sequence)):
        return False
    _not_within(name, value, above)
    inner = value.values() if isinstance(value, Mapping) else value
    return any(_has_result(name, one, (*above, value)) for one in inner)


def _not_within(name: str, value: object, above: tuple[object, ...]) -> None:
    """Refuses what would never end."""
    if any(value is one for one in above):
        raise ValueError(f"{name}: expected {EXPECTED}, found one that contains itself")
    if len(above) >= _DEEPEST:
        raise ValueError(f"{name}: expected {EXPECTED}, found more than {_DEEPEST} within each other")
