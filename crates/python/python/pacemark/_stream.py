"""An answer as it comes, and the whole of it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from pacemark import _native
from pacemark._native import Token
from pacemark.results import NAN, Generation, RequestSample


class TokenStream:
    """The tokens of an answer as they come. Closed, left by `with`, or dropped, it ends the request."""

    def __init__(
        self, engine: _native.Engine, stream: _native.Stream, callback: Callable[[Token], object] | None
    ) -> None:
        # Nobody else may hold it: an engine that is dropped ends its requests.
        self._engine: _native.Engine | None = engine
        self._stream = stream
        self._callback = callback
        self._tokens: list[Token] = []

    def __iter__(self) -> TokenStream:
        return self

    def __next__(self) -> Token:
        try:
            token = next(self._stream)
        except StopIteration:
            self._engine = None
            raise
        self._tokens.append(token)
        if self._callback is not None:
            try:
                self._callback(token)
            except BaseException:
                self.close()
                raise
        return token

    def close(self) -> None:
        """Ends the request; what had come is lost to nobody who kept it."""
        self._stream.close()
        self._engine = None

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def result(self) -> Generation | None:
        """The whole answer, once it has ended by itself."""
        ended = self._stream.ended
        return None if ended is None else _generation(self._tokens, ended)


def _generation(tokens: list[Token], ended: _native.Sample) -> Generation:
    sample = RequestSample.of(ended)
    logprobs = [token.logprob for token in tokens]
    known = [logprob for logprob in logprobs if logprob is not None]
    has_logprobs = bool(tokens) and len(known) == len(tokens)
    return Generation(
        text="".join(token.text for token in tokens),
        tokens=tuple(token.id for token in tokens),
        finish_reason=sample.finish_reason,
        prompt_tokens=sample.prompt_tokens,
        cached_tokens=sample.cached_tokens,
        output_tokens=sample.output_tokens,
        ttft_ms=sample.ttft_ms if tokens else NAN,
        e2e_ms=sample.e2e_ms,
        tokens_per_second=sample.tokens_per_second,
        logprobs=tuple(known) if has_logprobs else None,
        top_logprobs=tuple(tuple(token.top_logprobs) for token in tokens) if has_logprobs else None,
    )
