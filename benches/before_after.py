"""Two builds of the kernels' benchmark in turn, every type and every instruction set: what a change made faster and slower.

    cargo bench -p pacemark-kernels --no-run      # before the change and after it; it names target/release/deps/kernels-…
    python benches/before_after.py kernels-before kernels-after --json kernels.json
    python benches/before_after.py kernels-after kernels-after --types Q4_K     # one build beside itself: what noise does

A round is before, after, after, before for one type after the other, so that the two runs of a pair lie seconds apart. Printed are
after / before: the median of all pairs, the least and the most, for 1, 8 and 512 tokens; medians below 0.97 are marked. Each
program tells its best run, not its mean.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from typing import Any

from measuring import machine, statistic, tables
from measuring.machine import Failed

TOKENS = (1, 8, 512)
# Best first, as the programs have them; `portable` takes minutes a type and is measured when it is named.
ISAS = ("avx512", "avx2", "sse2", "neon-dotprod", "neon")
# A median below this is marked as slower.
SLOWER = 0.97
# type, tokens, GB/s, % read, GOPS, % int8
ROW = re.compile(r"^(\w+)\s+(\d+)\s+([\d.]+)\s+[\d.]+\s+([\d.]+)\s+[\d.]+$")

# GOPS by type and number of tokens.
Table = dict[tuple[str, int], float]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", metavar="BEFORE")
    parser.add_argument("after", metavar="AFTER")
    parser.add_argument("--isa", help="comma-separated names of PACEMARK_ISA [default: what this machine can do, without portable]")
    parser.add_argument("--types", default="", help="comma-separated types of weights [default: all]")
    parser.add_argument("--rounds", type=int, default=1, help="of before, after, after, before [default: 1]")
    parser.add_argument("--timeout", type=float, default=3600, metavar="S", help="for each run")
    parser.add_argument("--json", metavar="FILE", help="every figure of every run")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds: at least 1")
    return given


def parsed(text: str) -> Table:
    """The benchmark's table; fails where it has none."""
    rows = [match for line in text.splitlines() if (match := ROW.match(line.strip()))]
    if not rows:
        raise Failed("it printed no table: is it the kernels' benchmark, and does it know these types?")
    return {(row[1], int(row[2])): float(row[4]) for row in rows}


def ran(program: str, isa: str, types: list[str], given: argparse.Namespace) -> Table:
    return parsed(machine.run([program, *types], given.timeout, {"PACEMARK_ISA": isa})[0])


def types_of(given: argparse.Namespace, isa: str) -> list[str]:
    """What was asked for, else all that the program knows, which it tells by a run that does not count."""
    asked = [name for name in str(given.types).split(",") if name]
    return asked or list(dict.fromkeys(name for name, _ in ran(given.before, isa, [], given)))


def count(n: int) -> str:
    return f"{n} token{'' if n == 1 else 's'}"


class Isa:
    """All runs on one instruction set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pairs: list[tuple[Table, Table]] = []
        # What other programs took of the processors in each round, by type.
        self.others: list[tuple[str, float]] = []

    def round(self, given: argparse.Namespace, name: str) -> None:
        """Before, after, after, before of one type; a pair is kept as soon as it is complete."""
        others = machine.Others()
        before = ran(given.before, self.name, [name], given)
        self.pairs.append((before, ran(given.after, self.name, [name], given)))
        after = ran(given.after, self.name, [name], given)
        self.pairs.append((ran(given.before, self.name, [name], given), after))
        if (share := others.share()) is not None:
            self.others.append((name, share))
        told = [f"{count(n)} {value.median:.3f}" for n in TOKENS if (value := self.ratios((name, n))) is not None]
        print(f"{self.name}, {name}: after / before {', '.join(told)}", file=sys.stderr, flush=True)

    def with_both(self, key: tuple[str, int]) -> list[tuple[Table, Table]]:
        return [(before, after) for before, after in self.pairs if key in before and key in after]

    def ratios(self, key: tuple[str, int]) -> statistic.Spread | None:
        """After / before over all pairs."""
        return statistic.spread([after[key] / before[key] for before, after in self.with_both(key)])

    def best(self, key: tuple[str, int]) -> float | None:
        """After / before of the best runs, which a machine's swings touch least."""
        pairs = self.with_both(key)
        return max(after[key] for _, after in pairs) / max(before[key] for before, _ in pairs) if pairs else None

    def types(self) -> list[str]:
        """In the order of the program's table."""
        return list(dict.fromkeys(name for pair in self.pairs for table in pair for name, _ in table))


def cell(value: statistic.Spread | None) -> str:
    if value is None:
        return tables.DASH
    told = f"{value.median:.2f} ({value.least:.2f} … {value.most:.2f})"
    return f"**{told}**" if value.median < SLOWER else told


def table(isas: list[Isa]) -> str:
    head = ["type", *(f"{isa.name}, {n}" for isa in isas for n in TOKENS), "slower"]
    rows = []
    for name in dict.fromkeys(name for isa in isas for name in isa.types()):
        ratios = [isa.ratios((name, n)) for isa in isas for n in TOKENS]
        n_slower = sum(value is not None and value.median < SLOWER for value in ratios)
        rows.append([name, *(cell(value) for value in ratios), f"**{n_slower}**" if n_slower else ""])
    return tables.markdown(head, rows, 1)


def slower(isas: list[Isa]) -> list[str]:
    """What is marked, with what the best runs say of it."""
    told = []
    for isa in isas:
        for key in ((name, n) for name in isa.types() for n in TOKENS):
            value, best = isa.ratios(key), isa.best(key)
            if value is not None and best is not None and value.median < SLOWER:
                where = f"{isa.name}, {key[0]}, {count(key[1])}"
                shares = tables.others([share for name, share in isa.others if name == key[0]])
                told.append(f"slower: {where}: median {value.median:.3f}, of the best runs {best:.3f}; {shares}")
    return told


def overall(isa: Isa) -> str:
    """What all types say together, for each number of tokens, and how far single pairs lie apart."""
    told = []
    for n in TOKENS:
        known = [value for name in isa.types() if (value := isa.ratios((name, n))) is not None]
        if known:
            mean = statistics.geometric_mean([value.median for value in known])
            least, most = min(value.least for value in known), max(value.most for value in known)
            told.append(f"{count(n)} {mean:.3f} (single pairs {least:.2f} … {most:.2f})")
    return f"{isa.name}, geometric mean of all types: {', '.join(told)}; {tables.others([share for _, share in isa.others])}"


def as_json(isas: list[Isa], environment: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "isa": isa.name, "type": name, "tokens": n, "after_over_before": value.as_json(), "best": isa.best((name, n)),
            "gops": [[before[name, n], after[name, n]] for before, after in isa.with_both((name, n))],
        }
        for isa in isas for name in isa.types() for n in TOKENS if (value := isa.ratios((name, n))) is not None
    ]  # fmt: skip
    others = [{"isa": isa.name, "type": name, "share": share} for isa in isas for name, share in isa.others]
    return {"environment": environment, "arguments": sys.argv[1:], "others_share": others, "rows": rows}


def measure(given: argparse.Namespace, isas: list[Isa]) -> None:
    """Runs all into `isas`. A set that was not asked for by name is left out where the machine cannot do it."""
    types: list[str] = []
    for name in str(given.isa).split(",") if given.isa else ISAS:
        try:
            types = types or types_of(given, name)
            isas.append(Isa(name))
            for _ in range(given.rounds):
                for kind in types:
                    isas[-1].round(given, kind)
        except Failed as why:
            if given.isa or "IsaError" not in str(why):
                raise


def main() -> None:
    given = arguments()
    machine.stop_as_interrupted()
    if (warning := machine.busy()) is not None:
        print(f"warning: {warning}", file=sys.stderr)
    environment = machine.described(None)
    isas: list[Isa] = []
    failed = None
    try:
        measure(given, isas)
    except KeyboardInterrupt:
        failed = "interrupted: this is what was measured so far"
    except Failed as why:
        failed = f"error: {why}"
    isas = [isa for isa in isas if isa.pairs]
    if isas:
        print(table(isas))
    for told in [*(overall(isa) for isa in isas), *slower(isas)]:
        print(f"\n{told}")
    if given.json:
        tables.write_json(given.json, as_json(isas, environment))
    if failed is not None:
        sys.exit(failed)


if __name__ == "__main__":
    main()
