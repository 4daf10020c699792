"""OpenVINO GenAI's rates at one kind of work, for `engines.OpenVino`, which runs this with the Python that has it.

    openvino_rates.py '{"model": …, "kind": "decode", …}'     prints {"version": …, "rates": […]} as its last line

Requests are given as token ids and computed step by step: the steps until the first token are the prompt, the others generate.
"""

from __future__ import annotations

import importlib
import json
import random
import re
import sys
import time
from typing import Any

# It would tell its makers of each use.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

# Tokens of a block of its cache on processors.
BLOCK = 32
# Prompt tokens computed at once, as llama.cpp's and our default.
BATCH = 512


def pipeline(ask: dict[str, Any], genai: Any, n_seqs: int, n_tokens: int) -> Any:
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = (n_tokens // BLOCK + 2) * n_seqs
    scheduler.max_num_batched_tokens, scheduler.max_num_seqs = BATCH, n_seqs
    scheduler.enable_prefix_caching = False
    options = {"INFERENCE_NUM_THREADS": ask["threads"]}
    if ask["kv"] is not None:
        options["KV_CACHE_PRECISION"] = {"f16": "f16", "q8_0": "u8"}[ask["kv"]]
    return genai.ContinuousBatchingPipeline(ask["model"], scheduler, "CPU", options)


class Steps:
    """Runs equal requests together and times the two parts."""

    def __init__(self, runs: Any, genai: Any, ov: Any, numpy: Any) -> None:
        self.runs, self.genai, self.ov, self.numpy, self.n = runs, genai, ov, numpy, 0

    def seconds(self, n_seqs: int, n_prompt: int, n_new: int) -> tuple[float, float]:
        """Until all have their first token, and from there until all have `n_new`."""
        config = self.genai.GenerationConfig()
        config.max_new_tokens, config.min_new_tokens, config.ignore_eos = n_new, n_new, True
        handles = []
        for _ in range(n_seqs):
            # Ids that every vocabulary has, of no special token.
            ids = self.numpy.array([[random.randrange(300, 1400) for _ in range(n_prompt)]], dtype=self.numpy.int64)
            handles.append(self.runs.add_request(self.n, self.ov.Tensor(ids), config))
            self.n += 1
        begun = time.perf_counter()
        while not all(handle.can_read() for handle in handles):
            self.runs.step()
        first = time.perf_counter()
        while self.runs.has_non_finished_requests():
            self.runs.step()
        ended = time.perf_counter()
        for handle in handles:
            n = sum(len(output.generated_ids) for output in handle.read_all())
            if n != n_new:
                raise RuntimeError(f"{n} tokens came of {n_new}")
        return first - begun, ended - first


def rates(ask: dict[str, Any], genai: Any, ov: Any, numpy: Any) -> list[float]:
    n_seqs, each_prompt, each_new = ask["together"] if ask["kind"] == "eight" else (1, 0, 0)
    # The prompt gives the first token, so that there is one more than steps to time.
    n_prompt, n_new = {
        "prefill": (ask["prompt"], 1),
        "decode": (1, ask["generated"] + 1),
        "eight": (each_prompt, each_new + 1),
        "depth": (ask["depth"], ask["generated"] + 1),
    }[ask["kind"]]
    steps = Steps(pipeline(ask, genai, n_seqs, n_prompt + n_new), genai, ov, numpy)
    counted = []
    for i in range(ask["repetitions"] + 1):
        prompt_s, generate_s = steps.seconds(n_seqs, n_prompt, n_new)
        if i > 0:
            counted.append(n_prompt / prompt_s if ask["kind"] == "prefill" else n_seqs * (n_new - 1) / generate_s)
    return counted


def main() -> None:
    ask = json.loads(sys.argv[1])
    try:
        genai, ov, numpy = (importlib.import_module(name) for name in ("openvino_genai", "openvino", "numpy"))
        print(json.dumps({"version": genai.__version__, "rates": rates(ask, genai, ov, numpy)}))
    except (ImportError, RuntimeError) as why:
        # Where in its sources it was is nothing to whom it is told.
        text = re.sub(r"Exception from \S+:|Check '.*?' failed at \S+:\d+:", "", str(why), flags=re.DOTALL)
        sys.exit(f"error: {' '.join(text.split()) or why}")


if __name__ == "__main__":
    main()
