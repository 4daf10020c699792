"""The quality guard: how far Pacemark's predictions are from exact arithmetic, on every instruction set, beside llama.cpp's.

    python benches/guard.py target/release/pacemark --llama-cpp BINARY_WITH_LLAMA_CPP \\
        --model smollm2-135m --model gemma3-270m --text hamlet.txt --text tempest.txt --json guard.json

`pacemark eval kld --reference exact` (docs/quality.md) on 8 chunks of 512 tokens, the second halves scored. llama.cpp is the
backend of a build with the feature `llama-cpp`, which may be another build. Without it `--limits guard.json` takes llama.cpp's
figures from an earlier run's file. Exit code 3: Pacemark's mean divergence or its 99th percentile is above llama.cpp's on the same
weights and text, or its perplexity is further than 0.7 % from exact; 1: something could not be measured or compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measuring import machine, tables
from measuring.machine import Failed

LLAMA = "llama.cpp"
# How far from exact a perplexity may be.
PERPLEXITY = 0.007
HEAD = ["model", "text", "engine", "mean KLD (95 %)", "× llama.cpp", "99th percentile (95 %)", "× llama.cpp", "PPL", "within"]


@dataclass(frozen=True)
class Row:
    """One engine's distance to exact arithmetic on one text. KLD in nats a token."""

    model: str
    text: str
    engine: str
    chunks: int
    mean: float
    mean_low: float | None
    mean_high: float | None
    p99: float | None
    p99_low: float | None
    p99_high: float | None
    ppl_ratio: float
    exact_ppl: float
    n_scored: int
    seconds: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pacemark", metavar="BINARY")
    parser.add_argument("--llama-cpp", metavar="BINARY", help="a build with the feature llama-cpp")
    parser.add_argument("--limits", metavar="FILE", help="take llama.cpp's figures from this --json of before")
    parser.add_argument("--model", required=True, action="append", help="a GGUF file or a name Pacemark knows")
    parser.add_argument("--text", required=True, action="append", nargs="+", metavar="FILE", help="UTF-8")
    parser.add_argument("--isa", help="comma-separated names of PACEMARK_ISA [default: all that this machine can do]")
    parser.add_argument("--chunks", type=int, default=8, help="fewer are sooner done; a 99th percentile takes 299 tokens")
    parser.add_argument("-t", "--threads", type=int, help="[default: all processors]")
    parser.add_argument("--timeout", type=float, default=7200, metavar="S", help="for each run")
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args()
    given.text = [path for paths in given.text for path in paths]
    if given.chunks < 1:
        parser.error("--chunks: at least 1")
    if given.llama_cpp and given.limits:
        parser.error("--llama-cpp measures what --limits would be taken for: give one of them")
    return given


def isas(given: argparse.Namespace) -> list[str]:
    """The sets of kernels to measure, best first."""
    if given.isa:
        return [name for name in str(given.isa).split(",") if name]
    told = json.loads(machine.run([given.pacemark, "doctor", "--seconds", "0.01", "-o", "json"], 600)[0])
    return [str(name) for name in told["isa_available"]]


def measured(given: argparse.Namespace, model: str, text: str, isa: str | None) -> Row:
    """One run of `eval kld`; without an instruction set it is llama.cpp's."""
    program = given.pacemark if isa else given.llama_cpp
    command = [program, "eval", "kld", "-m", model, "--reference", "exact", "-f", text, "--chunks", str(given.chunks)]
    command += ["-c", "512", "-o", "json", "--no-history", "--backend", "native" if isa else "llama-cpp"]
    command += [] if given.threads is None else ["-t", str(given.threads)]
    begun = time.monotonic()
    told = json.loads(machine.run(command, given.timeout, {"PACEMARK_ISA": isa} if isa else None)[0])[0]
    seconds = round(time.monotonic() - begun, 1)
    if isa and told["isa"] != isa:
        raise Failed(f"PACEMARK_ISA={isa} was asked for, {told['isa']} measured")
    return Row(
        model=told["model_type"], text=Path(text).name, engine=f"Pacemark, {isa}" if isa else LLAMA, chunks=given.chunks,
        mean=told["kld_mean"], mean_low=told["kld_mean_ci95_low"], mean_high=told["kld_mean_ci95_high"],
        p99=told["kld_p99"], p99_low=told["kld_p99_ci95_low"], p99_high=told["kld_p99_ci95_high"],
        ppl_ratio=told["ppl_ratio"], exact_ppl=told["reference_ppl"], n_scored=told["n_scored"], seconds=seconds,
    )  # fmt: skip


def limits(path: str | None) -> list[Row]:
    """llama.cpp's rows of an earlier run."""
    if path is None:
        return []
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Row(**row) for row in told["rows"] if row["engine"] == LLAMA]
    except (OSError, ValueError, TypeError, KeyError) as why:
        sys.exit(f"error: {path}: no --json of this script: {why!r}")


def limit_of(row: Row, rows: list[Row]) -> Row | None:
    """llama.cpp's on the same model, text and tokens."""
    key = (row.model, row.text, row.chunks, row.n_scored)
    return next((r for r in rows if r.engine == LLAMA and (r.model, r.text, r.chunks, r.n_scored) == key), None)


def broken(row: Row, limit: Row | None) -> list[str]:
    """What a row of ours breaks."""
    found = []
    if limit is not None and row.mean > limit.mean:
        found.append("mean")
    if limit is not None and row.p99 is not None and limit.p99 is not None and row.p99 > limit.p99:
        found.append("99th")
    if abs(row.ppl_ratio - 1) > PERPLEXITY:
        found.append("PPL")
    return found


def line(row: Row, rows: list[Row]) -> list[str]:
    limit = None if row.engine == LLAMA else limit_of(row, rows)
    p99 = tables.DASH if limit is None or row.p99 is None or not limit.p99 else f"{row.p99 / limit.p99:.2f}"
    found = broken(row, limit)
    verdict = tables.DASH if row.engine == LLAMA else f"**no: {', '.join(found)}**" if found else "yes"
    return [
        row.model, row.text, row.engine,
        figure(row.mean, row.mean_low, row.mean_high, 5), tables.DASH if limit is None else f"{row.mean / limit.mean:.2f}",
        figure(row.p99, row.p99_low, row.p99_high, 4), p99, f"{100 * (row.ppl_ratio - 1):+.2f} %", verdict,
    ]  # fmt: skip


def figure(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    if value is None:
        return tables.DASH
    ends = "" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{value:.{digits}f}{ends}"


def collected(given: argparse.Namespace, rows: list[Row]) -> list[str]:
    """Measures all into `rows`, llama.cpp first; gives what failed."""
    failed = []
    kinds: list[str | None] = [*([None] if given.llama_cpp else []), *isas(given)]
    for model in given.model:
        for text in given.text:
            for isa in kinds:
                what = f"{model}, {Path(text).name}, {f'Pacemark, {isa}' if isa else LLAMA}"
                try:
                    rows.append(measured(given, model, text, isa))
                except Failed as why:
                    failed.append(f"{what}: {why}")
                    print(failed[-1], file=sys.stderr, flush=True)
                    continue
                row = rows[-1]
                print(f"{what}: mean {row.mean:.5f}, {row.seconds:.0f} s", file=sys.stderr, flush=True)
    return failed


def main() -> None:
    given = arguments()
    machine.stop_as_interrupted()
    known = limits(given.limits)
    rows: list[Row] = []
    environment: dict[str, Any] = machine.described(given.threads)
    try:
        failed = collected(given, rows)
    except KeyboardInterrupt:
        failed = ["interrupted: not all was measured"]
    except Failed as why:
        sys.exit(f"error: {why}")
    ours = [row for row in rows if row.engine != LLAMA]
    limited = rows + known
    print(tables.markdown(HEAD, [line(row, limited) for row in rows], 3))
    failed += [f"{row.model}, {row.text}: llama.cpp's figures are not known" for row in ours if limit_of(row, limited) is None]
    for told in dict.fromkeys(failed):
        print(f"\n{told}")
    if given.json:
        tables.write_json(given.json, {"environment": environment, "failed": failed, "rows": [asdict(row) for row in limited]})
    if any(broken(row, limit_of(row, limited)) for row in ours):
        sys.exit(3)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
