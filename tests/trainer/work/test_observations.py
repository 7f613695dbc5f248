"""What commands left in the spool reaches a hub that takes it, once, and is never lost."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, inlineCallbacks, succeed

from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.spool import Spool, SpooledObservation
from tests.trainer.storage.test_spool import SEEN
from tests.trainer.support import TrainerTestCase, component

T = MessageType


class ObservationSendingTests(TrainerTestCase):
    def setUp(self) -> Any:
        done = super().setUp()
        self.made = component("c")
        assert self.made.manifest is not None
        self.made.manifest.wasm_sha256 = hashlib.sha256(self.made.wasm).hexdigest()
        observation = msgspec.structs.replace(SEEN.observation, wasm_sha256=self.made.manifest.wasm_sha256)
        self.seen = SpooledObservation(observation)
        return done

    @property
    def spool(self) -> Spool:
        return Spool(self.trainer.folder / "spool")

    def look(self) -> Deferred[None]:
        return self.trainer.observations.look() or succeed(None)

    def know(self) -> Deferred[None]:
        changes = Changes()
        self.trainer.knowledge.addComponent("AI_2", self.made, changes)
        done: Deferred[None] = self.trainer.outbox.commit(changes)
        return done

    @inlineCallbacks
    def test_sent(self) -> Any:
        """It goes as a report with an observation, about the component of that module, and its file goes."""
        yield self.know()
        self.spool.put(self.seen)
        self.connect()
        yield self.hear(self.sync(takes=["observations"]))
        yield self.look()
        (said,) = self.said(T.PERFORMANCE_REPORT)
        self.assertEqual((said.payload["component_id"], said.payload["digest"]), (self.made.id, self.made.digest))
        self.assertEqual({*said.payload}, {"component_id", "digest", "observation"})
        self.assertNotEqual(said.payload["observation"]["site"], self.seen.observation.site)
        self.assertEqual([*self.spool.waiting()], [])
        yield self.look()
        self.assertEqual(self.said(T.PERFORMANCE_REPORT), [])

    @inlineCallbacks
    def test_earlierHub(self) -> Any:
        """A hub that doesn't say that it takes observations is sent none; they wait for one that does."""
        yield self.know()
        path = self.spool.put(self.seen)
        yield self.look()
        self.connect()
        yield self.hear(self.sync())
        yield self.look()
        self.assertEqual((self.said(T.PERFORMANCE_REPORT), path.exists()), ([], True))
        self.connect()
        yield self.hear(self.sync(resumed=True, takes=["observations"]))
        yield self.look()
        self.assertEqual((len(self.said(T.PERFORMANCE_REPORT)), path.exists()), (1, False))

    @inlineCallbacks
    def test_durableFirst(self) -> Any:
        """The file is there until its message is in the durable outbox."""
        yield self.know()
        path = self.spool.put(self.seen)
        self.connect()
        yield self.hear(self.sync(takes=["observations"]))
        commit, held = self.trainer.outbox.commit, []

        def late(changes: Changes) -> Deferred[None]:
            held.append(path.exists())
            return commit(changes)

        self.patch(self.trainer.outbox, "commit", late)
        yield self.look()
        self.assertEqual((held[-1], path.exists()), (True, False))
        rows = yield self.trainer.store.read("SELECT line FROM outbox")
        self.assertEqual(sum(b'"observation"' in line for (line,) in rows), 1)

    @inlineCallbacks
    def test_failedCommit(self) -> Any:
        """Where the outbox can't be written the file stays."""
        yield self.know()
        path = self.spool.put(self.seen)
        self.connect()
        yield self.hear(self.sync(takes=["observations"]))
        yield self.trainer.store.read("SELECT 1")

        def broken(changes: Changes) -> Deferred[None]:
            raise OSError("no room")

        self.patch(self.trainer.outbox, "commit", broken)
        yield self.look()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertTrue(path.exists())

    @inlineCallbacks
    def test_site(self) -> Any:
        """The site is the same for one hub, after a restart too, and another for each hub."""
        yield self.know()
        sites = []
        for log in ("L", "L", "M"):
            self.spool.put(self.seen)
            self.connect()
            yield self.hear(self.sync(log_id=log, takes=["observations"]))
            yield self.look()
            sites.append(self.said(T.PERFORMANCE_REPORT)[-1].payload["observation"]["site"])
            yield self.trainer.store.close()
            yield self.begin()
        self.assertEqual(sites[0], sites[1])
        self.assertNotEqual(sites[1], sites[2])

    @inlineCallbacks
    def test_named(self) -> Any:
        """Of a module that is not known here the component counts that its export names; without one it is refused."""
        self.connect()
        yield self.hear(self.sync(takes=["observations"]))
        self.spool.put(SpooledObservation(self.seen.observation, "named", "7" * 64))
        self.spool.put(self.seen)
        yield self.look()
        (said,) = self.said(T.PERFORMANCE_REPORT)
        self.assertEqual((said.payload["component_id"], said.payload["digest"]), ("named", "7" * 64))
        self.assertEqual(len([*(self.trainer.folder / "spool" / "refused").iterdir()]), 1)

    @inlineCallbacks
    def test_heard(self) -> Any:
        """An observation that comes from a hub stands in the place of no report."""
        self.connect()
        verdict = {"component_id": "c", "performance": {}, "digest": self.made.digest, "verdict": "confirmed"}
        told = msgspec.to_builtins(self.seen.observation)
        observed = {"component_id": "c", "digest": self.made.digest, "observation": told}
        yield self.hear(
            self.sync(), self.message(T.PERFORMANCE_REPORT, verdict), self.message(T.PERFORMANCE_REPORT, observed)
        )
        self.assertEqual(self.trainer.knowledge.confirmedBy(self.made), ["AI_2"])
        self.assertEqual(self.trainer.dispatcher.failed, 0)
