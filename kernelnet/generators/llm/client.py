"""One question to an OpenAI-compatible server: bounded in seconds and bytes, told apart by how it failed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx2
import msgspec
from msgspec import Struct

from kernelnet.generators.llm.answer import Answer, CallFailed, Message
from kernelnet.generators.llm.settings import Model
from kernelnet.untrusted import plain

__all__ = ["MAX_ANSWER", "ask"]

MAX_ANSWER = 1 << 20
"""Bytes of a server's answer; what is longer is cut off, and has failed."""

MAX_WAIT = 60.0
"""Seconds that a server may ask us to wait before the next try."""


class _Usage(Struct):
    prompt_tokens: int
    completion_tokens: int


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(Struct):
    choices: list[_Choice]
    model: str = ""
    usage: Any = None


class _Bounded(httpx2.BaseTransport):
    """A transport that ends an answer which is too long, or too long in coming, refusals included."""

    def __init__(self, inner: httpx2.BaseTransport, until: float, model: Model, clock: Callable[[], float]) -> None:
        self._inner, self._until, self._model, self._clock = inner, until, model, clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self._inner.handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _BoundedStream(response.stream, self._checked)
        return response

    def _checked(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        length = 0
        for part in parts:
            length += len(part)
            if length > MAX_ANSWER:
                raise CallFailed(f"the answer has more than {MAX_ANSWER} bytes")
            # The library's time is that between two parts of it.
            if self._clock() > self._until:
                raise CallFailed(f"no whole answer came within {self._model.seconds:g} s", again=1.0)
            yield part

    def close(self) -> None:
        self._inner.close()


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, checked: Callable[[Iterator[bytes]], Iterator[bytes]]) -> None:
        self._inner, self._checked = inner, checked

    def __iter__(self) -> Iterator[bytes]:
        return self._checked(iter(self._inner))

    def close(self) -> None:
        self._inner.close()


def ask(model: Model, key: str, messages: Sequence[Message], clock: Callable[[], float] = time.monotonic) -> Answer:
    """
    Worker thread.  Send one request, once: whoever calls counts it, and decides on the next.

    @raise CallFailed: no answer, or none that can be read; nothing of it holds the key.
    """
    import openai

    began = clock()
    http = httpx2.Client(
        transport=_Bounded(httpx2.HTTPTransport(), began + model.seconds, model, clock),
        timeout=model.seconds,
        # A proxy of the environment's, or a redirect, would be shown our key.
        trust_env=False,
        follow_redirects=False,
    )
    limit: dict[str, Any] = {"max_completion_tokens" if model.reasoning else "max_tokens": model.answer_tokens}
    if not model.reasoning:
        limit["temperature"] = 1.0
    try:
        with openai.OpenAI(api_key=key, base_url=model.base_url, max_retries=0, http_client=http) as client:
            create: Any = client.chat.completions.with_raw_response.create
            data = create(model=model.name, messages=list(messages), **limit).content
    except openai.APIStatusError as error:
        raise _refused(error, key) from None
    except openai.APITimeoutError as error:
        sent = not isinstance(error.__cause__, httpx2.ConnectTimeout)
        raise CallFailed(f"no answer came within {model.seconds:g} s", 1.0, sent) from None
    except openai.APIConnectionError as error:
        cause = error.__cause__
        sent = not isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout)
        raise CallFailed(_said(f"can't reach {model.base_url}: {cause or error}", key), 5.0, sent) from None
    except openai.OpenAIError as error:
        raise CallFailed(_said(str(error), key)) from None
    except CallFailed:
        raise
    except Exception as error:  # of the library's transport, while the answer comes in
        raise CallFailed(_said(f"the answer broke off: {type(error).__name__}: {error}", key), again=1.0) from None
    return _answer(data, clock() - began)


def _answer(data: bytes, seconds: float) -> Answer:
    try:
        found = msgspec.json.decode(data, type=_Completion)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CallFailed(f"the answer is no chat completion: {plain(str(error), 120)}") from None
    if not found.choices:
        raise CallFailed("the answer has no choices")
    choice = found.choices[0]
    return Answer(
        choice.message.content or "", plain(found.model), _usage(found.usage), choice.finish_reason != "length", seconds
    )


def _usage(told: Any) -> tuple[int, int] | None:
    """Unknown is not 0: whoever counts takes the worst case."""
    try:
        usage = msgspec.convert(told, _Usage)
    except msgspec.ValidationError:
        return None
    if not (0 < usage.prompt_tokens <= 10**9 and 0 <= usage.completion_tokens <= 10**9):
        return None
    return usage.prompt_tokens, usage.completion_tokens


def _refused(error: Any, key: str) -> CallFailed:
    """Failure by a server's own words, and whether to ask it again."""
    status = error.status_code
    again: float | None = None
    if status == 429 or status >= 500:
        told = error.response.headers.get("retry-after", "")
        again = min(max(float(told), 0.1), MAX_WAIT) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", told, re.ASCII) else 5.0
    body = str(error.body.get("message", "")) if isinstance(error.body, dict) else str(error.body or "")
    # Nobody charges for what he refuses to do; what broke while it was done may be charged.
    return CallFailed(_said(f"the server refuses: {status} {body}", key), again, isCharged=status >= 500)


def _said(text: str, key: str) -> str:
    """A server's words, which may repeat our key."""
    return plain(" ".join(text.split()).replace(key, "…") if len(key) > 4 else " ".join(text.split()), 200)
