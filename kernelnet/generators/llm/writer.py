"""
Calls that are under way beside a search: which model is asked next, what came, and when no more will come.

A call takes seconds to minutes, in which the search goes on measuring.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from twisted.logger import Logger

from kernelnet.artifacts import Provenance
from kernelnet.generators.evolution.portfolio import Bandit
from kernelnet.generators.llm.answer import Answer, CallFailed, Message
from kernelnet.generators.llm.ledger import Ledger, LedgerError, Spent
from kernelnet.generators.llm.prompt import Prompt
from kernelnet.generators.llm.settings import Model, Settings, SettingsError, keyOf

__all__ = ["Models", "Writer", "Written"]

UNDER_WAY = 2
"""Number of calls at once, those included whose answer nobody has looked at yet."""

FIRST = 5.0
"""Seconds that an answer is thought to take before there was one."""

FAILURES = 5
"""Number of failures of one model, one after the other, after which it isn't asked again in this search."""

WARNINGS = (0.5, 0.8)
"""Shares of the budget at which the log says so."""


def _ask(model: Model, key: str, messages: tuple[Message, ...]) -> Answer:
    # Needs what [llm] installs.
    from kernelnet.generators.llm.client import ask

    return ask(model, key, messages)


@dataclass(frozen=True)
class Models:
    """Models that may be asked, and the ledger that their calls stand in."""

    settings: Settings
    ledger: Ledger
    ask: Callable[[Model, str, tuple[Message, ...]], Answer] = _ask


@dataclass(frozen=True)
class Written:
    """
    One answer, and where it comes from.

    @ivar arm: which model; C{number}: of the call.
    """

    arm: int
    number: int
    prompt: Prompt
    answer: Answer
    provenance: Provenance


class Writer:
    """
    Asks models for a search.

    @param task: workbench and trace, for people.
    """

    log = Logger()

    def __init__(self, models: Models, task: str) -> None:
        self._models, self._task = models, task
        self._bandit = Bandit(len(models.settings.models))
        self._usual = [FIRST] * len(models.settings.models)
        self._failures = [0] * len(models.settings.models)
        self._underWay: list[int] = []
        self._arrived: queue.SimpleQueue[Written] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._warned = 0.0
        self._ended = ""

    @property
    def ended(self) -> str:
        """Why no more will be asked; empty: more will be."""
        return self._ended

    @property
    def underWay(self) -> int:
        """Number of calls that no answer came of yet."""
        return len(self._underWay)

    def wants(self, secondsLeft: float) -> bool:
        """
        Whether one more call should be sent: its answer would come in time, and not so many wait to be looked at.

        Answers may come faster than they are measured; each costs money, and the later ones know what became of these.
        """
        waiting = len(self._underWay) + self._arrived.qsize()
        return not self._ended and waiting < UNDER_WAY and secondsLeft > min(self._usual)

    def send(self, prompt: Prompt) -> None:
        """Send a call in a thread of its own; what it may cost is on the disk before."""
        arms = [arm for arm, failed in enumerate(self._failures) if failed < FAILURES]
        if not arms:
            self._end("no model answers")
            return
        arm = self._bandit.choose(self._underWay)
        arm = arm if arm in arms else arms[0]
        model, settings = self._models.settings.models[arm], self._models.settings
        try:
            key = keyOf(model)
            number = self._models.ledger.reserve(model, settings, self._task, prompt.digest, prompt.mostTokens)
        except (Spent, LedgerError, SettingsError) as error:
            self._end(str(error))
            return
        self._underWay.append(arm)
        # A daemon: the process must not wait for an answer that nobody wants any more; its reserve stands.
        threading.Thread(
            target=self._call, args=(arm, model, key, number, prompt), name="kernelnet-llm", daemon=True
        ).start()

    def _call(self, arm: int, model: Model, key: str, number: int, prompt: Prompt) -> None:
        began, again, written = time.monotonic(), None, None
        try:
            answer = self._models.ask(model, key, prompt.messages)
            self._models.ledger.settle(number, model, answer.usage, answer.seconds)
            self._failures[arm] = 0
            self._usual[arm] += (answer.seconds - self._usual[arm]) / 3
            totals = self._models.ledger.totals()
            provenance = Provenance(
                model.name[:100],
                prompt.digest,
                sum(answer.usage or ()),
                model.cost(*answer.usage) if answer.usage is not None else None,
                totals.calls,
                totals.usd,
            )
            written = Written(arm, number, prompt, answer, provenance)
            self._warn(totals.tokens, totals.usd)
        except CallFailed as error:
            self._failures[arm] += 1
            again = error.again
            self.log.warn("{model}: {reason}", model=model.name, reason=str(error))
            with self._ending():
                if error.isCharged:
                    self._models.ledger.tell(number, f"failed: {error}")
                else:
                    self._models.ledger.release(number, f"failed: {error}")
            if again is None:
                self._failures[arm] = FAILURES
        except LedgerError as error:
            self._end(str(error))
        except Exception:
            self._failures[arm] += 1
            self.log.failure("a call of {model} failed", model=model.name)
        if again is not None:
            # The place stays taken meanwhile: so the server is left alone for as long as it asked.
            time.sleep(again)
        with self._changed:
            if written is not None:
                self._arrived.put(written)
            self._underWay.remove(arm)
            if written is None:
                self._bandit.reward(arm, max(time.monotonic() - began, 1e-3), 0.0)
            self._changed.notify_all()

    def take(self) -> Written | None:
        """The answer that arrived first; C{None}: there is none."""
        try:
            return self._arrived.get_nowait()
        except queue.Empty:
            return None

    def hasArrived(self) -> bool:
        """Whether there is something to take."""
        return not self._arrived.empty()

    def wait(self, seconds: float) -> None:
        """Wait until something arrives, or a call ends without."""
        with self._changed:
            self._changed.wait_for(lambda: self.hasArrived() or not self._underWay, seconds)

    def reward(self, written: Written, gain: float) -> None:
        """Tell by how much an answer made the best of all better: who pays most for its cost is asked more."""
        usd = written.provenance.usd
        priced = all(model.isPriced for model in self._models.settings.models)
        cost = usd if priced and usd is not None else written.answer.seconds
        self._bandit.reward(written.arm, max(cost, 1e-6), gain)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """A ledger that can't be written ends the asking, and not the search."""
        try:
            yield
        except LedgerError as error:
            self._end(str(error))

    def tell(self, written: Written, outcome: str) -> None:
        """Write down what became of an answer."""
        with self._ending():
            self._models.ledger.tell(written.number, outcome)

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._ended = reason
            self.log.warn("no more calls of language models: {reason}", reason=reason)

    def _warn(self, tokens: int, usd: float | None) -> None:
        settings = self._models.settings
        shares = [tokens / settings.budget_tokens] if settings.budget_tokens else []
        if settings.budget_usd and usd is not None:
            shares.append(usd / settings.budget_usd)
        share = max(shares, default=0.0)
        for bound in WARNINGS:
            if self._warned < bound <= share:
                self._warned = bound
                self.log.warn("{share:.0%} of the budget for language models is spent or reserved", share=share)
