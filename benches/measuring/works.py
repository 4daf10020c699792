"""What the engines are asked to do, and what is known of each before it runs."""

from __future__ import annotations

from dataclasses import dataclass

PROMPT, GENERATED = 512, 96
SEQUENCES, EACH_PROMPT, EACH_GENERATED = 8, 32, 50
DEPTH = 4096
NAMES = ("prefill", "decode", "eight", "depth")


@dataclass(frozen=True)
class Work:
    """One cell: the rate of `kind`'s tokens, with keys and values as `kv` (the engine's own choice where that is None)."""

    kind: str
    kv: str | None = None

    @property
    def title(self) -> str:
        return self.kind if self.kv is None else f"{self.kind} {DEPTH}, {self.kv}"


def works(names: list[str]) -> list[Work]:
    """Depth is two cells: the type of keys and values is what counts there."""
    return [work for name in names for work in ([Work(name, "f16"), Work(name, "q8_0")] if name == "depth" else [Work(name)])]


def meaning() -> str:
    """Below a table, so that it can be read alone."""
    return (
        f"prefill: {PROMPT} tokens; decode: {GENERATED} tokens after the first; eight: {SEQUENCES} sequences together, "
        f"{EACH_PROMPT} prompt tokens each, the rate of generating {EACH_GENERATED} each; depth: {GENERATED} tokens after "
        f"{DEPTH} of context. OpenVINO keeps keys and values as it chooses where no type is named; its u8 stands for q8_0."
    )
