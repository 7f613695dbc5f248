"""Expressions that go from one bench to another: which are given, and what becomes of them on the bench at home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from kernelnet.artifacts import Hint
from kernelnet.expressions.syntax import textIn
from kernelnet.expressions.translation import Translated, translations
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from kernelnet.workbench.abi import Abi

__all__ = ["MAX_HINTS", "hintsIn", "hintsOf", "rankAbiOf", "translated"]

MAX_HINTS = 8
"""So many expressions are given to a search; each costs it an evaluation or some."""

MAX_EXPRESSION = 1000


def rankAbiOf(bench: Any) -> Abi | None:
    """The ABI of a bench whose components are expressions; C{None}: the bench isn't here, or has none."""
    return next((abi for abi in getattr(bench, "abis", ()) if abi.function), None)


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


def translated(hints: Sequence[Hint], bench: Any, installed: Mapping[str, Any]) -> list[Translated]:
    """
    Worker thread.  What hints of other benches are on this one.

    @param installed: workbenches by name; hints of others are passed over.
    """
    ours = rankAbiOf(bench)
    blocks: list[Translated] = []
    for hint in hints:
        theirs = rankAbiOf(installed.get(hint.workbench))
        if ours is None or theirs is None or hint.workbench == bench.name:
            continue
        # Where the lowest goes first and where the lowest goes away, the same is good the other way round.
        found = [(part, sign) for part in translations(hint.expression, theirs, ours) for sign in ("", "-")]
        for number, (part, sign) in enumerate(found):
            expression = f"{sign}({part})" if sign else part
            blocks.append(
                Translated(
                    id=f"{hint.component[:10]}-{number}",
                    type=f"{bench.name}/translated",
                    data={"expression": expression},
                    specialization=bench.name,
                    origin=hint.component,
                )
            )
    return blocks
