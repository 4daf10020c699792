"""The cells of `peers.py`'s table: rounds of one kind of work on one model, their paired ratios and how they are told."""

from __future__ import annotations

import statistics
import sys
from typing import Any

from . import machine, statistic, tables, works
from .engines import Engine
from .machine import Failed


class Cell:
    """One kind of work on one model: each engine's rate in each round, or why it has none."""

    def __init__(self, model: str, work: works.Work) -> None:
        self.model, self.work = model, work
        self.rounds: list[dict[str, float]] = []
        self.samples: list[dict[str, list[float]]] = []
        self.others: list[float] = []
        self.reasons: dict[str, str] = {}

    def round(self, path: str, order: list[Engine]) -> None:
        """Runs every engine that has not failed at this before; what was measured before a Ctrl-C is kept."""
        self.rounds.append({})
        self.samples.append({})
        for engine in order:
            if engine.name in self.reasons:
                continue
            others = machine.Others()
            try:
                samples = engine.rates(self.work, path)
            except Failed as why:
                self.reasons[engine.name] = str(why)
                print(f"{self.model}, {self.work.title}: {engine.name}: {why}", file=sys.stderr)
                continue
            if (share := others.share()) is not None:
                self.others.append(share)
            self.samples[-1][engine.name] = samples
            self.rounds[-1][engine.name] = statistics.median(samples)
            median = self.rounds[-1][engine.name]
            told = f"{self.model}, {self.work.title}, round {len(self.rounds)}: {engine.name} {median:.1f} t/s"
            print(told, file=sys.stderr, flush=True)

    def spread(self, name: str) -> statistic.Spread | None:
        return statistic.spread([row[name] for row in self.rounds if name in row])

    def ratio(self, ours: str, peer: str) -> statistic.Ratio | None:
        return statistic.ratio([(row[ours], row[peer]) for row in self.rounds if ours in row and peer in row])

    def best(self, peers: list[str]) -> str | None:
        """The peer of the highest median. One peer for all rounds: the best of each round would be chance's choice."""
        known = [(rate.median, name) for name in peers if (rate := self.spread(name)) is not None]
        return max(known)[1] if known else None

    def as_json(self, names: list[str]) -> dict[str, Any]:
        ours, peers = names[0], names[1:]
        ratios = {peer: ratio.as_json() for peer in peers if (ratio := self.ratio(ours, peer)) is not None}
        spreads = {name: rate.as_json() for name in names if (rate := self.spread(name)) is not None}
        return {
            "model": self.model, "work": self.work.title, "tokens_per_s": spreads, "ratios": ratios,
            "best_peer": self.best(peers), "others_share": self.others, "reasons": self.reasons,
            "rounds": self.rounds, "samples": self.samples,
        }  # fmt: skip


def order(found: list[Engine], index: int) -> list[Engine]:
    """A B C, C B A, B C A, A C B, …: no engine is always first or always behind the same one."""
    turn = index // 2 % len(found)
    turned = found[turn:] + found[:turn]
    return turned if index % 2 == 0 else turned[::-1]


def table(cells: list[Cell], names: list[str], as_markdown: bool) -> str:
    ours, peers = names[0], names[1:]
    head = ["model", "work", *(f"{name} t/s" for name in names), *(f"× {peer}" for peer in peers)]
    head += ["× the best peer"] if len(peers) > 1 else []
    lines = []
    for cell in cells:
        line = [cell.model, cell.work.title, *(tables.spread(cell.spread(name)) for name in names)]
        line += [tables.ratio(cell.ratio(ours, peer)) for peer in peers]
        if len(peers) > 1:
            best = cell.best(peers)
            line.append(tables.DASH if best is None else tables.ratio(cell.ratio(ours, best)))
        lines.append(line)
    return (tables.markdown if as_markdown else tables.columns)(head, lines, 2)


def notes(cells: list[Cell], found: list[Engine], environment: dict[str, Any]) -> list[str]:
    told = [", ".join(f"{key} {value}" for key, value in environment.items())]
    told += [f"{engine.name}: {engine.version or 'nothing measured'}" for engine in found]
    told.append(tables.others([share for cell in cells for share in cell.others]))
    told.append(works.meaning())
    if any(len(cell.rounds) < statistic.LEAST_PAIRS for cell in cells):
        told.append(f"cells of fewer than {statistic.LEAST_PAIRS} rounds have no interval")
    reasons = {f"{cell.model}, {cell.work.title}: {name}: {why}" for cell in cells for name, why in cell.reasons.items()}
    return told + sorted(reasons)
