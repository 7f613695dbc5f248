"""`KnownComponent`: a component as a trainer keeps it, with what its own measurement said of the claim."""

from __future__ import annotations

import hashlib

import msgspec

from kernelnet.artifacts import Component, Verdict
from kernelnet.untrusted import weight

__all__ = ["MAX_COMPONENT", "KnownComponent"]

MAX_COMPONENT = 384 * 1024
"""Bytes of JSON: what is larger is not kept.  A module has at most 64 KiB."""

MAX_MANIFEST = 1024 * 1024
"""Bytes that all but source and module weigh at most."""

TRACE_DIGEST = 64
"""Characters of a trace's digest: a stranger may claim a longer one."""


class KnownComponent:
    """
    A component, who shared it, and what this trainer's own measurement said of its claim.

    It is kept as the bytes of its JSON, and decoded when it is asked for: a stranger's numbers by the thousand would
    take many times as much.

    @ivar source: who shared it.
    @ivar verdict: C{None} until it was measured here.  An own component counts as confirmed: its claim is a
        measurement that was made here.
    @ivar level: on validation, as measured here; C{None}: it wasn't.  An author's own word for it counts for nothing.
    @ivar digest: its digest; C{id}: its id.
    @ivar workbench: name of the one that it is for; C{None}: it has no manifest.
    @ivar task: digest of the task that it is for and of its rules; C{None}: it makes no claim.
    @ivar trace: digest of its trace, so that what is about another one need not be decoded; C{None}: it makes no claim.
    @ivar body: all of it, as JSON.
    @ivar weight: bytes that it takes at most once it is decoded.
    @ivar isTooLarge: whether it is larger than anything of use.
    @ivar isReference: whether its source is a blob, which is not here: it can be measured, and nothing made of it.
    """

    __slots__ = (
        "body",
        "digest",
        "id",
        "isReference",
        "isTooLarge",
        "level",
        "source",
        "task",
        "trace",
        "verdict",
        "weight",
        "workbench",
    )

    def __init__(
        self, component: Component, source: str, verdict: Verdict | None = None, level: float | None = None
    ) -> None:
        self.source = source
        self.verdict = verdict
        self.level = level
        self.digest = component.digest
        self.id = component.id
        self.workbench = component.manifest.workbench if component.manifest is not None else None
        claim = component.claim
        self.task: bytes | None = None
        self.trace: str | None = None
        if claim is not None:
            self.trace = claim.trace_digest[:TRACE_DIGEST]
            told = claim.workbench_digest, claim.trace_digest, sorted(claim.settings.items())
            self.task = hashlib.sha256(msgspec.json.encode(told)).digest()
        self.body = msgspec.json.encode(component)
        # Within a source each comma would count for a value.
        source_, rest = component.implementation, msgspec.structs.replace(component, implementation="", wasm=b"")
        text = len(source_.encode()) * (1 if source_.isascii() else 4)
        claimed = weight(msgspec.json.encode(rest))
        self.weight = text + len(component.wasm) + claimed
        self.isReference = component.source_size > 0
        self.isTooLarge = len(self.body) > MAX_COMPONENT or claimed > MAX_MANIFEST

    def __repr__(self) -> str:
        return f"<KnownComponent {self.digest[:10]} of {self.source}: {self.verdict}>"

    @property
    def component(self) -> Component:
        return msgspec.json.decode(self.body, type=Component)
