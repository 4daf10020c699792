"""Pacemark's server beside llama-server and OpenVINO GenAI, in turn, one computing at a time: their rates and paired ratios.

    llama-server -m MODEL --port 8081 -np 8 -c 4096 -t 2 &
    pacemark serve -m MODEL --port 8082 --max-num-seqs 8 -t 2 --quiet &
    python tests/clients/served.py pacemark MODEL --llama http://127.0.0.1:8081 --ours http://127.0.0.1:8082 [--openvino]

40 requests, 8 at a time, 32 prompt tokens, 50 generated. Both servers get them from `pacemark load`, each on a connection of its
own: llama-server ends a connection after a stream without saying so. OpenVINO (`pip install openvino-genai`) computes in this
process, without HTTP: one call with 40 prompts and `max_num_seqs` 8, which was faster than adding requests one by one. A round is
llama-server, ours, OpenVINO, OpenVINO, ours, llama-server; neighbours make the pairs. Run it on a machine that does nothing else.
"""
import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import time
import urllib.request

REQUESTS, AT_ONCE, PROMPT, OUTPUT, THREADS = 40, 8, 32, 50, 2


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pacemark")
    parser.add_argument("model", help="the GGUF file that all serve")
    parser.add_argument("--ours", required=True)
    parser.add_argument("--llama")
    parser.add_argument("--openvino", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--letters", action="store_true", help="for a synthetic vocabulary, which has no words")
    return parser.parse_args()


def n_tokens(url, text):
    """What our server counts."""
    body = json.dumps({"prompt": text}).encode()
    request = urllib.request.Request(url + "/tokenize", body, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))["count"]


def letters(url, path):
    """Prompts of random letters; `load` writes ten characters before each, which count."""
    with open(path, "w") as file:
        for _ in range(REQUESTS):
            text = ""
            while n_tokens(url, f"[{random.getrandbits(32):08x}] {text}") < PROMPT:
                text += random.choice("abcdefghijklmnopqrstuvwxyz ")
            file.write(json.dumps({"prompt": text}) + "\n")


def served(given, url):
    """Output tokens a second of one load, prompts included."""
    command = [given.pacemark, "load", "--url", url, "--endpoint", "completions", "--connections", "fresh", "-o", "json",
               "-c", str(AT_ONCE), "-n", str(REQUESTS), "--warmup", "0", "--output-tokens", str(OUTPUT)]
    if given.letters:
        letters(given.ours, "served-prompts.jsonl")
        command += ["--prompts", "served-prompts.jsonl"]
    else:
        command += ["--tokenizer", given.model, "--input-tokens", str(PROMPT)]
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]
    if row["failed"] or row["output_tokens"] != REQUESTS * OUTPUT or row["input_tokens"] != REQUESTS * PROMPT:
        sys.exit(f"{url}: {row['failed']} failed, {row['input_tokens']} tokens in, {row['output_tokens']} out")
    return row["output_ts_total"]


def openvino(model):
    """A function that does the same in this process."""
    import numpy
    import openvino
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.cache_size, scheduler.max_num_seqs, scheduler.max_num_batched_tokens = 2, AT_ONCE, 512
    scheduler.enable_prefix_caching = False
    pipeline = genai.ContinuousBatchingPipeline(model, scheduler, "CPU", {"INFERENCE_NUM_THREADS": THREADS})
    config = genai.GenerationConfig()
    config.max_new_tokens, config.min_new_tokens, config.ignore_eos = OUTPUT, OUTPUT, True

    def rate():
        ids = [[random.randrange(300, 1400) for _ in range(PROMPT)] for _ in range(REQUESTS)]
        prompts = [openvino.Tensor(numpy.array([row], dtype=numpy.int64)) for row in ids]
        begun = time.perf_counter()
        answers = pipeline.generate(prompts, [config] * REQUESTS)
        seconds = time.perf_counter() - begun
        assert all(len(answer.m_generation_ids[0]) == OUTPUT for answer in answers)
        return REQUESTS * OUTPUT / seconds

    return rate


def told(name, rates):
    print(f"{name:28} median {statistics.median(rates):7.1f} t/s ({min(rates):.1f} … {max(rates):.1f})")


def compared(name, rates):
    """Geometric mean of paired ratios with its 95 % interval (bootstrap)."""
    logs = [math.log(ours / other) for ours, other in rates]
    means = sorted(statistics.mean(random.choices(logs, k=len(logs))) for _ in range(4000))
    mean, low, high = (math.exp(x) for x in (statistics.mean(logs), means[100], means[3899]))
    print(f"ours / {name:21} {mean:.2f} ({low:.2f} … {high:.2f}), {len(logs)} pairs")


def main():
    given = arguments()
    sides = {"ours": lambda: served(given, given.ours)}
    if given.llama:
        sides["llama-server"] = lambda: served(given, given.llama)
    if given.openvino:
        sides["OpenVINO GenAI"] = openvino(given.model)
    order = [name for name in ("llama-server", "ours", "OpenVINO GenAI") if name in sides]
    rates, pairs = {name: [] for name in order}, {name: [] for name in order}
    for name in order:
        sides[name]()
    for _ in range(given.rounds):
        row = [(name, sides[name]()) for name in order + order[::-1]]
        for name, rate in row:
            print(f"{name}: {rate:.1f} t/s", file=sys.stderr)
            rates[name].append(rate)
        for (a, at_a), (b, at_b) in zip(row, row[1:]):
            if a != b:
                other, ours, rate = (b, at_a, at_b) if a == "ours" else (a, at_b, at_a)
                pairs[other].append((ours, rate))
    for name in order:
        told(name, rates[name])
    for name in order:
        if name != "ours":
            compared(name, pairs[name])


main()
