"""
An agent among its peers: what of its trainer the tools show, and what they have it say.  Of the reactor's thread.

What peers wrote is `strangers.Quoted`; of the agent's own components the level on held-out is told by the Ladder alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from kernelnet.artifacts import MAX_HYPOTHESIS, CodeBlock, Component, Verdict
from kernelnet.asyncio_bridge import inReactor
from kernelnet.interfaces import IScenario
from kernelnet.learning.ladder import rounded
from kernelnet.learning.task_similarity import taskOf
from kernelnet.learning.tasks import described
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.strangers import MAX_SOURCE, Quoted, quoted
from kernelnet.mcp.trainer import AgentTrainer
from kernelnet.mcp.wishes import Wishes
from kernelnet.message import (
    CollaborationRequest,
    CollaborationType,
    ComponentShare,
    FeatureRequest,
    MessageType,
)
from kernelnet.trainer.collaboration.proposals import Proposals
from kernelnet.trainer.collaboration.session_state import taskText
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnownComponent

__all__ = ["AncestorLine", "ComponentFacts", "ComponentLine", "PatternLine", "Peer", "Standing"]

MAX_ANCESTORS = 20
"""Maximum number of ancestors of a component that an agent is shown."""


@dataclass(frozen=True)
class ComponentLine:
    """
    A component in a line.

    @ivar verdict: of this agent's own measurement; C{unmeasured}: not yet.
    @ivar validation_level: as measured here; C{claimed_held_out_level}: what its author says.
    """

    digest: str
    by: str
    mine: bool
    task: str
    verdict: str
    validation_level: float | None
    claimed_held_out_level: float | None
    confirmed_by: list[str]
    name: Quoted


@dataclass(frozen=True)
class AncestorLine:
    """A component that another descends from."""

    digest: str
    by: str
    hypothesis: Quoted


@dataclass(frozen=True)
class ComponentFacts:
    """
    All of a component; its source, note, hypothesis and others' reasons are strangers' words.

    @ivar lineage: its parents that are known here, and theirs, the nearest first, with the hypothesis of each.
    """

    line: ComponentLine
    source: Quoted
    note: Quoted
    hypothesis: Quoted
    parents: list[str]
    lineage: list[AncestorLine]
    abi: str
    generator: Quoted
    verdicts: list[dict[str, Any]]


@dataclass(frozen=True)
class PatternLine:
    by: str
    confidence: float
    pattern: Quoted


@dataclass(frozen=True)
class Standing:
    """The best component for a task that was confirmed here."""

    task: str
    digest: str
    by: str
    mine: bool
    validation_level: float | None
    confirmed_by: int


class Peer:
    """
    @param told: whether the level on held-out of a component of our own was told.
    @ivar wishes: what peers ask of the agent.
    """

    def __init__(self, trainer: AgentTrainer, told: Callable[[Component], bool]) -> None:
        self.trainer = trainer
        self.aiId = trainer.profile.aiId
        self._told = told
        self._knowledge = trainer.knowledge
        self.wishes = Wishes(trainer, self.commit)

    # -- components

    def confirmed(self) -> list[Component]:
        """Those that may be built upon, best first."""
        return [known.component for known in self._knowledge.usable()]

    def find(self, digest: str) -> KnownComponent:
        """@raise AgentError: none, or several, have a digest or an id that begins so."""
        found = [
            known
            for known in self._knowledge.components.values()
            if digest and (known.component.digest.startswith(digest) or known.component.id == digest)
        ]
        if len(found) != 1:
            raise AgentError(
                f"{len(found)} components have the digest {digest[:70]!r}: give the digest that list_components shows"
            )
        return found[0]

    def components(self, task: str | None, limit: int) -> list[ComponentLine]:
        """Those that are known, the newest first."""
        lines = (self.line(known) for known in reversed(list(self._knowledge.components.values())))
        return [line for line in lines if task is None or line.task == task][:limit]

    def line(self, known: KnownComponent) -> ComponentLine:
        component = known.component
        mine = known.source == self.aiId
        report = component.claim
        claimed = component.development_level
        if mine and claimed is not None:
            claimed = rounded(claimed) if self._told(component) else None
        return ComponentLine(
            component.digest,
            known.source,
            mine,
            taskText(report.workbench, report.trace, report.settings) if report is not None else "",
            known.verdict.value if known.verdict is not None else "unmeasured",
            known.level,
            claimed,
            self._knowledge.confirmedBy(component)[:20],
            quoted(known.source, component.title, 100),
        )

    def component(self, digest: str) -> ComponentFacts:
        """See `ComponentFacts`."""
        known = self.find(digest)
        component, manifest = known.component, known.component.manifest
        verdicts = [
            {
                "by": reporter,
                "verdict": report.verdict.value if report.verdict is not None else "",
                "reason": quoted(reporter, report.decoded().reason),
            }
            for reporter, report in list(self._knowledge.reportsOn(component.id).items())[:20]
            if report.digest == component.digest
        ]
        return ComponentFacts(
            self.line(known),
            quoted(known.source, component.implementation, MAX_SOURCE),
            quoted(known.source, component.description, 1000),
            quoted(known.source, manifest.hypothesis if manifest is not None else "", MAX_HYPOTHESIS),
            list(manifest.parents[:20]) if manifest is not None else [],
            self._lineage(component),
            manifest.abi[:80] if manifest is not None else "",
            quoted(known.source, manifest.generator if manifest is not None else "", 60),
            verdicts,
        )

    def _lineage(self, component: Component) -> list[AncestorLine]:
        byDigest = {known.component.digest: known for known in self._knowledge.components.values()}
        found: dict[str, AncestorLine] = {}
        waiting = deque([component])
        while waiting and len(found) < MAX_ANCESTORS:
            manifest = waiting.popleft().manifest
            for digest in manifest.parents[:MAX_ANCESTORS] if manifest is not None else ():
                known = byDigest.get(digest)
                if known is None or digest in found or digest == component.digest:
                    continue
                its = known.component.manifest
                words = quoted(known.source, its.hypothesis if its is not None else "", MAX_HYPOTHESIS)
                found[digest] = AncestorLine(digest, known.source, words)
                waiting.append(known.component)
        return list(found.values())[:MAX_ANCESTORS]

    def standings(self) -> list[Standing]:
        """By task the best that was confirmed here."""
        best: dict[str, Standing] = {}
        for known in self._knowledge.usable():
            line = self.line(known)
            level = known.level if known.level is not None else -math.inf
            there = best.get(line.task)
            if there is None or (there.validation_level or -math.inf) < level:
                best[line.task] = Standing(
                    line.task, line.digest, line.by, line.mine, known.level, len(line.confirmed_by)
                )
        return sorted(best.values(), key=lambda each: each.task)

    def patterns(self, limit: int) -> list[PatternLine]:
        """The newest first."""
        found = reversed(list(self._knowledge.patterns.items()))
        return [
            PatternLine(
                source,
                pattern.confidence,
                quoted(source, f"{pattern.type}: {json.dumps(_withoutDigests(pattern.data))}"),
            )
            for (source, _), pattern in list(found)[:limit]
        ]

    # -- saying

    async def share(self, component: Component, level: float | None) -> None:
        """Share an accepted component with all."""

        def say(changes: Changes) -> None:
            self.trainer.publisher.publishComponent(ComponentShare(component=component), changes, level=level)

        await self.commit(say)

    async def shareBlock(self, block: CodeBlock) -> bool:
        """@return: whether it is new."""
        fresh: list[bool] = []
        await self.commit(lambda changes: fresh.append(self.trainer.publisher.shareBlock(block, changes)))
        return fresh[0]

    async def requestFeature(self, scenario: IScenario, note: str) -> None:
        """Ask all peers for a component for a task."""
        requirements = {**msgspec.to_builtins(described(scenario)), **({"note": note} if note else {})}
        request = FeatureRequest(feature=scenario.workbench.name, requirements=requirements)
        await self.commit(lambda changes: self.trainer.outbox.say(MessageType.FEATURE_REQUEST, request, changes))

    async def requestCollaboration(self, kind: CollaborationType, scenario: IScenario | None, words: str) -> str:
        """
        Ask the peers for a collaboration.

        @return: what was asked for.
        @raise AgentError: there is nothing to ask of this type.
        """
        trainer = self.trainer
        asked: CollaborationRequest | None
        if kind is CollaborationType.FEATURE_DEVELOPMENT and scenario is not None:
            task = msgspec.to_builtins(described(scenario))
            asked = CollaborationRequest(
                kind, words, None, trainer.profile.capabilities, [], {"feature": scenario.workbench.name, **task}
            )
        else:
            asked = Proposals(trainer.profile, trainer.local, self._knowledge).request(kind, frozenset())
        if asked is None:
            raise AgentError(
                f"there is nothing yet to ask of {kind.value}: share a component first (for cross_specialization a rank"
                " function), or ask for feature_development with a task"
            )
        asked.description = words or asked.description
        request = asked
        await self.commit(lambda changes: trainer.sessions.offers.offer(request, trainer.reactor.seconds(), changes))
        return request.description

    async def verify(self, known: KnownComponent) -> Verdict | None:
        """Measure a claim again now."""
        return await inReactor(lambda: self.trainer.verification.verify(known))

    async def commit(self, say: Callable[[Changes], object]) -> None:
        """Have something said; it is kept, and goes out when the hub is there."""

        async def work() -> None:
            changes = Changes()
            say(changes)
            await self.trainer.outbox.commit(changes)

        await inReactor(work)

    def block(self, scenario: IScenario, expression: str) -> CodeBlock:
        """A building block of an expression."""
        bench = scenario.workbench.name
        report = scenario.reference()
        digest = hashlib.sha256(f"{bench} {expression}".encode()).hexdigest()[:10]
        return CodeBlock(
            id=f"{self.aiId}-block-{digest}",
            type=f"{bench}/mcp",
            data={"expression": expression, "tasks": taskOf(report)},
            specialization=self.trainer.profile.specialization,
        )


def _withoutDigests(data: object) -> object:
    return {key: value for key, value in data.items() if key != "trace_digest"} if isinstance(data, dict) else data
