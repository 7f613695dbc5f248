"""The life of a trainer: it ends in time whatever hangs, and nothing that was stored is lost by it."""

import shutil
import sqlite3
from collections import Counter
from functools import partial
from typing import Any, cast
from unittest.mock import Mock

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

from kernelnet.message import FeatureRequest, MessageType
from kernelnet.trainer import goodbye, progress, service, tap
from kernelnet.trainer.collaboration import offers
from kernelnet.trainer.messaging.trace_sharing import TraceSharing
from kernelnet.trainer.service import TrainerFailed
from kernelnet.trainer.storage import database
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.observations import ObservationSending
from kernelnet.trainer.work.site_trials import SiteTrials
from tests.trainer.support import TRACE, TrainerTestCase

T = MessageType


class StopTests(TrainerTestCase):
    patience = goodbye.STOP_WORK + goodbye.LAST_WORDS + goodbye.CLOSE

    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.patch(goodbye, "STOP_WORK", 0.05)
        self.patch(goodbye, "LAST_WORDS", 0.05)
        self.patch(goodbye, "CLOSE", 0.01)
        self.connect()
        yield self.hear(self.sync())

    def failing(self, error: Exception) -> None:
        def fail(transaction: Any, statements: Any) -> None:
            raise error

        self.patch(database, "_run", fail)

    @inlineCallbacks
    def test_localTrainerThatDoesNotStop(self) -> Any:
        """A local trainer whose stop() never fires, raises or returns at once does not keep the trainer from ending."""

        def raising() -> None:
            raise RuntimeError("stop")

        for stop in (Deferred, raising, lambda: None):
            yield self.begin()
            self.patch(self.local, "stop", stop)
            yield self.trainer.stopService()
            self.assertIsNone(self.trainer.store._pool)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @inlineCallbacks
    def test_fullDisk(self) -> Any:
        """A trainer that waits for room on its disk still ends when it is told to."""
        tried: Deferred[None] = Deferred()

        def fail(transaction: Any, statements: Any) -> None:
            reactor.callFromThread(lambda: tried.callback(None) if not tried.called else None)  # type: ignore[attr-defined]
            raise sqlite3.OperationalError("database or disk is full")

        self.patch(database, "_run", fail)
        self.local.script = [None]
        self.trainer.worker.start()
        yield tried
        yield self.trainer.stopService()
        self.assertIsNone(self.trainer.store._pool)

    @inlineCallbacks
    def test_progressCannotBeWritten(self) -> Any:
        """A disk too full for progress.json is worth one line, and no reason not to close the rest."""
        (self.trainer.folder / ".progress.json").mkdir()
        said: list[str] = []

        @implementer(ILogObserver)
        def note(event: LogEvent) -> None:
            said.append(event["log_format"])

        self.patch(progress.Progress, "log", Logger(observer=note))
        self.trainer.progress.write()
        yield self.trainer.stopService()
        self.assertEqual(len(said), 1)
        self.assertIsNone(self.trainer.store._pool)

    @inlineCallbacks
    def test_lateMessages(self) -> Any:
        """What comes in while the connection closes changes nothing: the hub sends it again next time."""
        connection = self.connection
        yield self.trainer.stopService()
        pattern = {"pattern": {"id": "p", "type": "loop", "confidence": 0.5}}
        yield self.trainer.client.received([self.message(T.PATTERN_SHARE, pattern)], connection)
        self.assertEqual(self.trainer.sync.cursor, 100)

    @inlineCallbacks
    def test_failsWhileStopping(self) -> Any:
        """A reason to fail that comes after the end is no second end."""
        ended = self.trainer.ended
        self.trainer._finish()
        yield ended
        self.trainer.fail("late")
        self.assertIs(self.trainer.ended, ended)
        yield self.trainer.stopService()

    @inlineCallbacks
    def test_neverGreeted(self) -> Any:
        """Whoever has not greeted will not acknowledge: nobody waits for that."""
        self.patch(goodbye, "LAST_WORDS", 60)
        for greeted in (False, True):
            yield self.begin()
            self.connect()
            self.connection.greeted = greeted
            changes = Changes()
            self.trainer.outbox.say(T.FEATURE_REQUEST, FeatureRequest("a"), changes)
            yield self.trainer.outbox.commit(changes)
            self.patch(goodbye, "LAST_WORDS", 0.2 if greeted else 60)
            began = reactor.seconds()
            yield self.trainer.stopService()
            self.assertEqual(reactor.seconds() - began >= 0.2, greeted)

    def test_limits(self) -> None:
        """All that a stopped trainer waits for takes less than the time in which its process ends anyway: 2 s."""
        self.assertLess(StopTests.patience, tap.END_WITHIN)
        self.assertLess(tap.END_WITHIN, 2)

    @inlineCallbacks
    def test_stoppedWhileItsTimeIsOver(self) -> Any:
        """Who is stopped while it waits for its last acks waits no longer for them."""
        self.connection.greeted = True
        changes = Changes()
        self.trainer.outbox.say(T.FEATURE_REQUEST, FeatureRequest("a"), changes)
        yield self.trainer.outbox.commit(changes)
        self.trainer._finish()
        self.assertFalse(self.trainer.ended.called)
        began = reactor.seconds()
        yield self.trainer.stopService()
        yield self.trainer.ended
        self.assertLess(reactor.seconds() - began, 2)

    @inlineCallbacks
    def test_filesTakenAway(self) -> Any:
        """Once somebody takes its folder away, it ends within a second or so, and says why in one line."""
        self.patch(service, "LOOK_EVERY", 0.02)
        folder = self.trainer.folder
        for take in (shutil.rmtree, lambda path: path.rename(path.with_name("elsewhere"))):
            yield self.trainer.store.close()
            yield self.begin()
            yield self.trainer.store.close()
            self.clock.isHasty = True
            self.trainer.startService()
            while not self.local.started:
                yield task.deferLater(cast(IReactorTime, reactor), 0.01)
            take(folder)
            failure = yield self.assertFailure(self.trainer.ended, TrainerFailed)
            self.assertRegex(str(failure), "AI_1 was removed, moved or replaced while the trainer ran")
            yield self.trainer.stopService()
            self.local.started = False

    @inlineCallbacks
    def test_stoppedWhileStarting(self) -> Any:
        """A trainer that is stopped within its start leaves nothing running, and does not call it a failure."""
        yield self.trainer.store.close()
        yield self.begin()
        started: list[None] = []
        self.patch(self.local, "start", lambda: started.append(None))
        yield self.trainer.store.close()
        self.trainer.startService()
        yield self.trainer.stopService()
        settled: Deferred[None] = Deferred()
        reactor.callLater(0.1, settled.callback, None)
        yield settled
        self.assertEqual(started, [])
        self.assertFalse(self.trainer.ended.called)

    @inlineCallbacks
    def test_brokenStore(self) -> Any:
        """A change that can't be stored ends the trainer, and no later change is stored as if it had been."""
        run = database._run
        self.failing(sqlite3.DatabaseError("database disk image is malformed"))
        ended = self.trainer.ended
        pattern = {"pattern": {"id": "p", "type": "loop", "confidence": 0.5}}
        yield self.assertFailure(self.hear(self.message(T.PATTERN_SHARE, pattern)), sqlite3.DatabaseError)
        failure = yield self.assertFailure(ended, TrainerFailed)
        self.assertIn("malformed", str(failure))
        self.patch(database, "_run", run)
        yield self.assertFailure(self.hear(self.message(T.PATTERN_SHARE, pattern)), database.StoreError)
        meta = dict((yield self.trainer.store.read("SELECT key, value FROM meta")))
        self.assertEqual(meta["cursor"], "100")


class PaceTests(TrainerTestCase):
    @inlineCallbacks
    def test_looks(self) -> Any:
        """Each of what a running trainer looks at again and again is looked at as often as it says."""
        yield self.trainer.store.close()
        trainer, looks = self.trainer, Counter[str]()
        every = {
            "files": (trainer, "_keepsFiles", service.LOOK_EVERY),
            "offers": (trainer, "seek", offers.SEEK_EVERY),
            "progress": (trainer.progress, "tell", progress.TELL_EVERY),
            "observations": (trainer.observations, "look", ObservationSending.LOOK_EVERY),
            "trials": (trainer.trials, "look", SiteTrials.LOOK_EVERY),
            "traces": (trainer.sharing, "look", TraceSharing.LOOK_EVERY),
        }
        for name, (part, method, _) in every.items():
            self.patch(part, method, partial(looks.update, [name]))
        self.patch(trainer, "_writeProgress", lambda: None)
        for part in (trainer.client, trainer.worker):
            self.patch(part, "start", lambda: None)
        clock = trainer.reactor = task.Clock()
        yield Deferred.fromCoroutine(trainer._start())
        clock.pump([0.5] * 240)
        self.assertEqual(looks, {name: 120 // seconds for name, (_, _, seconds) in every.items()})
        yield trainer.stopService()


class FormerTrainerTests(TrainerTestCase):
    @inlineCallbacks
    def test_asks(self) -> Any:
        """A local trainer that tells its tasks by its status alone asks its peers as it always did."""
        task = {"workbench": "file_system", "trace": "trace", "trace_digest": TRACE, "settings": {"capacity": 10}}
        former = Mock(spec=["workbenches", "status", "stop", "build"], workbenches=("file_system",))
        former.status.return_value = {"scenario": task}
        former.build.side_effect = lambda goal: succeed(None)
        yield self.trainer.store.close()
        self.local = former
        yield self.begin()
        self.connect()
        yield self.hear(self.sync(active_ais=["AI_1", "AI_2"], ai_info={"AI_2": {"specialization": "graphics"}}))
        changes = Changes()
        self.assertTrue(self.trainer.sessions.seek(0.0, changes))
        yield self.trainer.outbox.commit(changes)
        self.clock.isHasty = True
        yield Deferred.fromCoroutine(self.trainer.rounds.run())
        asked = {message.message_type: message.payload.get("requirements") for message in self.said()}
        self.assertEqual(asked[T.FEATURE_REQUEST], task)
        self.assertEqual(asked[T.COLLABORATION_REQUEST], {"feature": "file_system", **task})
