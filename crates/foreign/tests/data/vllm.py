"""Writes results as vLLM's serve.py does (commit 009e6d4a): the fields of `benchmark()` and `main_async()`, its
summaries by NumPy as in `calculate_metrics()`, for requests whose stamps are made here."""
import json
import random

import numpy as np

random.seed(17)
N = 24
ttfts = [0.05 + 0.004 * random.random() for _ in range(N)]
itls = [[0.005 + 0.001 * random.random() for _ in range(7)] for _ in range(N)]
start_times = [0.04 * i for i in range(N)]
errors = [""] * N
output_lens = [8] * N
# One failed.
errors[5], ttfts[5], itls[5], output_lens[5] = "Internal Server Error", 0.0, [], 0

ok = [i for i in range(N) if not errors[i]]
latency = {i: ttfts[i] + sum(itls[i]) for i in ok}
series = {
    "ttft": [ttfts[i] for i in ok],
    "tpot": [(latency[i] - ttfts[i]) / (output_lens[i] - 1) for i in ok],
    "itl": [gap for i in ok for gap in itls[i]],
}
duration = max(start_times[i] + latency[i] for i in ok)
result = {
    "date": "20260101-000000", "endpoint_type": "openai", "backend": "openai", "label": None, "model_id": "mock",
    "tokenizer_id": "mock", "num_prompts": N, "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 2,
    "duration": duration, "completed": len(ok), "failed": N - len(ok), "total_input_tokens": 32 * len(ok),
    "total_output_tokens": sum(output_lens), "request_throughput": len(ok) / duration, "request_goodput": None,
    "output_throughput": sum(output_lens) / duration,
    "total_token_throughput": (32 * len(ok) + sum(output_lens)) / duration,
}
details = {
    "input_lens": [32] * N, "output_lens": output_lens, "ttfts": ttfts, "itls": itls, "start_times": start_times,
    "generated_texts": [""] * N, "errors": errors,
}
for name, values in series.items():
    result[f"mean_{name}_ms"] = float(np.mean(values)) * 1000
    result[f"median_{name}_ms"] = float(np.median(values)) * 1000
    result[f"std_{name}_ms"] = float(np.std(values)) * 1000
    result[f"p99_{name}_ms"] = float(np.percentile(values, 99)) * 1000
for path, written in [("vllm.json", result), ("vllm-detailed.json", {**result, **details})]:
    with open(path, "w") as file:
        json.dump(written, file)
        file.write("\n")
