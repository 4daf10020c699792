"""Targets: what a model is to reach, judged as `pacemark check` does: by the whole 95 % interval where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pacemark import _arguments as check
from pacemark import _native
from pacemark.benchmark._measures import Measure, figure, measures
from pacemark.benchmark._sorted import Sorted
from pacemark.results import Interval, Result

@dataclass(frozen=True, slots=True)
class Failure(Result):
    """A target that was not shown to be met."""

    metric: str
    """The figure, as the target names it."""
    actual: float | None
    """None where nothing that was measured has it."""
    target: float
    bound: str
    """`min` or `max`."""
    verdict: str
    """`missed`, `undecided` or `not_measured`."""
    ci95: Interval | None = None
    of: str = ""
    """What was measured, where there are several."""

    def __str__(self) -> str:
        actual = "-" if self.actual is None else f"{self.actual:.4g}"
        words = {"min": "at least", "max": "at most"}[self.bound]
        of = f" [{self.of}]" if self.of else ""
        return f"{self.verdict}: {self.metric} = {actual} (target: {words} {self.target:g}){of}"


@dataclass(frozen=True, slots=True)
class Validation(Result):
    """What targets came to."""

    model_name: str
    passed: bool
    failures: tuple[Failure, ...]
    n_targets: int


def validate(model_name: str, found: Sorted, targets: object, allow_undecided: bool) -> Validation:
    """Each target against everything that was measured and has its figure."""
    failures: list[Failure] = []
    n_targets = 0
    for name, bound, target in _each(targets):
        n_targets += 1
        held = list(measures(found, figure(bound, name)))
        if not held:
            failures.append(Failure(name, None, target, bound, "not_measured"))
        for measure in held:
            failure = _judged(name, bound, target, measure, alone=len(held) == 1)
            is_allowed = failure is not None and failure.verdict == "undecided" and allow_undecided
            if failure is not None and not is_allowed:
                failures.append(failure)
    return Validation(model_name, not failures, tuple(failures), n_targets)


def _each(targets: object) -> Iterable[tuple[str, str, float]]:
    """Figure, `min` or `max`, and number of every target: `max_ttft_ms: 200`, or `ttft_ms: {max: 200}`."""
    if not isinstance(targets, Mapping):
        raise check.wrong_type("targets", "a mapping such as {'max_ttft_ms': 200}", targets)
    if not targets:
        raise check.wrong_value("targets", "at least one target", targets)
    for key, value in targets.items():
        name = check.text("targets", key)
        at = f"targets[{name!r}]"
        if isinstance(value, Mapping):
            if not value or not set(value) <= {"min", "max"}:
                raise check.wrong_value(at, "min, max or both", value)
            for bound, number in value.items():
                yield name, bound, check.number(at, number)
            continue
        bound, _, of = name.partition("_")
        if bound not in ("min", "max") or not of:
            # An unknown figure is told the nearest; a known one what it lacks.
            figure("max", name)
            raise check.wrong_value(at, f"min_{name} or max_{name}", name)
        yield of, bound, check.number(at, value)


def _judged(name: str, bound: str, target: float, measure: Measure, *, alone: bool) -> Failure | None:
    """Nothing where it is met."""
    actual, ci95 = measure.value, measure.ci95
    of = "" if alone else measure.of
    low, high = ci95 or (None, None)
    if actual is None or not measure.is_enough:
        return Failure(name, actual, target, bound, "undecided", ci95, of)
    verdict = _native.judge(f"{bound}_{name}", target, actual, low, high)
    return None if verdict == "met" else Failure(name, actual, target, bound, verdict, ci95, of)
