"""Pacemark and its peers: one process measures one kind of work on one model and gives a rate for each repetition.

Every engine computes the same numbers of tokens with as many threads, after one repetition (or its own warm-up) that is not
counted. What a rate is made of follows llama-bench and llama-batched-bench: loading is in none of them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from . import machine
from .machine import Failed
from .works import DEPTH, EACH_GENERATED, EACH_PROMPT, GENERATED, PROMPT, SEQUENCES, Work


@dataclass(frozen=True)
class Setting:
    """What is the same for all of them."""

    threads: int
    repetitions: int
    timeout_s: float


class Engine(Protocol):
    name: str
    version: str

    def rates(self, work: Work, model: str) -> list[float]:
        """Tokens a second of each repetition; raises `Failed` where it cannot do that."""


def throughput(work: Work) -> list[str]:
    """llama-bench's options for a kind of work, as ours takes them too."""
    if work.kind == "prefill":
        return ["-p", str(PROMPT), "-n", "0"]
    depth = ["-d", str(DEPTH)] if work.kind == "depth" else []
    return ["-p", "0", "-n", str(GENERATED), *depth]


def types(work: Work) -> list[str]:
    return [] if work.kv is None else ["-ctk", work.kv, "-ctv", work.kv]


def rows(text: str) -> list[dict[str, Any]]:
    """The JSON of a benchmark, whatever it printed before."""
    start = re.search(r"^\[", text, re.MULTILINE)
    if start is None:
        raise Failed(machine.reason(text) or "it printed nothing")
    try:
        told = json.loads(text[start.start() :])
    except ValueError as why:
        raise Failed(f"its JSON cannot be read: {why}") from why
    if not isinstance(told, list) or not told:
        raise Failed("its JSON has no row")
    return told


def per_repetition(told: list[dict[str, Any]]) -> list[float]:
    samples = told[0].get("samples_ts")
    if len(told) != 1 or not samples:
        raise Failed(f"one row with samples_ts was expected; there are {len(told)} rows")
    return [float(sample) for sample in samples]


@dataclass
class Pacemark:
    """Ours. `isa` forces a set of kernels, to stand beside a peer that was built for no more."""

    program: str
    setting: Setting
    isa: str | None = None
    name: str = "Pacemark"
    version: str = ""

    def rates(self, work: Work, model: str) -> list[float]:
        together = ["-npp", str(EACH_PROMPT), "-ntg", str(EACH_GENERATED), "-npl", str(SEQUENCES)]
        command = [self.program, "bench", "-m", model, "-t", str(self.setting.threads), "-o", "json"]
        command += [*(together if work.kind == "eight" else throughput(work)), *types(work)]
        command += ["-r", str(self.setting.repetitions), "--warmups", "1", "--no-roof", "--no-devices", "--no-history"]
        env = {} if self.isa is None else {"PACEMARK_ISA": self.isa}
        told = rows(machine.run(command, self.setting.timeout_s, env)[0])
        self.version = f"{told[0]['engine']}, {told[0]['build_commit']}, {told[0]['isa']}"
        if work.kind != "eight":
            return per_repetition(told)
        generated = SEQUENCES * EACH_GENERATED
        return [generated * 1e9 / (all_ns - pp_ns) for all_ns, pp_ns in zip(told[0]["samples_ns"], told[0]["samples_pp_ns"])]


@dataclass
class Llama:
    """llama.cpp by its own llama-bench, eight together by llama-batched-bench, both with flash attention."""

    program: str
    batched: str | None
    setting: Setting
    extra: list[str] = field(default_factory=list)
    name: str = "llama.cpp"
    version: str = ""

    def rates(self, work: Work, model: str) -> list[float]:
        if work.kind == "eight":
            return self.together(model)
        command = [self.program, "-m", model, "-t", str(self.setting.threads), "-o", "json", "-fa", "1"]
        command += [*self.work(work), *types(work), "-r", str(self.setting.repetitions), *self.extra]
        told = rows(machine.run(command, self.setting.timeout_s)[0])
        self.version = self.version or self.versions(told[0])
        return per_repetition(told)

    def versions(self, row: dict[str, Any]) -> str:
        """The commit; a build from an archive does not know it, but newer programs know their release."""
        commit = f"{row.get('build_commit')} ({row.get('build_number')})"
        try:
            told = "\n".join(machine.run([self.program, "--version"], 60))
        except Failed:
            return commit
        return next((line.removeprefix("version:").strip() for line in told.splitlines() if line.startswith("version:")), commit)

    def work(self, work: Work) -> list[str]:
        return throughput(work)

    def together(self, model: str) -> list[float]:
        """The table's rows after the first, which warms up: the tool has no repetitions of its own."""
        if self.batched is None:
            raise Failed("its batched-bench was not given")
        times = ",".join([str(SEQUENCES)] * (self.setting.repetitions + 1))
        command = [self.batched, "-m", model, "-t", str(self.setting.threads), "-c", "1024", "-fa", "on"]
        command += ["-npp", str(EACH_PROMPT), "-ntg", str(EACH_GENERATED), "-npl", times]
        told = "\n".join(machine.run([*command, *self.extra], self.setting.timeout_s))
        # | PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s | T s | S t/s |
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines() if line.startswith("|")]
        rates = [float(cells[7]) for cells in lines if len(cells) == 10 and cells[2] == str(SEQUENCES)]
        if len(rates) != self.setting.repetitions + 1:
            raise Failed(f"{len(rates)} rows came of {self.setting.repetitions + 1}: {machine.reason(told)}")
        return rates[1:]


@dataclass
class IkLlama(Llama):
    """ik_llama.cpp, whose llama-bench has depth under another name."""

    name: str = "ik_llama.cpp"

    def work(self, work: Work) -> list[str]:
        return ["-p", "0", "-n", "0", "-gp", f"{DEPTH},{GENERATED}"] if work.kind == "depth" else throughput(work)


@dataclass
class OpenVino:
    """OpenVINO GenAI in a process of the Python that has it (`openvino_rates.py`)."""

    python: str
    setting: Setting
    isa: str | None = None
    name: str = "OpenVINO GenAI"
    version: str = ""

    def rates(self, work: Work, model: str) -> list[float]:
        if self.isa is not None:
            raise Failed("it chooses its instructions itself, which is no pair to --isa")
        script = Path(__file__).with_name("openvino_rates.py")
        ask = {
            "model": model, "kind": work.kind, "kv": work.kv, "threads": self.setting.threads,
            "repetitions": self.setting.repetitions, "prompt": PROMPT, "generated": GENERATED, "depth": DEPTH,
            "together": [SEQUENCES, EACH_PROMPT, EACH_GENERATED],
        }  # fmt: skip
        told = json.loads(machine.run([self.python, str(script), json.dumps(ask)], self.setting.timeout_s)[0].splitlines()[-1])
        self.version = told["version"]
        return [float(rate) for rate in told["rates"]]
