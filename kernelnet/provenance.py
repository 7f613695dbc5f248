"""Provenance of what language models wrote, and what their calls cost: as AIs say, since nobody can check it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from kernelnet.untrusted import Digest

__all__ = ["ModelCosts", "Provenance"]

Count = Annotated[int, Meta(ge=0, le=10**12)]
Usd = Annotated[float, Meta(ge=0, le=1e9)]


class Provenance(Struct, frozen=True, omit_defaults=True):
    """
    Language model that wrote a component's structure, as its author tells; nobody can check it.

    @ivar model: its name; C{prompt}: SHA-256 of what it was asked.
    @ivar tokens: of question and answer; 0: the server didn't say.
    @ivar usd: by list prices; C{None}: unknown.
    @ivar calls: number of calls that the author's trainer had made by then, and C{spent_usd} what all of them cost.
    """

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    prompt: Digest
    tokens: Count = 0
    usd: Usd | None = None
    calls: Count = 0
    spent_usd: Usd | None = None


class ModelCosts(Struct, frozen=True, omit_defaults=True):
    """
    Costs of all calls of language models that a trainer made, in earlier runs too, as it tells them itself.

    @ivar calls: number; C{accepted}: of these whose component its own guard took.
    @ivar tokens: of questions and answers; of a call whose usage is unknown the most that it may have taken.
    @ivar usd: by list prices, likewise; C{None}: some call has none.
    """

    calls: Count
    accepted: Count = 0
    tokens: Count = 0
    usd: Usd | None = None
