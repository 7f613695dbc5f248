"""
An agent among its peers: what of its trainer the tools show, and what they have it say.  Of the reactor's thread.

What peers wrote is `strangers.Quoted`; of the agent's own components the level on held-out is told by the Ladder alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kernelnet.artifacts import CodeBlock, Component, Verdict
from kernelnet.asyncio_bridge import inReactor
from kernelnet.interfaces import IScenario
from kernelnet.learning.ladder import rounded
from kernelnet.learning.specializations import complements
from kernelnet.learning.task_similarity import taskOf
from kernelnet.learning.tasks import described
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.strangers import MAX_SOURCE, Quoted, quoted
from kernelnet.mcp.trainer import AgentTrainer
from kernelnet.message import (
    CollaborationRequest,
    CollaborationType,
    ComponentShare,
    FeatureRequest,
    ForwardedFeatureRequest,
    MessageType,
    SessionStep,
)
from kernelnet.trainer.collaboration.proposals import Proposals
from kernelnet.trainer.collaboration.session_state import Session, stepOf, taskText
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from kernelnet.trainer.work.feature_requests import FEATURE
from kernelnet.trainer.work.job_queue import Job

__all__ = ["ComponentFacts", "ComponentLine", "Invitation", "PatternLine", "Peer", "Standing"]

MAX_LISTED = 50
_MAX_REQUIREMENTS = 2000


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
class ComponentFacts:
    """All of a component; its source, note and others' reasons are strangers' words."""

    line: ComponentLine
    source: Quoted
    note: Quoted
    parents: list[str]
    abi: str
    generator: Quoted
    verdicts: list[dict[str, Any]]


@dataclass(frozen=True)
class PatternLine:
    by: str
    confidence: float
    pattern: Quoted


@dataclass(frozen=True)
class Invitation:
    """
    Something that peers ask of the agent.

    @ivar kind: C{invitation}, to be answered by answer_invitation; C{session}, which runs, and C{feature_request}: both
        are ended by complete_session.
    @ivar task_here: whether what it names is a task here.
    """

    id: str
    kind: str
    type: str
    by: str
    wanted: Quoted
    requirements: Quoted
    role: str = ""
    complements: bool = False


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
    """

    def __init__(self, trainer: AgentTrainer, told: Callable[[Component], bool]) -> None:
        self.trainer = trainer
        self.aiId = trainer.profile.aiId
        self._told = told
        self._knowledge = trainer.knowledge

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
            list(manifest.parents[:20]) if manifest is not None else [],
            manifest.abi[:80] if manifest is not None else "",
            quoted(known.source, manifest.generator if manifest is not None else "", 60),
            verdicts,
        )

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

        await self._commit(say)

    async def shareBlock(self, block: CodeBlock) -> bool:
        """@return: whether it is new."""
        fresh: list[bool] = []
        await self._commit(lambda changes: fresh.append(self.trainer.publisher.shareBlock(block, changes)))
        return fresh[0]

    async def requestFeature(self, scenario: IScenario, note: str) -> None:
        """Ask all peers for a component for a task."""
        requirements = {**msgspec.to_builtins(described(scenario)), **({"note": note} if note else {})}
        request = FeatureRequest(feature=scenario.workbench.name, requirements=requirements)
        await self._commit(lambda changes: self.trainer.outbox.say(MessageType.FEATURE_REQUEST, request, changes))

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
        await self._commit(lambda changes: trainer.sessions.offers.offer(request, trainer.reactor.seconds(), changes))
        return request.description

    async def verify(self, known: KnownComponent) -> Verdict | None:
        """Measure a claim again now."""
        return await inReactor(lambda: self.trainer.verification.verify(known))

    # -- what is asked of the agent

    def invitations(self) -> list[Invitation]:
        """All that waits for the agent."""
        trainer = self.trainer
        found = [
            Invitation(
                invitation.session_id,
                "invitation",
                invitation.type.value,
                invitation.initiator,
                quoted(invitation.initiator, invitation.description, 1000),
                _requirements(invitation.initiator, invitation.requirements),
                "partner",
                complements(trainer.profile.specialization, invitation.partner_specialization),
            )
            for invitation in trainer.sessions.invitations().values()
        ]
        for session in trainer.sessions.active():
            found.append(
                Invitation(
                    session.session_id,
                    "session",
                    session.type.value,
                    session.peer,
                    quoted(session.peer, session.description, 1000),
                    _requirements(session.peer, session.requirements),
                    session.role,
                )
            )
        for key, job in trainer.jobs.ofKind(FEATURE).items():
            forwarded = msgspec.convert(job.body, ForwardedFeatureRequest)
            request = forwarded.original_request
            found.append(
                Invitation(
                    key,
                    "feature_request",
                    "feature_request",
                    forwarded.requestor,
                    quoted(forwarded.requestor, request.feature, 200),
                    _requirements(forwarded.requestor, request.requirements),
                    "partner",
                )
            )
        return found[:MAX_LISTED]

    async def answer(self, sessionId: str, accepted: bool, reason: str) -> None:
        """
        Accept or decline an invitation.

        @raise AgentError: there is none of that id.
        """
        sessions = self.trainer.sessions
        invitation = sessions.invitations().get(sessionId)
        if invitation is None:
            raise AgentError(f"no invitation {sessionId[:80]!r} waits (any more): list_invitations shows those that do")
        await self._commit(lambda changes: sessions.answer(invitation, accepted, reason, changes))

    def wanted(self, id_: str) -> Session | Job:
        """
        The session that runs, or the feature request that waits.

        @raise AgentError: there is none of that id.
        """
        session = self.trainer.sessions.sessions.get(id_)
        if session is not None and session.status == "active":
            return session
        job = self.trainer.jobs.ofKind(FEATURE).get(id_)
        if job is None:
            raise AgentError(
                f"{id_[:80]!r} is neither a session that runs nor a request that waits: list_invitations shows them;"
                " an invitation is accepted first, by answer_invitation"
            )
        return job

    async def complete(self, id_: str, component: Component, level: float | None, note: str) -> None:
        """End a session or a request by a component that passed the guard."""
        wanted = self.wanted(id_)
        if isinstance(wanted, Job):
            await inReactor(lambda: self.trainer.features.answer(id_, wanted, component, level))
            return
        wanted.transcript = [
            stepOf(self.aiId, "build", component, objective="score"),
            SessionStep(by=self.aiId, what="measure", component=component.id, digest=component.digest),
            stepOf(self.aiId, "send", component, note=note[:256]),
        ]
        await self._commit(lambda changes: self.trainer.sessions.complete(wanted, component, changes, level))

    async def giveUp(self, id_: str, reason: str) -> None:
        """End a session or a request without a component."""
        wanted = self.wanted(id_)
        if isinstance(wanted, Job):
            await inReactor(lambda: self.trainer.features.answer(id_, wanted, None, None, reason))
        else:
            await self._commit(lambda changes: self.trainer.sessions.giveUp(wanted, reason, changes))

    async def _commit(self, say: Callable[[Changes], object]) -> None:
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


def _requirements(by: str, requirements: Mapping[str, Any]) -> Quoted:
    return quoted(by, json.dumps(requirements), _MAX_REQUIREMENTS)


def _withoutDigests(data: object) -> object:
    return {key: value for key, value in data.items() if key != "trace_digest"} if isinstance(data, dict) else data
