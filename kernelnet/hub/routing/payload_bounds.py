"""
Bounds of the parts of a payload that the hub keeps, or passes on beside what others said.

A line may have a megabyte; but what stands in the answer to everybody's hello, or waits in an invitation, has to leave
room for that of all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kernelnet.artifacts import MAX_PROGRESS, Component
from kernelnet.message import CollaborationRequest, Hello
from kernelnet.wire import WireProblem

__all__ = [
    "MAX_HELLO",
    "MAX_NONCE",
    "MAX_REQUIREMENTS",
    "MAX_WORDS",
    "checkHeartbeat",
    "checkHello",
    "checkInline",
    "checkReference",
    "checkRequest",
    "checkRequirements",
    "cutHello",
]

MAX_WORDS = 64
"""Maximum number of words in the lists of a hello together, and in each list of a collaboration request."""
MAX_HELLO = 8 * 1024
"""Maximum bytes of JSON of what is known of a hello."""
MAX_REQUIREMENTS = 16 * 1024
"""Maximum bytes of JSON of the requirements of a request."""

MAX_NONCE = 1024
"""Maximum bytes of JSON of what a ping is answered by."""

_LISTS = ("capabilities", "features_supported", "generators", "workbenches")
_encode = msgspec.json.Encoder().encode


def checkHello(hello: Hello, messageId: str) -> None:
    """@raise WireProblem: it is larger than everybody can be told."""
    words = sum(len(getattr(hello, name)) for name in _LISTS)
    if words > MAX_WORDS:
        raise _invalid(f"{words} words in {', '.join(_LISTS)}; at most {MAX_WORDS} together", messageId)
    size = len(_encode(hello))
    if size > MAX_HELLO:
        raise _invalid(f"a hello may have at most {MAX_HELLO} bytes of JSON, this one has {size}", messageId)


def cutHello(hello: Hello) -> Hello:
    """The hello as far as it is within the bounds; before there were any, larger ones were stored."""
    left = MAX_WORDS
    size = len(_encode(hello))
    kept: dict[str, list[str]] = {}
    for name in _LISTS:
        words = getattr(hello, name)
        kept[name] = words[:left] if size <= MAX_HELLO else []
        left -= len(kept[name])
    return msgspec.structs.replace(hello, **kept)


def checkHeartbeat(payload: dict[str, Any], messageId: str) -> None:
    """@raise WireProblem: there is more in it than is kept or answered."""
    if len(_encode([payload.get("nonce"), payload.get("reply_to")])) > MAX_NONCE:
        raise _invalid(f"`nonce` and `reply_to` may have at most {MAX_NONCE} bytes of JSON", messageId)
    if len(_encode(payload.get("progress"))) > MAX_PROGRESS:
        raise _invalid(f"`progress` may have at most {MAX_PROGRESS} bytes of JSON", messageId)


def checkRequirements(requirements: dict[str, Any], messageId: str) -> None:
    """@raise WireProblem: they are larger than may wait for somebody."""
    size = len(_encode(requirements))
    if size > MAX_REQUIREMENTS:
        raise _invalid(
            f"`requirements` may have at most {MAX_REQUIREMENTS} bytes of JSON, these have {size}", messageId
        )


def checkRequest(request: CollaborationRequest, messageId: str) -> None:
    """@raise WireProblem: it is larger than may wait for those who are invited."""
    checkRequirements(request.requirements, messageId)
    lists: tuple[tuple[str, Sequence[str]], ...] = (
        ("expertise_offered", request.expertise_offered),
        ("seeking_expertise", request.seeking_expertise),
    )
    for name, words in lists:
        if len(words) > MAX_WORDS:
            raise _invalid(f"`{name}` may have at most {MAX_WORDS} words, not {len(words)}", messageId)


def checkInline(component: Component | None, messageId: str) -> None:
    """@raise WireProblem: its source is a blob, of which those who get it may not know."""
    if component is not None and component.source_size:
        raise _invalid("`source_size` goes with os_component_reference", messageId)


def checkReference(component: Component, messageId: str) -> None:
    """@raise WireProblem: it doesn't name the blob that is its source."""
    if not component.source_size:
        raise _invalid("`source_size` is missing: os_component_share is for a source within the line", messageId)
    if component.implementation:
        raise _invalid("`implementation` must be empty where `source_size` says that the source is a blob", messageId)
    if component.manifest is None:
        raise _invalid("`manifest` is missing, whose `source_sha256` names the blob", messageId)


def _invalid(what: str, messageId: str) -> WireProblem:
    return WireProblem("invalid_message", f"payload: {what}", messageId)
