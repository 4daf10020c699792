"""Pacemark from Python: an engine for language models, and a laboratory to measure it in.

    from pacemark import Engine

    with Engine("smollm2-135m") as engine:
        print(engine.generate("Once upon a time", max_tokens=32).text)

`pacemark.benchmark` measures latency, memory and throughput. All waiting is done without the interpreter's lock.
"""

from __future__ import annotations

from pacemark._native import Token, __version__
from pacemark.engine import Engine, TokenStream
from pacemark.errors import (
    EngineClosedError,
    EngineError,
    ModelError,
    PacemarkError,
    RequestError,
)
from pacemark.models import ModelConfig, ModelManager
from pacemark.results import Generation, Memory, RequestSample, Score, to_pandas

__all__ = [
    "Engine",
    "EngineClosedError",
    "EngineError",
    "Generation",
    "Memory",
    "ModelConfig",
    "ModelError",
    "ModelManager",
    "PacemarkError",
    "RequestError",
    "RequestSample",
    "Score",
    "Token",
    "TokenStream",
    "__version__",
    "to_pandas",
]
