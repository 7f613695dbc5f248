"""Goals: which component is to be built, of what, for which task and in what time."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from kernelnet.artifacts import Carrier, CodeBlock, Component, Hint, Pattern

__all__ = ["Goal"]


class Goal(Struct):
    """
    Purpose of one component that is to be built, and what there is to build it from.

    @ivar seconds: time that the search may take.
    @ivar objective: C{"score"}, or C{"fuel"} for the same score with less fuel.
    @ivar feature: of which workbench, if there is one of that name; else this trainer's own choose.
    @ivar parents: components that this trainer has confirmed, best first; those of another workbench are passed over.
    @ivar levels: by digest of a parent its level on validation, as measured here.
    @ivar blocks: peers' building blocks: hints that nobody has confirmed.
    @ivar hints: expressions of other benches, which are translated.
    @ivar carriers: of peers' families that are worth a try, in the order in which they are.
    @ivar shared: few confirmed components of peers', of whatever task, to try as they are.
    @ivar requirements: what was asked for; C{workbench}, C{trace_digest} and C{settings} in it choose the task, and
        where that trace isn't here, C{patterns} the one that is most like it.  C{abi}: for this one only.
    @ivar avoid: C{trace_digest} and C{settings} of tasks that a peer works on for us: not as long as there are others.
    @ivar place, among: our place among so many who train on the same benches; see
        `kernelnet.learning.division_of_labour`.
    """

    feature: str
    seconds: float
    objective: str = "score"
    patterns: list[Pattern] = []
    parents: list[Component] = []
    levels: dict[str, float] = {}
    blocks: list[CodeBlock] = []
    hints: list[Hint] = []
    carriers: list[Carrier] = []
    shared: list[Carrier] = []
    requirements: dict[str, Any] = {}
    avoid: list[dict[str, Any]] = []
    place: int = 0
    among: int = 1
