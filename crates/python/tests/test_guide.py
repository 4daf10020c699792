"""Every Python example of the benchmark guide, as it stands there but for the package's name.

Each runs in a namespace of its own, in a directory with the guide's `config/benchmark.yaml`, with the real model where that is
here and a shape with random weights where not. `guide_names.SHORT` has the only numerals that are changed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacemark import Engine

import guide_names
from conftest import TINY, real_model

GUIDE = Path(__file__).parent / "guide"
BLOCKS = sorted(GUIDE.glob("block_*.py"))

# What each prints, as far as that is certain.
PRINTS = {
    1: ["TTFT: ", " ms", "Tokens/s: ", "E2E Latency: "],
    2: ["Input 128: ", "Input 512: ", "Input 1024: ", "Input 2048: "],
    3: ["Model Load: ", " GB", "Inference Memory: ", "Peak Memory: "],
    4: ["fp32: ", "8bit: ", "4bit: "],
    5: ["Single Request: ", "Concurrent (4): ", "Batch (8): "],
    6: ["Report saved to: data/benchmarks/"],
    8: ["Failed: tokens_per_second = ", "Failed: memory_gb = None (target: 2.0)"],
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(real_model() or TINY) as found:
        yield found


def number(block: Path) -> int:
    return int(block.stem.split("_")[1])


def test_all_of_them_are_here() -> None:
    assert [number(block) for block in BLOCKS] == list(range(1, 15))
    whole = "".join(block.read_text() for block in BLOCKS)
    for short in guide_names.SHORT:
        assert short in whole
    assert whole.count("from pacemark.benchmark.") == 5 and "mm_orch" not in whole


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.stem)
def test_an_example_runs(
    block: Path,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    n = number(block)
    source = block.read_text()
    if os.environ.get("PACEMARK_TEST_GUIDE") != "full":
        for long, short in guide_names.SHORT.items():
            source = source.replace(long, short)
    if n == 9:
        pytest.importorskip("yaml")
    shutil.copytree(GUIDE / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    names = guide_names.made(n, engine, tmp_path / "reports")
    exec(compile(source, str(block), "exec"), names)
    printed = capsys.readouterr().out
    for text in PRINTS.get(n, []):
        assert text in printed
    if n == 6:
        report = json.loads(Path(names["report_path"]).read_text())
        assert report["model_name"] == "gpt2" and report["latency"]["ttft_ms"] > 0
        assert report["throughput"]["batch_8_tps"] > 0 and report["throughput"]["concurrent_4_rps"] > 0
    if n == 7:
        assert len(Path(names["csv_path"]).read_text().splitlines()) == 3
    if n == 11:
        assert len(names["all_results"]) == 5 and names["avg_tps"] > 0
