"""
Submission: a draft put to the guard; what passes becomes a component with its claim, shared where there is a hub.

Held-out is looked at by the guard's claim alone, and told by the Ladder (`kernelnet.learning.ladder`); how often one
may submit is limited, too.  Both are remembered in the agent's folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from kernelnet.artifacts import MAX_HYPOTHESIS, Candidate, Component
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.ladder import rungAfter
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.folder import AgentFolder, Draft
from kernelnet.mcp.jobs import Work
from kernelnet.mcp.tasks import NamedTask
from kernelnet.workbench.variants import VariantScenario

__all__ = ["GENERATOR", "MAX_NOTE", "MOST_AN_HOUR", "Guard", "Submitted"]

GENERATOR = "mcp"
"""Generator that the manifests of such components name."""

MOST_AN_HOUR = 6
"""Maximum number of submissions for one task in an hour."""

MAX_NOTE = 1000
"""Maximum number of characters of the hypothesis that goes with a component."""

_HOUR = 3600.0


@dataclass(frozen=True)
class Submitted:
    """
    Judgement of the guard.

    @ivar why: of a refusal: beside what it was not better.
    @ivar held_out_level: of an accepted one, if the Ladder lets it be told; C{held_out}: in words.
    """

    accepted: bool
    task: str
    draft: str
    why: str
    submissions_left: int
    component: str = ""
    digest: str = ""
    validation_level: float | None = None
    held_out_level: float | None = None
    held_out: str = ""
    shared: bool = False


class Guard:
    """
    One agent's way to the guard; for worker threads.

    @param author: goes into ids of components.
    @param known: gives the best component there is for a task, which has to be beaten.
    """

    def __init__(self, folder: AgentFolder, author: str, known: Callable[[IScenario], Component | None]) -> None:
        self._folder = folder
        self._author = author
        self._known = known
        self._lock = threading.Lock()

    def left(self, task: str) -> int:
        """Number of submissions that are left for a task at this time."""
        now = self._folder.clock()
        return MOST_AN_HOUR - sum(now - at < _HOUR for at in self._folder.ledger().submissions.get(task, []))

    def judge(
        self,
        task: NamedTask,
        draft: Draft,
        note: str,
        work: Work,
        *,
        parents: tuple[str, ...] = (),
        cheaperThan: Component | None = None,
    ) -> tuple[Submitted, Component | None]:
        """
        Worker thread.  Put a draft to the guard; see `kernelnet.learning.acceptance.accept`.

        @param note: the hypothesis: what it does, and why it should be better.
        @param cheaperThan: it has to do the same as this one for less fuel, instead of being better.
        @return: what is to be told, and the component if it was accepted.
        @raise AgentError: too much was submitted.
        """
        scenario = task.open()
        known = self._known(scenario) if cheaperThan is None else None
        if known is not None and known.wasm == draft.wasm:
            why = f"refused: this very module is known already, {known.id}; the submission doesn't count"
            return Submitted(False, task.name, draft.name, why, self.left(task.name)), None
        self._count(task.name)
        work.tell(0.1, "the guard measures it on variants of the trace that its own module draws")
        candidate = Candidate(draft.source, parents, (), note[:MAX_NOTE], hypothesis=note[:MAX_HYPOTHESIS])
        component, why = accept(
            scenario,
            candidate,
            generator=GENERATOR,
            seed=0,
            objective="score" if cheaperThan is None else "fuel",
            parent=cheaperThan,
            known=known,
        )
        left = self.left(task.name)
        if component is None:
            return Submitted(False, task.name, draft.name, f"refused: {why}", left), None
        work.tell(0.8, "its claim")
        component.id = f"{self._author}-{component.digest[:10]}"
        level, words = self._heldOut(task, scenario, component)
        self._folder.keepComponent(component)
        report = component.claim
        assert report is not None  # the guard made it
        validation = scenario.forModule(component.wasm).developmentLevel(report, "validation")
        told = Submitted(
            True,
            task.name,
            draft.name,
            why,
            left,
            component.id,
            component.digest,
            round(validation, 4),
            level,
            words,
        )
        return told, component

    def wasTold(self, component: Component) -> bool:
        """Whether the agent knows the level on held-out of a component of its own."""
        return component.digest in self._folder.ledger().told

    def _count(self, task: str) -> None:
        with self._lock:
            ledger, now = self._folder.ledger(), self._folder.clock()
            recent = [at for at in ledger.submissions.get(task, []) if now - at < _HOUR]
            if len(recent) >= MOST_AN_HOUR:
                minutes = (_HOUR - (now - recent[0])) / 60
                raise AgentError(
                    f"{MOST_AN_HOUR} submissions an hour are taken for {task}: the next in {minutes:.0f} minutes;"
                    " meanwhile measure and compare on train and validation"
                )
            ledger.submissions[task] = [*recent, now]
            self._folder.keepLedger(ledger)

    def _heldOut(self, task: NamedTask, scenario: IScenario, component: Component) -> tuple[float | None, str]:
        """Level on held-out that may be told, and words for it."""
        level = component.development_level or 0.0
        measured = scenario.forModule(component.wasm)
        levels = measured.levels(component.wasm) if isinstance(measured, VariantScenario) else []
        with self._lock:
            ledger = self._folder.ledger()
            before = ledger.rungs.get(task.name)
            rung = rungAfter(before, levels, level)
            if rung is None:
                assert before is not None  # the first is always told
                return None, f"not higher than {before.level:g}, which was told before, by more than noise: not told"
            ledger.rungs[task.name] = rung
            ledger.told = [*ledger.told, component.digest][-1000:]
            self._folder.keepLedger(ledger)
        return rung.level, f"about {rung.level:g} (± {rung.error:.2g} by variants)"
