"""Models by name, and how their weights are held: what a benchmark's configuration has.

A name stands for a file, a directory or an entry of the catalog. One that is none of them but a known shape (`gpt2`) is loaded
with random weights of that shape: the same work, and answers that mean nothing. That is warned of.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal

from pacemark import _arguments as check
from pacemark import _native
from pacemark.engine import Engine

SYNTHETIC = "synth:"

TYPES = {None: "F16", "8bit": "Q8_0", "4bit": "Q4_K_M"}
"""The type of weights that each quantization means."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model and how its weights are held: as they are (of a shape F16), in 8 bits (Q8_0) or in 4 (Q4_K_M)."""

    model_name: str
    quantization: Literal["8bit", "4bit"] | None = None
    threads: int | None = None
    n_ctx: int | None = None

    def __post_init__(self) -> None:
        if not check.text("model_name", self.model_name):
            raise check.wrong_value("model_name", "a name or a path", self.model_name)
        if self.quantization is not None:
            check.one_of("quantization", self.quantization, ("8bit", "4bit"))
        if self.threads is not None:
            check.integer("threads", self.threads, 1, check.MOST_THREADS)
        if self.n_ctx is not None:
            check.integer("n_ctx", self.n_ctx, 1, check.MOST_CTX)

    def source(self) -> tuple[str, str | None]:
        """What `Engine` takes for it, and the type that a directory's weights are made into."""
        name = self.model_name
        shape = _native.shape_of(name)
        if shape is not None:
            warnings.warn(
                f"{name}: there is no file of it, so it is loaded as {shape}, its shape with random weights: the same work, "
                "and answers that mean nothing",
                stacklevel=3,
            )
            name = shape
        wanted = TYPES[self.quantization]
        if name.startswith(SYNTHETIC):
            return self._typed_shape(name, wanted), None
        if self.quantization is None:
            return name, None
        if os.path.isdir(name):
            return name, wanted
        raise self._refused("a file")

    def _typed_shape(self, name: str, wanted: str) -> str:
        """A shape with its type: `synth:SHAPE:TYPE`."""
        _, colon, typed = name[len(SYNTHETIC) :].rpartition(":")
        # A colon of a JSON object is no separator.
        if not colon or "}" in typed:
            return f"{name}:{wanted}"
        if self.quantization is not None and typed != wanted:
            raise self._refused(typed)
        return name

    def _refused(self, what: str) -> ValueError:
        return ValueError(
            f"quantization: expected None for {self.model_name}, found {self.quantization!r}: it is of shapes without a type and "
            f"of Hugging Face directories, and this is {what}; `pacemark models quantize` makes a file of a type"
        )


class ModelManager:
    """Loads models, and closes those that are still open when it is left."""

    def __init__(self) -> None:
        self._engines: list[Engine] = []

    def load(self, config: ModelConfig | str) -> Engine:
        """An engine of a model. Whoever loads it closes it, or has it unloaded."""
        if isinstance(config, str):
            config = ModelConfig(config)
        if not isinstance(config, ModelConfig):
            raise check.wrong_type("config", "a ModelConfig or a name", config)
        name, weights = config.source()
        engine = Engine(name, threads=config.threads, n_ctx=config.n_ctx, weights=weights)
        self._engines = [one for one in self._engines if not one.is_closed]
        self._engines.append(engine)
        return engine

    def unload(self, engine: Engine) -> None:
        """Closes an engine."""
        if not isinstance(engine, Engine):
            raise check.wrong_type("engine", "a pacemark.Engine", engine)
        engine.close()
        self._engines = [one for one in self._engines if one is not engine]

    def unload_all(self) -> None:
        """Closes all engines that it loaded."""
        for engine in list(self._engines):
            self.unload(engine)

    def __enter__(self) -> ModelManager:
        return self

    def __exit__(self, *_: Any) -> None:
        self.unload_all()


__all__ = ["ModelConfig", "ModelManager"]
