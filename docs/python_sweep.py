"""A sweep from Python: load, measure prompt lengths by threads, put it into a table, plot it.

Runs cell by cell where an editor knows `# %%`, or as a script. Takes pandas; with matplotlib it draws sweep.png. Leaves sweep.csv.
PACEMARK_SWEEP_MODEL and PACEMARK_SWEEP_RUNS change the model and the number of runs.
"""

# %% What is measured
import os

from pacemark import Engine, to_pandas
from pacemark.benchmark import LatencyBenchmark, LatencyResult

MODEL = os.environ.get("PACEMARK_SWEEP_MODEL", "smollm2-135m")
RUNS = int(os.environ.get("PACEMARK_SWEEP_RUNS", "5"))
LENGTHS = [16, 64, 256]
THREADS = sorted({1, max(1, (os.cpu_count() or 1) // 2), os.cpu_count() or 1})

# %% Load and sweep: what was measured before a Ctrl-C is kept
results: dict[str, LatencyResult] = {}
bench = LatencyBenchmark(warmup_runs=1, test_runs=RUNS)
try:
    for threads in THREADS:
        with Engine(MODEL, threads=threads) as engine:
            for length in LENGTHS:
                # Texts of exactly so many tokens are made of tokens; a benchmark takes texts, so this is about as many.
                prompt = engine.decode(engine.encode("the sea and the river " * length)[:length])
                results[f"{threads} threads, {length} tokens"] = bench.run(engine, [prompt], output_length=32)
except KeyboardInterrupt as interrupt:
    print("interrupted; of the row that was under way there is", getattr(interrupt, "partial", None))

# %% A table: a row each
table = to_pandas(results)
table["threads"] = [int(name.split()[0]) for name in results]
table["prompt_tokens"] = [result.samples[0].prompt_tokens for result in results.values()]
table.to_csv("sweep.csv")
columns = ["ttft_ms", "tokens_per_second", "tokens_per_second_ci95_low", "tokens_per_second_ci95_high"]
print(table[columns].to_string())

# %% Plot: means, with their intervals where there are runs enough
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("no matplotlib: pip install matplotlib draws sweep.png")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for n_threads, rows in table.groupby("threads"):
        left.plot(rows["prompt_tokens"], rows["ttft_ms"], marker="o", label=f"{n_threads} threads")
        low, high = rows["tokens_per_second_ci95_low"], rows["tokens_per_second_ci95_high"]
        rate = rows["tokens_per_second"]
        ends = [(rate - low.astype(float)).fillna(0), (high.astype(float) - rate).fillna(0)]
        right.errorbar(rows["prompt_tokens"], rate, yerr=ends, marker="o", capsize=3, label=f"{n_threads} threads")
    left.set(xlabel="prompt tokens", ylabel="TTFT, ms", ylim=(0, None))
    right.set(xlabel="prompt tokens", ylabel="tokens/s after the first", ylim=(0, None))
    left.legend()
    figure.suptitle(MODEL)
    figure.tight_layout()
    figure.savefig("sweep.png", dpi=120)
    print("sweep.png")
