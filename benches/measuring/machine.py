"""The machine that figures are of, and programs run on it one at a time."""

from __future__ import annotations

import datetime
import os
import platform
import signal
import subprocess
from pathlib import Path
from typing import Any, Mapping, Sequence


class Failed(Exception):
    """A program that gave no figure, with the line that says why."""


def described(threads: int | None) -> dict[str, Any]:
    """What a reader of figures has to know: processor, memory, system, what else was running, when."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "logical_cpus": os.cpu_count(),
        "threads": threads or os.cpu_count(),
        "memory_mib": memory_mib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average_1m": load_average(),
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    except (AttributeError, ValueError, OSError):
        return None


def load_average() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def stop_as_interrupted() -> None:
    """An end by SIGTERM, too, keeps what was measured."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def busy() -> str | None:
    """What is to be said where other programs run: engines whose threads wait by spinning lose far more by them than others."""
    load = load_average()
    if load is None or load < 0.5:
        return None
    return f"{load} processes were running in the last minute; a fair comparison takes a machine that does nothing else"


class Others:
    """The share of all processors that other programs, and a hypervisor, took while something ran; nothing but on Linux."""

    def __init__(self) -> None:
        self.begun = self.seconds()

    def share(self) -> float | None:
        """Since it was made; programs of `run` count as ours once they have ended."""
        now = self.seconds()
        if self.begun is None or now is None or now[0] <= self.begun[0]:
            return None
        return max(0.0, (now[1] - self.begun[1]) / (now[0] - self.begun[0]))

    @staticmethod
    def seconds() -> tuple[float, float] | None:
        """Of all processors together since the machine began: seconds that passed, and those that others used."""
        try:
            line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        except OSError:
            return None
        # user nice system idle iowait irq softirq steal
        each = [int(x) / os.sysconf("SC_CLK_TCK") for x in line[1:9]]
        used = sum(os.times()[:4])
        return sum(each), sum(each) - each[3] - each[4] - used


def run(command: Sequence[str], timeout_s: float, env: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Standard output and standard error of a program that must succeed, within a time.

    Raises `Failed` with the line that tells why where it did not.
    """
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, errors="replace", timeout=timeout_s,
            env={**os.environ, **(env or {})}, check=False,
        )  # fmt: skip
    except FileNotFoundError as why:
        raise Failed(f"{command[0]}: no such program") from why
    except PermissionError as why:
        raise Failed(f"{command[0]}: not a program that may be run") from why
    except subprocess.TimeoutExpired as why:
        raise Failed(f"not finished within {timeout_s:.0f} s") from why
    if done.returncode != 0:
        raise Failed(reason(done.stderr) or reason(done.stdout) or f"ended with {done.returncode}")
    return done.stdout, done.stderr


def reason(text: str) -> str:
    """The first line that speaks of an error, else the first that is not empty, cut to what a table bears."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((line for line in lines if "error" in line.lower() or "panicked at" in line), (lines or [""])[0])
    if "panicked at" in first and first != lines[-1]:
        # Rust says where first, and what in the line below.
        first = lines[lines.index(first) + 1]
    first = first.removeprefix("error: ")
    return first if len(first) <= 200 else first[:199] + "…"
