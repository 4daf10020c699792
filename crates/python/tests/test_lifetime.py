"""Engines come and go: memory stays flat, forks are refused, and nothing takes the interpreter with it."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from pacemark import Engine, EngineError, _native
from pacemark.benchmark import LatencyBenchmark, MemoryBenchmark, ThroughputBenchmark, ThroughputResult
from pacemark.main import main

from conftest import SLOW, TINY

N_ENGINES = 100
# Of a process that has made the allocator's arenas and the code's pages its own.
N_BEFORE = 20
# An engine of the tiny model with its cache is some MiB: one that leaked would show at once.
MOST_GROWTH = 24 << 20


def make_and_drop(i: int) -> None:
    engine = Engine(TINY, max_num_seqs=4)
    assert engine.generate("abc", max_tokens=4, ignore_eos=True).output_tokens == 4
    if i % 2:
        engine.close()


def test_memory_is_flat_over_a_hundred_engines() -> None:
    if _native.memory_now() is None:
        pytest.skip("this system does not tell a process its memory")
    seen: list[int] = []
    for i in range(N_BEFORE + N_ENGINES):
        make_and_drop(i)
        if i % 10 == 9:
            gc.collect()
        if i >= N_BEFORE:
            seen.append(_native.memory_now() or 0)
    # Medians of the halves: single values have what is under way in them.
    first, second = sorted(seen[: N_ENGINES // 2]), sorted(seen[N_ENGINES // 2 :])
    growth = second[len(second) // 2] - first[len(first) // 2]
    assert growth < MOST_GROWTH, f"{growth} bytes over {N_ENGINES // 2} engines"


def run(code: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose end is looked at as well."""
    head = f"TINY = {TINY!r}\nSLOW = {SLOW!r}\n"
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)], capture_output=True, text=True, timeout=300
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_is_refused_and_ends_well() -> None:
    done = run(
        """
        import os
        from pacemark import Engine, EngineError
        engine = Engine(TINY)
        child = os.fork()
        if child == 0:
            try:
                engine.generate("abc", max_tokens=1)
            except EngineError as error:
                own = Engine(TINY)
                assert own.generate("abc", max_tokens=1, ignore_eos=True).output_tokens == 1
                engine.close()
                os._exit(7 if "spawn" in str(error) else 8)
            os._exit(9)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        assert engine.generate("abc", max_tokens=1, ignore_eos=True).output_tokens == 1
        """
    )
    assert done.returncode == 0, done.stderr
    assert issubclass(EngineError, RuntimeError)


def test_an_interpreter_ends_with_engines_open() -> None:
    done = run(
        """
        import threading
        from pacemark import Engine
        engine = Engine(SLOW)
        stream = engine.generate("abc", max_tokens=4000, ignore_eos=True, stream=True)
        next(stream)
        more = engine.generate("abc", max_tokens=4000, ignore_eos=True, stream=True)
        ask = lambda: engine.generate("abc", max_tokens=4000, ignore_eos=True)
        threading.Thread(target=ask, daemon=True).start()
        print("end")
        """
    )
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_an_interrupt_while_loading_is_one() -> None:
    done = run(
        """
        import os, signal, threading
        from pacemark import Engine
        big = SLOW.replace('"n_layers": 8', '"n_layers": 64')
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            Engine(big)
        except KeyboardInterrupt:
            with Engine(TINY) as engine:
                print(engine.generate("abc", max_tokens=2, ignore_eos=True).output_tokens)
        """
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


MAIN = [sys.executable, "-m", "pacemark.main", "--benchmark"]


def test_a_report_of_the_command_line(tmp_path: Path) -> None:
    short = ["--output-length", "4", "--test-runs", "5", "--duration-seconds", "0.2"]
    command = [*MAIN, "--model", TINY, "--benchmark-output", str(tmp_path), *short]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(Path(done.stdout.removeprefix("Report saved to: ").strip()).read_text())
    assert report["not_measured"] == {} and report["throughput"]["batch_8_tps"] > 0
    done = subprocess.run([*command, "--benchmark-format", "csv"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and len(list(tmp_path.glob("*.csv"))) == 1, done.stderr
    wrong = subprocess.run([*MAIN, "--model", "no-such-model"], capture_output=True, text=True, timeout=300)
    assert wrong.returncode == 1 and "error: " in wrong.stderr and "Traceback" not in wrong.stderr


def test_a_command_line_that_is_interrupted_leaves_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ThroughputBenchmark.measure_concurrent

    def interrupted(self: ThroughputBenchmark, engine: Engine, prompts: list[str], n: int) -> ThroughputResult:
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        endless = ThroughputBenchmark(30, self.tokens_per_request)
        return whole(endless, engine, prompts, n)

    monkeypatch.setattr(ThroughputBenchmark, "measure_concurrent", interrupted)
    short = ["--output-length", "4", "--test-runs", "5", "--duration-seconds", "0.2"]
    assert main(["--benchmark", "--model", TINY, "--benchmark-output", str(tmp_path), *short]) == 130
    report = json.loads(Path(capsys.readouterr().out.removeprefix("Report saved to: ").strip()).read_text())
    throughput = report["throughput"]
    assert report["latency"]["ttft_ms"] > 0 and throughput["single_request_tps"] > 0
    assert throughput["concurrent_4_rps"] > 0, "what was measured of it before"
    assert "batch_8_tps" not in throughput


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--batch-size", "99"], "batch_size: expected .* 16"),
        (["--concurrent", "0"], "concurrent"),
        (["--duration-seconds", "0"], "duration_seconds"),
        (["--test-runs", "0"], "test_runs"),
        (["--model", ""], "model_name"),
        (["--benchmark-output", "FILE"], "benchmark_output: .*FILE: "),
        (["--benchmark-output", "FILE/below"], "benchmark_output: .*FILE/below: "),
    ],
)
def test_what_would_be_refused_is_refused_before_measuring(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: list[str],
    says: str,
) -> None:
    (tmp_path / "FILE").write_text("")
    monkeypatch.chdir(tmp_path)

    def loaded(*_: object) -> None:
        raise AssertionError("it measures")

    monkeypatch.setattr(MemoryBenchmark, "measure_model_load", loaded)
    with pytest.raises(SystemExit) as ended:
        main(["--benchmark", "--model", TINY, *wrong])
    assert ended.value.code == 2 and re.search(f"error: .*{says}", capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"], "and nothing was made"


@pytest.mark.parametrize("error", [ValueError("cut off"), EngineError("cut off"), LookupError("cut off")])
def test_whatever_ends_a_command_line_leaves_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    whole = LatencyBenchmark.run

    def cut_off(self: LatencyBenchmark, engine: Engine, prompts: list[str], n: int) -> None:
        error.partial = whole(LatencyBenchmark(0, 2), engine, prompts, n)  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr(LatencyBenchmark, "run", cut_off)
    command = ["--benchmark", "--model", TINY, "--benchmark-output", str(tmp_path / "new"), "--output-length", "4"]
    if isinstance(error, LookupError):
        with pytest.raises(LookupError):
            main(command)
    else:
        assert main(command) == 1
    out, err = capsys.readouterr()
    assert ("error: cut off" in err) == (not isinstance(error, LookupError))
    report = json.loads(Path(out.removeprefix("Report saved to: ").strip()).read_text())
    assert report["latency"]["n_runs"] == 4 and report["memory"]["peak_gb"] > 0
