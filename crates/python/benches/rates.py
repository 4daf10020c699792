"""Whether the package is as fast as the binary: both in fresh processes, in turn (A B B A), on one model.

    python crates/python/benches/rates.py target/release/pacemark [MODEL] [PAIRS]

Each process answers a prompt of 64 tokens with 100, five times after two warm-ups. Printed are the ratios package / binary of the
rate after the first token and of the whole request's time, with a 95 % interval over pairs. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile

from pacemark import _native

N_PROMPT, N_GEN, RUNS, WARMUPS = 64, 100, 5, 2

PACKAGE = f"""
import json, sys
from pacemark import Engine
with Engine(sys.argv[1]) as engine:
    prompt = [(i * 7919 + 13) % 30000 for i in range({N_PROMPT})]
    run = lambda n: engine._native.timed([prompt], max_tokens={N_GEN}, n_requests=n)
    run({WARMUPS})
    print(json.dumps([[s.token_ms[0], s.token_ms[-1], s.e2e_ms] for s in run({RUNS})]))
"""


def package(model: str) -> tuple[float, float]:
    """Median rate after the first token, and median time, of the package."""
    told = subprocess.run([sys.executable, "-c", PACKAGE, model], check=True, capture_output=True, text=True)
    samples = json.loads(told.stdout)
    rates = [(N_GEN - 1) * 1e3 / (last - first) for first, last, _ in samples]
    return statistics.median(rates), statistics.median(e2e for _, _, e2e in samples)


def binary(program: str, model: str) -> tuple[float, float]:
    """The same of the binary."""
    line = [program, "bench", "-m", model, "-p", "0", "-n", "0", "-pg", f"{N_PROMPT},{N_GEN}", "-r", str(RUNS)]
    line += ["--warmups", str(WARMUPS), "--no-roof", "--no-history", "--save"]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/run.json"
        subprocess.run([*line, path], check=True, capture_output=True)
        with open(path, encoding="utf-8") as file:
            samples = json.load(file)["trials"][0]["samples"]
    rates = [len(s["gaps_ns"]) * 1e9 / sum(s["gaps_ns"]) for s in samples]
    return statistics.median(rates), statistics.median(s["elapsed_ns"] / 1e6 for s in samples)


def told(name: str, ratios: list[float]) -> None:
    interval = _native.mean_interval([math.log(ratio) for ratio in ratios])
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
    ends = "too few pairs for an interval" if interval is None else f"{math.exp(interval[0]):.4f} to {math.exp(interval[1]):.4f}"
    print(f"{name}: {mean:.4f} ({ends}), {len(ratios)} pairs")


def main() -> None:
    program, model = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else "smollm2-135m")
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    rates, times = [], []
    for i in range(n):
        first, second = (package(model), binary(program, model)) if i % 2 == 0 else (binary(program, model), package(model))
        own, other = (first, second) if i % 2 == 0 else (second, first)
        rates.append(own[0] / other[0])
        times.append(other[1] / own[1])
        print(f"pair {i + 1}: {own[0]:.1f} and {other[0]:.1f} t/s, {own[1]:.1f} and {other[1]:.1f} ms", file=sys.stderr)
    told("rate after the first token, package / binary", rates)
    told("requests in the same time, package / binary", times)


if __name__ == "__main__":
    main()
