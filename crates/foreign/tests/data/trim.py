"""Keeps of the tools' results what says something of the measurement: no texts, no paths, no further statistics."""
import json
import sys

SUMMARIES = ["request_totals", "requests_per_second", "output_tokens_per_second", "request_latency",
             "time_to_first_token_ms", "inter_token_latency_ms"]


def summary(metric):
    """One status of a distribution, without its percentiles' own intervals."""
    if not isinstance(metric.get("successful"), dict):
        return metric
    keep = ["mean", "median", "std_dev", "count", "percentiles"]
    return {"successful": {key: metric["successful"][key] for key in keep}}


def request(one):
    times = one["info"]["timings"]
    keep = ["targeted_start", "request_start", "first_token_iteration", "last_token_iteration", "request_end"]
    return {"info": {"timings": {key: times[key] for key in keep}}, "output_tokens": one["output_tokens"]}


with open(sys.argv[1]) as file:
    report = json.load(file)
trimmed = {"metadata": {key: report["metadata"][key] for key in ["version", "guidellm_version"]}, "benchmarks": []}
for benchmark in report["benchmarks"]:
    trimmed["benchmarks"].append({
        "config": {"strategy": benchmark["config"]["strategy"]},
        "metrics": {name: summary(benchmark["metrics"][name]) for name in SUMMARIES},
        "requests": {status: [request(one) for one in requests or []]
                     for status, requests in benchmark["requests"].items()},
    })
with open("guidellm.json", "w") as file:
    json.dump(trimmed, file, indent=1)
    file.write("\n")

with open(sys.argv[2]) as file:
    export = json.load(file)
METRICS = ["schema_version", "aiperf_version", "request_throughput", "request_latency", "request_count",
           "time_to_first_token", "inter_token_latency", "output_token_throughput",
           "output_token_throughput_per_user", "inter_chunk_latency", "benchmark_duration"]
trimmed = {name: export[name] for name in METRICS}
config = export["input_config"]
trimmed["input_config"] = {"models": config["models"], "phases": config["phases"]}
with open("aiperf.json", "w") as file:
    json.dump(trimmed, file, indent=1)
    file.write("\n")
