"""What the compiled part has. Everything here is for the package's own modules."""

from collections.abc import Callable, Sequence
from typing import final

class PacemarkError(Exception):
    """What all errors of this package are."""

class ModelError(PacemarkError):
    """A model that is not there, cannot be read, or cannot be computed."""

class RequestError(PacemarkError, ValueError):
    """A request that the engine cannot answer as it stands."""

class EngineError(PacemarkError, RuntimeError):
    """The engine computes nothing any more."""

class EngineClosedError(EngineError):
    """The engine was closed."""

@final
class Engine:
    """A loaded model and the thread that computes it; any number of threads may ask at once."""

    def __new__(
        cls,
        model: str,
        *,
        threads: int | None = None,
        n_ctx: int | None = None,
        max_num_seqs: int = 16,
        cache_type_k: str = "f16",
        cache_type_v: str = "f16",
        weights: str | None = None,
        prefix_cache: bool = True,
        progress: Callable[[int, int], object] | None = None,
    ) -> Engine:
        """`weights` is the type that a Hugging Face directory's are made into, as `--type` of the command is."""
    @property
    def is_closed(self) -> bool: ...
    @property
    def info(self) -> dict[str, str | int | bool]:
        """`backend`, `engine`, `isa`, `model_path`, `model_type`, `model_bytes`, `n_params`, `n_vocab`, `n_ctx`, `n_seqs`, `n_threads`,
        `kv_types`, `kv_bytes_per_token`."""
    def close(self) -> None: ...
    def memory(self) -> dict[str, int]:
        """`model_bytes`, `kv_allocated_bytes`, `kv_used_bytes`."""
    def encode(self, text: str, special: bool) -> list[int]: ...
    def decode(self, tokens: Sequence[int]) -> str: ...
    def encode_chat(self, messages: str, extra: str) -> list[int]:
        """Tokens of a conversation by the model's template; both are JSON."""
    def room(self, n_prompt: int, kv: str | None = None) -> int:
        """Tokens that may follow a prompt."""
    def start(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        presence_penalty: float = 0.0,
        frequency_penalty: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = ...,
        ignore_eos: bool = False,
        logprobs: int | None = None,
        json_schema: str | None = None,
        regex: str | None = None,
        grammar: str | None = None,
        kv: str | None = None,
        reuse_prefix: bool = True,
    ) -> Stream: ...
    def embed(self, prompt: Sequence[int], pooling: str | None = None) -> list[float]: ...
    def score(self, tokens: Sequence[int], first: int) -> list[float]:
        """Natural log-probabilities of `tokens[i + 1]` for `i` from `first` on."""
    def timed(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_tokens: int,
        concurrency: int = 1,
        n_requests: int | None = None,
        duration_seconds: float | None = None,
    ) -> list[Sample]:
        """A closed loop of `concurrency` requests over `prompts` in turn, each of exactly `max_tokens` tokens
        (`ignore_eos`), greedy, with no prefix found again: until `n_requests` have ended, or no new one begins after
        `duration_seconds`. An interrupt ends it: what has ended by then is in the exception's `partial`."""

@final
class Token:
    """A token as it was chosen."""

    id: int
    text: str
    logprob: float | None
    top_logprobs: list[tuple[int, float]]
    at_ms: float
    """Since the request was handed over."""

@final
class Stream:
    """The tokens of one request as they come; dropped or closed, the request ends."""

    def __iter__(self) -> Stream: ...
    def __next__(self) -> Token: ...
    def close(self) -> None: ...
    @property
    def ended(self) -> Sample | None:
        """What the request came to, once it has ended by itself."""

@final
class Sample:
    """A request that has ended."""

    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    finish_reason: str
    began_s: float
    """When it was handed over, on the clock of this process (`time.perf_counter`'s), relative to the first of its run."""
    ttft_ms: float
    e2e_ms: float
    token_ms: list[float]
    """When each token was known, since the request was handed over."""
    kv_bytes: int | None
    """Bytes of the keys and values that are kept at its end."""

def memory_now() -> int | None:
    """Resident bytes of this process."""

def peak_memory(reset: bool) -> int | None:
    """Most resident bytes since the last reset; where `reset`, it is reset before."""

def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """A 95 % interval of the mean by the same bootstrap as the command's; `None` below its least number of values."""

def quantile(values: Sequence[float], q: float) -> float | None:
    """A quantile by metrics.md's definition; `None` where there are too few values for it."""

def quantile_interval(values: Sequence[float], q: float) -> tuple[float, float] | None:
    """The 95 % interval of a quantile by order statistics, as the command's; `None` where the values do not bound it."""

def judge(name: str, bound: float, value: float, low: float | None = None, high: float | None = None) -> str:
    """`met`, `missed` or `undecided`, of a target such as `max_ttft_ms`."""

def figure_of(target: str) -> str:
    """The figure that a target such as `min_tokens_per_second` bounds; `ValueError` with the nearest name otherwise."""

def system() -> dict[str, str | int | float | None]:
    """`cpu`, `ram_gb`, `kernel`, `logical_cpus`, `pacemark_version`."""

def write_file(path: str, data: bytes) -> None:
    """Writes a file whole or not at all."""

def shape_of(name: str) -> str | None:
    """`synth:NAME` where the name is of a known shape and no file of it is here."""

__version__: str
