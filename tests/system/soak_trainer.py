"""
A trainer for the soak: kernelnet's own in all but the learning.  It says numbered patterns as fast as its outbox takes
them, and writes down what it said and heard in the transactions that make it durable.

``python -m tests.system.soak_trainer`` takes the options of ``twistd kerneltrainer``.  SIGUSR1: say nothing more.
Every 200 ms it prints ``unacked=… cursor=…``.
"""

from __future__ import annotations

import signal
import sqlite3
import sys
from contextlib import closing
from typing import Any

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from zope.interface import implementer

from kernelnet.artifacts import Component, Pattern, TaskDescription
from kernelnet.interfaces import ILocalTrainer
from kernelnet.message import MessageType, NetworkMessage, PatternShare
from kernelnet.trainer.messaging.dispatcher import Dispatcher
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.tap import Options, makeService

AT_ONCE = 20
"""How many messages are said in one transaction."""
TABLES = """
CREATE TABLE IF NOT EXISTS said (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS heard (position INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER, message_id TEXT);
"""


@implementer(ILocalTrainer)
class NoTrainer:
    """Learns nothing and builds nothing."""

    workbenches: tuple[str, ...] = ()

    def start(self) -> Deferred[None]:
        return succeed(None)

    def learn(self) -> Deferred[list[Pattern]]:
        return succeed([])

    def build(self, goal: object) -> Deferred[Component | None]:
        return Deferred()

    def remeasure(self, component: object) -> Deferred[Any]:
        return Deferred()

    def tasks(self) -> list[TaskDescription]:
        return []

    def currentTask(self) -> None:
        return None

    def status(self) -> dict[str, Any]:
        return {}

    def stop(self) -> Deferred[None]:
        return succeed(None)


class Talker:
    """Says numbered patterns through the outbox of C{trainer}."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._number = 0
        self._busy = False
        self.stopped = False

    def start(self) -> None:
        with closing(sqlite3.connect(self._trainer.store.path)) as connection:
            connection.executescript(TABLES)
            self._number = connection.execute("SELECT COALESCE(MAX(number), 0) FROM said").fetchone()[0]
        task.LoopingCall(self._say).start(0.01)
        task.LoopingCall(self._tell).start(0.2)

    @inlineCallbacks
    def _say(self) -> Any:
        trainer = self._trainer
        if self.stopped or self._busy or len(trainer.outbox) >= 200 or trainer.sync.logId is None:
            return
        self._busy = True
        changes = Changes()
        for _ in range(AT_ONCE):
            self._number += 1
            pattern = Pattern(f"{trainer.profile.aiId}-{self._number:07}", "loop", 0.5)
            trainer.outbox.say(MessageType.PATTERN_SHARE, PatternShare(pattern), changes)
            changes.add("INSERT INTO said VALUES (?)", self._number)
        yield trainer.outbox.commit(changes)
        self._busy = False

    def _tell(self) -> None:
        sys.stdout.write(f"unacked={len(self._trainer.outbox)} cursor={self._trainer.sync.cursor or 0}\n")
        sys.stdout.flush()

    def stop(self) -> None:
        self.stopped = True


def noteWhatIsHeard() -> None:
    """Each pattern that a dispatcher takes is written down with what it teaches."""
    take, payloadClass = Dispatcher._handlers[MessageType.PATTERN_SHARE]

    def noted(dispatcher: Dispatcher, message: NetworkMessage, payload: Any, changes: Changes) -> None:
        take(dispatcher, message, payload, changes)
        changes.add("INSERT INTO heard (seq, message_id) VALUES (?, ?)", message.seq, message.message_id)

    Dispatcher._handlers[MessageType.PATTERN_SHARE] = (noted, payloadClass)


def main() -> None:
    levels = LogLevelFilterPredicate()
    levels.setLogLevelForNamespace(
        "kernelnet.trainer.messaging.dispatcher", LogLevel.warn
    )  # a line for each message is too much
    observer = FilteringLogObserver(textFileLogObserver(sys.stdout), [levels])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    options = Options()
    options.parseOptions(sys.argv[1:])
    trainer: Any = makeService(options, NoTrainer())
    noteWhatIsHeard()
    talker = Talker(trainer)
    signal.signal(signal.SIGUSR1, lambda *_: talker.stop())
    loop: Any = reactor
    trainer.startService()
    loop.callWhenRunning(talker.start)
    loop.run()


if __name__ == "__main__":
    main()
