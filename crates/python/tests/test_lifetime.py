"""Engines come and go: memory stays flat, forks are refused, and nothing takes the interpreter with it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap

import pytest

from pacemark import Engine, EngineError, _native

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


def test_a_report_of_the_command_line(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pacemark.main", "--benchmark", "--model", TINY, "--benchmark-output", str(tmp_path),
         "--output-length", "4", "--test-runs", "5", "--duration-seconds", "0.2"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Report saved to: ") and os.path.isfile(done.stdout.split(": ", 1)[1].strip())
    wrong = subprocess.run(
        [sys.executable, "-m", "pacemark.main", "--benchmark", "--model", "no-such-model"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert wrong.returncode == 1 and "error: " in wrong.stderr and "Traceback" not in wrong.stderr
