"""Expressions that go from one bench to another: which are given to a peer, and which came from one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kernelnet.artifacts import Hint
from kernelnet.expressions.syntax import textIn
from kernelnet.trainer.storage.knowledge_base import KnownComponent

__all__ = ["MAX_EXPRESSION", "MAX_HINTS", "hintsIn", "hintsOf"]

MAX_HINTS = 8
"""Maximum number of expressions given to a search; each costs it an evaluation or some."""

MAX_EXPRESSION = 1000
"""Characters of the longest expression that is given; a hint takes no longer one."""


def hintsOf(known: Iterable[KnownComponent]) -> list[Hint]:
    """Expressions that components were written from; those that were written otherwise have none."""
    found = []
    for each in known:
        expression, manifest = textIn(each.component.implementation), each.component.manifest
        if expression is not None and manifest is not None and len(expression) <= MAX_EXPRESSION:
            found.append(Hint(each.source, manifest.workbench, each.component.digest, expression))
    return found


def hintsIn(requirements: Mapping[str, Any], peer: str) -> list[Hint]:
    """Hints that a peer gives with its invitation, a stranger's words that nobody has confirmed; others are none."""
    told = requirements.get("hints")
    found = []
    for entry in told[:MAX_HINTS] if isinstance(told, list) else ():
        try:
            hint = msgspec.convert(entry, Hint)
        except msgspec.ValidationError:
            continue
        # whatever it says of whose it is, it came from this peer
        found.append(msgspec.structs.replace(hint, by=peer))
    return found
