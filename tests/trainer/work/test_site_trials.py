"""Trials on the user's own traces: what is told of them, and how little of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from zope.interface import implementer

from kernelnet.artifacts import Component, Verdict
from kernelnet.interfaces import ISiteTrainer
from kernelnet.learning.goal import Goal
from kernelnet.message import AiInfo, MessageType
from kernelnet.observations import OwnTrace, Trial
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work import site_trials
from tests.trainer.support import ScriptedLocalTrainer, TrainerTestCase, component

OWN = OwnTrace("file_system", "e" * 64, {"capacity": 7})


@implementer(ISiteTrainer)
class SiteTrainer(ScriptedLocalTrainer):
    hasPrivate = False

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[str] = []
        self.own: Sequence[OwnTrace] = [OWN]
        self.trial: Trial | None = Trial(0.4567, ("arc", 0.25))

    def ownTraces(self) -> list[OwnTrace]:
        return [*self.own]

    def tryOn(self, own: OwnTrace, component: Component) -> Deferred[Trial | None]:
        self.tried.append(component.id)
        return succeed(self.trial)

    def buildPrivately(self, goal: Goal) -> Deferred[Component | None]:
        return succeed(None)


class SiteTrialsTests(TrainerTestCase):
    def begin(self) -> Any:
        self.local = self.site = SiteTrainer()
        return super().begin()

    def know(self, name: str, source: str = "AI_2", verdict: Verdict = Verdict.CONFIRMED) -> None:
        made = component(name)
        assert made.manifest is not None
        made.manifest.wasm_sha256 = hashlib.sha256(made.wasm).hexdigest()
        changes = Changes()
        self.trainer.knowledge.addComponent(source, made, changes)
        self.trainer.knowledge.judge(made.digest, verdict, changes, 0.5)

    @inlineCallbacks
    def online(self, log: str = "L") -> Any:
        self.connect()
        yield self.hear(self.sync(log_id=log, takes=["observations"]))
        self.trainer.worker._idle = Deferred()
        self.said()

    @inlineCallbacks
    def look(self) -> Any:
        """@return: the observations that were said."""
        self.clock.advance(1000)
        yield self.trainer.trials.look() or succeed(None)
        return [said.payload["observation"] for said in self.said(MessageType.PERFORMANCE_REPORT)]

    @inlineCallbacks
    def test_told(self) -> Any:
        """Told is a level to a hundredth beside the best hand-made policy's, and nothing that names the trace."""
        self.know("c")
        self.know("refuted", verdict=Verdict.REFUTED)
        yield self.online()
        (seen,) = yield self.look()
        self.assertEqual(
            {*seen}, {"environment", "site", "wasm_sha256", "workbench", "unit", "component", "beside", "settings"}
        )
        self.assertEqual(seen["component"], {"policy": "component", "score": 0.54})
        self.assertEqual(seen["beside"], [{"policy": "arc", "score": 0.75}])
        self.assertNotIn(OWN.digest, str(seen))
        self.assertEqual((yield self.look()), [])
        self.assertEqual(self.site.tried, ["c"])

    @inlineCallbacks
    def test_site(self) -> Any:
        """The name is another one for each hub and trace, and is the same after a restart."""
        for name in "abcd":
            self.know(name)
        yield self.online()
        sites = [(yield self.look())[0]["site"]]
        yield self.online("M")
        sites.append((yield self.look())[0]["site"])
        self.site.own = [OwnTrace("file_system", "f" * 64, {"capacity": 7})]
        sites.append((yield self.look())[0]["site"])
        self.assertEqual(len(set(sites)), 3)
        self.site.own = [OWN]
        yield self.trainer.store.close()
        site = self.site
        yield self.begin()
        self.local = self.site
        self.trainer.trials._local = site
        for name in "abcd":
            self.know(name)
        yield self.online()
        self.assertIn(OWN.digest, str([*self.trainer.trials._tried]))
        self.assertEqual((yield self.look())[0]["site"], sites[0])
        mode = (self.trainer.folder / "trainer.db").stat().st_mode
        self.assertEqual(mode & 0o077, 0)

    @inlineCallbacks
    def test_bounds(self) -> Any:
        """An owner, with however many ids, asks few questions of a trace, and all together not many; for ever."""
        self.patch(site_trials, "MAX_OF_OWNER", 3)
        self.patch(site_trials, "MAX_ON_TRACE", 5)
        self.trainer.knowledge.tell({f"X_{n}": AiInfo("general", owner="crowd") for n in range(9)})
        for number in range(9):
            self.know(f"x{number}", f"X_{number}")
        yield self.online()
        for _ in range(5):
            yield self.look()
        self.assertEqual(len(self.site.tried), 3)
        for number in range(9):
            self.know(f"y{number}", f"Y_{number}")
        for _ in range(5):
            yield self.look()
        self.assertEqual(len(self.site.tried), 5)
        yield self.online("another log")
        yield self.look()
        self.assertEqual(len(self.site.tried), 5)
        rows = yield self.trainer.store.read("SELECT COUNT(*) FROM tried")
        self.assertEqual(rows, [(5,)])

    @inlineCallbacks
    def test_idle(self) -> Any:
        """It is tried while nothing else is to be measured, within a share of the time, and only where it is taken."""
        self.know("a")
        self.know("b")
        self.connect()
        yield self.hear(self.sync())
        self.trainer.worker._idle = Deferred()
        self.assertEqual((yield self.look()), [])
        yield self.online()
        self.trainer.worker._idle = None
        self.assertEqual((yield self.look()), [])
        self.trainer.worker._idle = Deferred()
        held: Deferred[Trial | None] = Deferred()
        self.patch(self.site, "tryOn", lambda own, component: held)
        looked = self.trainer.trials.look()
        yield self.trainer.store.read("SELECT 1")
        self.assertIsNone(self.trainer.trials.look())
        self.clock.advance(2)
        held.callback(None)
        yield looked
        self.assertEqual(self.said(), [])  # it failed there
        self.clock.advance(2 / site_trials.SHARE - 3)
        self.assertIsNone(self.trainer.trials.look())
        self.clock.advance(2)
        looked = self.trainer.trials.look()
        self.assertIsNotNone(looked)
        yield looked
