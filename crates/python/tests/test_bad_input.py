"""Arguments of wrong types and values: a TypeError or a ValueError that names the argument, and nothing is computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import pacemark
from pacemark import Engine, ModelConfig, ModelError, ModelManager
from pacemark.benchmark import (
    BenchmarkReporter,
    LatencyBenchmark,
    MemoryBenchmark,
    ThroughputBenchmark,
    validate_targets,
)

from conftest import TINY

Call = Callable[[Any], object]

# What is called with the tiny engine, the error, and what it must name.
TABLE: list[tuple[Call, type[Exception], str]] = [
    (lambda e: e.generate(), TypeError, "prompt"),
    (lambda e: e.generate(None), TypeError, "prompt"),
    (lambda e: e.generate(3), TypeError, "prompt"),
    (lambda e: e.generate(b"abc"), TypeError, "prompt"),
    (lambda e: e.generate(""), ValueError, "prompt"),
    (lambda e: e.generate([]), ValueError, "prompt"),
    (lambda e: e.generate([1, "a"]), TypeError, r"prompt\[1\]"),
    (lambda e: e.generate([1, True]), TypeError, r"prompt\[1\]"),
    (lambda e: e.generate([-1]), ValueError, r"prompt\[0\]"),
    (lambda e: e.generate([300]), ValueError, "300"),
    (lambda e: e.generate([1.5]), TypeError, r"prompt\[0\]"),
    (lambda e: e.generate("\ud800"), ValueError, "surrogates"),
    (lambda e: e.generate("a", 5), TypeError, "positional"),
    (lambda e: e.generate("a", max_tokens="8"), TypeError, "max_tokens"),
    (lambda e: e.generate("a", max_tokens=True), TypeError, "max_tokens"),
    (lambda e: e.generate("a", max_tokens=2.0), TypeError, "max_tokens"),
    (lambda e: e.generate("a", max_tokens=-1), ValueError, "max_tokens"),
    (lambda e: e.generate("a", max_tokens=2**70), ValueError, "max_tokens"),
    (lambda e: e.generate("a", max_token=1), TypeError, "did you mean 'max_tokens'"),
    (lambda e: e.generate("a", nonsense=1), TypeError, "nonsense"),
    (lambda e: e.generate("a", temperature="hot"), TypeError, "temperature"),
    (lambda e: e.generate("a", temperature=math.nan), ValueError, "temperature"),
    (lambda e: e.generate("a", temperature=math.inf), ValueError, "temperature"),
    (lambda e: e.generate("a", temperature=-1), ValueError, "temperature"),
    (lambda e: e.generate("a", top_p=1.5), ValueError, "top_p"),
    (lambda e: e.generate("a", min_p=None), TypeError, "min_p"),
    (lambda e: e.generate("a", top_k=-3), ValueError, "top_k"),
    (lambda e: e.generate("a", repetition_penalty=0), ValueError, "repetition_penalty"),
    (lambda e: e.generate("a", seed=-1), ValueError, "seed"),
    (lambda e: e.generate("a", seed=2**64), ValueError, "seed"),
    (lambda e: e.generate("a", stop=3), TypeError, "stop"),
    (lambda e: e.generate("a", stop=False), TypeError, "stop"),
    (lambda e: e.generate("a", stop=["a", 3]), TypeError, r"stop\[1\]"),
    (lambda e: e.generate("a", stop=[""]), ValueError, "stop"),
    (lambda e: e.generate("a", ignore_eos=1), TypeError, "ignore_eos"),
    (lambda e: e.generate("a", stream="yes"), TypeError, "stream"),
    (lambda e: e.generate("a", callback=3), TypeError, "callback"),
    (lambda e: e.generate("a", json_schema=[1]), TypeError, "json_schema"),
    (lambda e: e.generate("a", json_schema={"a": object()}), ValueError, "json_schema"),
    (lambda e: e.generate("a", regex="a", grammar="b"), ValueError, "regex and grammar"),
    (lambda e: e.chat("hello"), TypeError, "messages"),
    (lambda e: e.chat({"role": "user"}), TypeError, "messages"),
    (lambda e: e.chat([]), ValueError, "messages"),
    (lambda e: e.chat(["hello"]), TypeError, r"messages\[0\]"),
    (lambda e: e.chat([{"content": "hello"}]), TypeError, "role"),
    (lambda e: e.chat([{"role": "user"}]), ValueError, "content"),
    (lambda e: e.generate({1: 2}), TypeError, "prompt"),
    (lambda e: e.generate(iter([1])), TypeError, "prompt"),
    (lambda e: e.generate({1, 2}), TypeError, "prompt"),
    (lambda e: e.generate([1, 300]), ValueError, r"^prompt\[1\]"),
    (lambda e: e.chat([{"role": "user", "content": object()}]), TypeError, r"messages\[0\]"),
    (lambda e: e.chat([{"role": "user", "content": 5}]), TypeError, r'^messages\[0\]\["content"\]: expected a string or a list'),
    (lambda e: e.chat([{"role": "user", "content": ["a"]}]), TypeError, r'^messages\[0\]\["content"\]\[0\]'),
    (lambda e: e.chat([{"role": "user", "content": [{"type": 5}]}]), TypeError, r'\["content"\]\[0\]\["type"\]'),
    (lambda e: e.chat([{"role": "user", "content": [{"type": "text", "text": 5}]}]), TypeError, r'\[0\]\["text"\]'),
    (lambda e: e.chat([{"role": "user", "content": "\ud800"}]), ValueError, r'\["content"\]: expected .*surrogates'),
    (lambda e: e.chat([{"role": "user", "content": "a", "name": "\ud800"}]), ValueError, r"messages\[0\]: .*surrogates"),
    (lambda e: e.generate("a", json_schema={"const": "\ud800"}), ValueError, "json_schema: .*surrogates"),
    (lambda e: e.embed([]), ValueError, "text"),
    (lambda e: e.embed(["a", 3]), TypeError, r"text\[1\]"),
    (lambda e: e.embed("a", pooling="most"), ValueError, "pooling"),
    (lambda e: e.score("a"), ValueError, "text"),
    (lambda e: e.score(None), TypeError, "text"),
    (lambda e: e.score([1, 300]), ValueError, r"^text\[1\]"),
    (lambda e: e.score("a", context=[300]), ValueError, r"^context\[0\]"),
    (lambda e: e.embed([300]), ValueError, r"^text\[0\]"),
    (lambda e: e.score("a", context=3), TypeError, "context"),
    (lambda e: e.decode("abc"), TypeError, r"tokens\[0\]"),
    (lambda e: e.decode([2**40]), ValueError, "tokens"),
    (lambda e: e.count(3), TypeError, "text"),
    (lambda _: Engine(3), TypeError, "model"),  # type: ignore[arg-type]
    (lambda _: Engine(""), ValueError, "model"),
    (lambda _: Engine(TINY, threads=0), ValueError, "threads"),
    (lambda _: Engine(TINY, threads="2"), TypeError, "threads"),  # type: ignore[arg-type]
    (lambda _: Engine(TINY, n_ctx=-5), ValueError, "n_ctx"),
    (lambda _: Engine(TINY, max_num_seqs=0), ValueError, "max_num_seqs"),
    (lambda _: Engine(TINY, cache_type_k="f17"), ValueError, "cache_type_k"),
    (lambda _: Engine(TINY, cache_type_v=None), TypeError, "cache_type_v"),  # type: ignore[arg-type]
    (lambda _: Engine(TINY, progress=3), TypeError, "progress"),  # type: ignore[arg-type]
    (lambda _: Engine("no-such-model"), ModelError, "no-such-model"),
    (lambda _: Engine("/no/such/file.gguf"), ModelError, "/no/such/file.gguf"),
    (lambda _: Engine(__file__), ModelError, "test_bad_input.py"),
    (lambda _: LatencyBenchmark(warmup_runs=-1), ValueError, "warmup_runs"),
    (lambda _: LatencyBenchmark(test_runs=0), ValueError, "test_runs"),
    (lambda _: LatencyBenchmark(test_runs=1.5), TypeError, "test_runs"),  # type: ignore[arg-type]
    (lambda e: LatencyBenchmark().run("tiny", ["a"], 1), TypeError, "engine"),  # type: ignore[arg-type]
    (lambda e: LatencyBenchmark().run(e, "Hello", 1), TypeError, "prompts"),
    (lambda e: LatencyBenchmark().run(e, [], 1), ValueError, "prompts"),
    (lambda e: LatencyBenchmark().run(e, ["a", ""], 1), ValueError, r"prompts\[1\]"),
    (lambda e: LatencyBenchmark().run(e, ["a", 3], 1), TypeError, r"prompts\[1\]"),  # type: ignore[list-item]
    (lambda e: LatencyBenchmark().run(e, ["a"], 0), ValueError, "output_length"),
    (lambda e: LatencyBenchmark().run(e, ["a" * 4000], 100), ValueError, r"prompts\[0\].*4096"),
    (lambda _: MemoryBenchmark(measure_peak=1), TypeError, "measure_peak"),  # type: ignore[arg-type]
    (lambda _: MemoryBenchmark().measure_model_load(None, ModelConfig("a")), TypeError, "manager"),  # type: ignore[arg-type]
    (lambda _: MemoryBenchmark().measure_model_load(ModelManager(), "a"), TypeError, "model_config"),  # type: ignore[arg-type]
    (lambda e: MemoryBenchmark().measure_inference(e, ["a"], 1), TypeError, "prompt"),  # type: ignore[arg-type]
    (lambda _: ThroughputBenchmark(duration_seconds=0), ValueError, "duration_seconds"),
    (lambda _: ThroughputBenchmark(duration_seconds=math.nan), ValueError, "duration_seconds"),
    (lambda _: ThroughputBenchmark(duration_seconds="60"), TypeError, "duration_seconds"),  # type: ignore[arg-type]
    (lambda _: ThroughputBenchmark(tokens_per_request=0), ValueError, "tokens_per_request"),
    (lambda e: ThroughputBenchmark().measure_concurrent(e, ["a"], 0), ValueError, "num_concurrent"),
    (lambda e: ThroughputBenchmark().measure_batch(e, ["a"], 17), ValueError, "batch_size.*16"),
    (lambda e: ThroughputBenchmark().measure_single_request(e, "a"), TypeError, "prompts"),
    (lambda e: ThroughputBenchmark().measure_concurrent(e, ["a"], 5000), ValueError, "num_concurrent: .*4096"),
    (lambda _: Engine(TINY, max_num_seqs=5000), ValueError, "^max_num_seqs: .*4096"),
    (lambda _: ModelConfig(""), ValueError, "model_name"),
    (lambda _: ModelConfig("a", threads="x"), TypeError, "threads"),  # type: ignore[arg-type]
    (lambda _: ModelConfig("a", n_ctx=-3), ValueError, "n_ctx"),
    (lambda _: ModelConfig("a", quantization="2bit"), ValueError, "quantization"),  # type: ignore[arg-type]
    (lambda _: ModelManager().load(3), TypeError, "config"),  # type: ignore[arg-type]
    (lambda _: ModelManager().load(ModelConfig(__file__, "8bit")), ValueError, "quantization"),
    (lambda _: ModelManager().load(ModelConfig("synth:gpt2:Q4_0", "8bit")), ValueError, "Q4_0"),
    (lambda _: BenchmarkReporter(output_dir=3), TypeError, "output_dir"),  # type: ignore[arg-type]
    (lambda _: BenchmarkReporter().generate_json_report(3), TypeError, "model_name"),  # type: ignore[arg-type]
    (lambda _: BenchmarkReporter().generate_json_report("a", [3]), TypeError, r"latency_results\[0\]"),
    (lambda _: BenchmarkReporter().generate_csv_report("a", "all"), TypeError, "results"),
    (lambda _: validate_targets("a", None, {}), ValueError, "targets"),
    (lambda _: validate_targets("a", None, None), TypeError, "targets"),  # type: ignore[arg-type]
    (lambda _: validate_targets("a", None, {"max_ttft_mss": 1}), ValueError, "targets: .*did you mean ttft_ms"),
    (lambda _: validate_targets("a", None, {"ttft_ms": 1}), ValueError, "max_ttft_ms"),
    (lambda _: validate_targets("a", None, {"max_ttft_ms": "1"}), TypeError, "max_ttft_ms"),
    (lambda _: validate_targets("a", None, {"max_ttft_ms": math.nan}), ValueError, "max_ttft_ms"),
    (lambda _: validate_targets("a", None, {"ttft_ms": {"most": 1}}), ValueError, "ttft_ms"),
    (lambda _: validate_targets("a", 3, {"max_ttft_ms": 1}), TypeError, "results"),
]


@pytest.mark.parametrize("row", range(len(TABLE)))
def test_is_refused_with_its_name(tiny: Engine, row: int) -> None:
    call, kind, names = TABLE[row]
    with pytest.raises(kind, match=names):
        call(tiny)


def test_the_engine_answers_after_all_that(tiny: Engine) -> None:
    for call, kind, _ in TABLE:
        with pytest.raises(kind):
            call(tiny)
    assert tiny.generate("abc", max_tokens=3, ignore_eos=True).output_tokens == 3


def test_errors_are_one_family() -> None:
    for name in ("ModelError", "RequestError", "EngineError", "EngineClosedError"):
        kind = getattr(pacemark, name)
        assert issubclass(kind, pacemark.PacemarkError)
        assert getattr(pacemark.errors, name) is kind
    assert issubclass(pacemark.RequestError, ValueError)
    assert issubclass(pacemark.EngineClosedError, pacemark.EngineError)


def test_pandas_is_asked_for_by_name(tiny: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    score = tiny.score("abc")
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pacemark\[pandas\]"):
        score.to_pandas()
