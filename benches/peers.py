"""Pacemark beside llama.cpp, ik_llama.cpp and OpenVINO GenAI: in turn on one machine, ratios with intervals.

    python benches/peers.py --pacemark target/release/pacemark --llama-bench PATH --llama-batched-bench PATH \\
        --ik-llama-bench PATH --ik-llama-batched-bench PATH --openvino PYTHON \\
        --model smollm2-135m --model file.gguf --model synth:qwen3-0.6b:Q4_K_M -t 2 --rounds 6 --json peers.json

In every round each engine runs once, a process each, for one kind of work on one model; the order turns from round to round, and
every other round goes backwards. A ratio is taken within a round; printed is the geometric mean with its 95 % interval
(bootstrap over rounds). An engine that fails at something gets a dash and its reason. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import machine, tables, works
from measuring.cells import Cell, notes, order, table
from measuring.engines import Engine, IkLlama, Llama, OpenVino, Pacemark, Setting
from measuring.machine import Failed

PROGRAMS = ("pacemark", "llama_bench", "llama_batched_bench", "ik_llama_bench", "ik_llama_batched_bench", "openvino")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pacemark", required=True, metavar="BIN", help="a release build")
    parser.add_argument("--llama-bench", metavar="PATH", help="llama.cpp's, built for this processor")
    parser.add_argument("--llama-batched-bench", metavar="PATH", help="for eight together [default: beside --llama-bench]")
    parser.add_argument("--ik-llama-bench", metavar="PATH", help="ik_llama.cpp's")
    parser.add_argument("--ik-llama-batched-bench", metavar="PATH", help="[default: beside --ik-llama-bench]")
    parser.add_argument("--openvino", metavar="PYTHON", help="a Python that has openvino-genai")
    parser.add_argument("--model", required=True, action="append", help="a GGUF file, a name Pacemark knows or synth:SHAPE:TYPE")
    parser.add_argument("-t", "--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("-r", "--repetitions", type=int, default=3, help="in each process; their median counts")
    parser.add_argument("--work", default=",".join(works.NAMES), help=f"some of {','.join(works.NAMES)}")
    parser.add_argument("--isa", help="kernels of Pacemark (PACEMARK_ISA), beside peers that were built for the same")
    parser.add_argument("--llama-args", default="", help="further arguments of llama.cpp's programs, e.g. '--repack 0'")
    parser.add_argument("--ik-args", default="", help="further arguments of ik_llama.cpp's programs, e.g. '-rtr 1'")
    parser.add_argument("--timeout", type=float, default=900, metavar="S", help="for each process")
    parser.add_argument("--json", metavar="FILE", help="every rate of every round")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    given = parser.parse_args()
    unknown = [name for name in given.work.split(",") if name not in works.NAMES]
    if unknown:
        parser.error(f"--work: {unknown[0]} is none of {', '.join(works.NAMES)}")
    for name in ("threads", "rounds", "repetitions"):
        if getattr(given, name) < 1:
            parser.error(f"--{name}: at least 1")
    for name in PROGRAMS:
        # A peer that is not there is a slip of the one who asked, not a dash in the table.
        if (path := getattr(given, name)) is not None and shutil.which(path) is None:
            parser.error(f"--{name.replace('_', '-')}: {path} is no program")
    for name in ("llama", "ik_llama"):
        path = getattr(given, f"{name}_bench")
        if path and not getattr(given, f"{name}_batched_bench"):
            setattr(given, f"{name}_batched_bench", shutil.which(str(Path(path).with_name("llama-batched-bench"))))
    return given


def engines(given: argparse.Namespace) -> list[Engine]:
    setting = Setting(given.threads, given.repetitions, given.timeout)
    found: list[Engine] = [Pacemark(given.pacemark, setting, given.isa)]
    if given.llama_bench:
        found.append(Llama(given.llama_bench, given.llama_batched_bench, setting, given.llama_args.split()))
    if given.ik_llama_bench:
        found.append(IkLlama(given.ik_llama_bench, given.ik_llama_batched_bench, setting, given.ik_args.split()))
    if given.openvino:
        found.append(OpenVino(given.openvino, setting, given.isa))
    return found


def file_of(model: str, pacemark: str, folder: str) -> str:
    """The GGUF file of a model; a synthetic one is written for engines that know files only."""
    if Path(model).is_file():
        return model
    if model.startswith("synth:"):
        path = str(Path(folder) / (model.removeprefix("synth:").replace(":", "-").replace("/", "-") + ".gguf"))
        machine.run([pacemark, "models", "synth", model.removeprefix("synth:"), "-o", path], 900)
        return path
    return str(json.loads(machine.run([pacemark, "models", "info", model, "-o", "json"], 900)[0])["path"])


def sha256(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def write(given: argparse.Namespace, environment: dict[str, Any], found: list[Engine], cells: list[Cell]) -> None:
    """All that is known so far."""
    if not given.json:
        return
    programs = [path for name in PROGRAMS if (path := getattr(given, name)) is not None]
    written = {
        "environment": {**environment, "load_average_1m_after": machine.load_average()},
        "arguments": sys.argv[1:],
        "versions": {engine.name: engine.version for engine in found},
        "programs_sha256": {path: sha256(path) for path in programs},
        "cells": [cell.as_json([engine.name for engine in found]) for cell in cells],
    }
    tables.write_json(given.json, written)


def main() -> None:
    given = arguments()
    found = engines(given)
    cells: list[Cell] = []
    environment = machine.described(given.threads)
    machine.stop_as_interrupted()
    if (warning := machine.busy()) is not None:
        print(f"warning: {warning}", file=sys.stderr)
    interrupted = False
    with tempfile.TemporaryDirectory() as folder:
        try:
            paths = [(model, file_of(model, given.pacemark, folder)) for model in given.model]
            for model, path in paths:
                title = Path(model).stem if Path(model).is_file() else model
                for work in works.works(given.work.split(",")):
                    cells.append(Cell(title, work))
                    for index in range(given.rounds):
                        cells[-1].round(path, order(found, index))
                    write(given, environment, found, cells)
        except KeyboardInterrupt:
            interrupted = True
        except Failed as why:
            sys.exit(f"error: {why}")
    write(given, environment, found, cells)
    print(table(cells, [engine.name for engine in found], given.markdown))
    print("\n" + "\n\n".join(notes(cells, found, environment)))
    if interrupted:
        sys.exit("interrupted: this is what was measured so far")


if __name__ == "__main__":
    main()
