"""Models for the tests: a tiny one with random weights, which every test may use, and a real one where its file is here.

`PACEMARK_TEST_MODELS` is the directory of the real models, as for the workspace's tests.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacemark import Engine

# A shell's background has it ignored, and what is started there inherits that: the tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

REAL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

# Bytes are its tokens, so any text has as many as its UTF-8; a token takes microseconds.
TINY = (
    'synth:{"architecture": "llama", "n_embd": 64, "n_ff": 128, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, '
    '"head_dim": 32, "n_vocab": 300, "n_ctx": 4096}:Q8_0'
)

# Milliseconds a token: what is interrupted must not be over before.
SLOW = (
    'synth:{"architecture": "llama", "n_embd": 1024, "n_ff": 2048, "n_layers": 8, "n_heads": 8, "n_kv_heads": 4, '
    '"head_dim": 128, "n_vocab": 300, "n_ctx": 4096}:Q8_0'
)

REPOSITORY = Path(__file__).resolve().parents[3]


def real_model() -> str | None:
    folder = os.environ.get("PACEMARK_TEST_MODELS")
    path = Path(folder, REAL_FILE) if folder else None
    return str(path) if path and path.is_file() else None


@pytest.fixture(scope="session")
def tiny() -> Iterator[Engine]:
    with Engine(TINY) as engine:
        yield engine


@pytest.fixture(scope="session")
def slow() -> Iterator[Engine]:
    with Engine(SLOW) as engine:
        yield engine


@pytest.fixture(scope="session")
def real() -> Iterator[Engine]:
    path = real_model()
    if path is None:
        pytest.skip("PACEMARK_TEST_MODELS has no " + REAL_FILE)
    with Engine(path) as engine:
        yield engine
