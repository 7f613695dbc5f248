"""Payloads of what is too large for a line: a blob in parts, by the digest of its bytes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from kernelnet.artifacts import AiId, Digest, Text

__all__ = ["PART", "PAYLOADS", "PayloadAnswer", "PayloadOffer", "PayloadRequest", "Suffix"]

PAYLOADS = "payloads"
"""The word in `kernelnet.message.TrainingSync.takes` of a hub that keeps what is too large for a line."""

Suffix = Annotated[str, Meta(pattern=r"^(\.[a-z0-9_]{1,16}){0,2}\Z")]
"""End of a file's name, by which readers tell its format."""

PART = 256 * 1024
"""Bytes of each part but the last, before base64."""


class PayloadRequest(Struct, omit_defaults=True):
    """
    One step of sending, or reading, what is too large for a line; each is answered before the next is sent.

    @ivar step: C{begin} (C{digest}, C{size}, C{trace_digest}, C{suffix}), C{part} (C{digest}, C{part}, C{data}), C{end}
        (C{digest}); C{find} (C{trace_digest}, perhaps C{author}), C{get} (C{digest}, C{part}).
    @ivar digest: SHA-256 of the bytes, hex; C{size}: how many.
    @ivar trace_digest: that of the trace that is said to be in it, as reports name it; of a component's source
        C{digest} again.
    @ivar part: its number, from 0 on; C{data}: its bytes in base64.
    @ivar author: whose is wanted first.
    """

    step: Annotated[str, Meta(pattern=r"^(begin|part|end|find|get)\Z")]
    digest: Digest | None = None
    size: Annotated[int, Meta(ge=1)] = 1
    trace_digest: Digest | None = None
    suffix: Suffix = ""
    part: Annotated[int, Meta(ge=0, le=1 << 32)] = 0
    data: Annotated[str, Meta(max_length=400_000)] = ""
    author: AiId | None = None


class PayloadOffer(Struct):
    """A blob in which a trace is said to be; whoever reads it looks."""

    digest: Digest
    size: Annotated[int, Meta(ge=1)]
    author: AiId
    suffix: Suffix = ""


class PayloadAnswer(Struct, omit_defaults=True):
    """
    The hub's answer to a `PayloadRequest`.

    @ivar step: C{have} (C{size}, C{have}), C{found} (C{offers}), C{part} (C{size}, C{part}, C{data}), C{refused}
        (C{reason}).
    @ivar have: how many bytes of it the hub has; C{whole}: whether all is durable, and was checked.
    @ivar reply_to: C{message_id} of the request.
    """

    step: Annotated[str, Meta(pattern=r"^(have|found|part|refused)\Z")]
    reply_to: Annotated[str, Meta(max_length=128)]
    digest: Digest | None = None
    size: Annotated[int, Meta(ge=0)] = 0
    have: Annotated[int, Meta(ge=0)] = 0
    whole: bool = False
    part: Annotated[int, Meta(ge=0)] = 0
    data: Annotated[str, Meta(max_length=400_000)] = ""
    offers: Annotated[list[PayloadOffer], Meta(max_length=64)] = []
    reason: Text = ""
