"""A trainer without hub and without learning: a scripted `ILocalTrainer`, and a hub that is this test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from kernelnet.artifacts import (
    Component,
    Manifest,
    Pattern,
    PerformanceReport,
    Report,
    SplitScore,
    TaskDescription,
    Verdict,
)
from kernelnet.identity import StateDirectory
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.goal import Goal
from kernelnet.message import MessageType, NetworkMessage
from kernelnet.trainer.connection.protocol import TrainerProtocol
from kernelnet.trainer.service import Trainer, TrainerConfig
from kernelnet.trainer.storage.database import Changes
from kernelnet.wire import decode, encode, rfc3339, withSeq

TRACE = "ab" * 32


def component(
    name: str,
    score: int = 50,
    fuel: int = 1000,
    level: float = 0.5,
    claim: bool = True,
    *,
    workbench: str = "file_system",
    expression: str = "",
    parents: Sequence[str] = (),
    trace: str = TRACE,
) -> Component:
    """A component with a claim of C{score} on every split; one of the rank ABI if it has an expression."""
    source, wasm = f"/* {name} */", name.encode()
    if expression:
        source = f"/*\n * expression: {expression}\n */"
    splits = {split: SplitScore(100, score, fuel) for split in ("train", "validation", "held_out")}
    report = Report(workbench, "cd" * 32, "trace", trace, {"capacity": 10}, "engine 1", splits)
    return Component(
        id=name,
        name=workbench,
        implementation=source,
        specialization=workbench,
        wasm=wasm,
        development_level=level,
        manifest=Manifest(
            source_sha256=hashlib.sha256(source.encode()).hexdigest(),
            wasm_sha256=hashlib.sha256(wasm).hexdigest(),
            abi=f"{workbench}/{'rank' if expression else 'full'}/1",
            workbench=workbench,
            parents=list(parents),
            generator="search",
            parameters=[1.0, 2.0],
            report=report if claim else None,
        ),
    )


def levelOf(component: Component) -> float:
    """Level on validation of what `component` makes."""
    assert component.claim is not None
    return 1 - component.claim.splits["validation"].score / 100


@implementer(ILocalTrainer)
class ScriptedLocalTrainer:
    """
    Builds what stands in C{script}, in order, then nothing; confirms all but what C{refuted} names.

    @ivar goals: what it was asked to build.
    @ivar measured: ids of what it was asked to measure.
    @ivar every: its tasks; C{current}: the one that is worked on.
    """

    workbenches = ("file_system",)

    def __init__(self, script: Sequence[Component | Exception | None] = ()) -> None:
        self.script = list(script)
        self.goals: list[Goal] = []
        self.measured: list[str] = []
        self.refuted: set[str] = set()
        self.patterns: list[Pattern] = []
        self.held: list[Deferred[Component | None]] = []
        self.every: list[TaskDescription] = []
        self.current = TaskDescription("file_system", "trace", TRACE, {"capacity": 10})

    def start(self) -> Deferred[None]:
        return succeed(None)

    def learn(self) -> Deferred[list[Pattern]]:
        return succeed(self.patterns)

    def build(self, goal: Goal) -> Deferred[Component | None]:
        self.goals.append(goal)
        if not self.script:
            waiting: Deferred[Component | None] = Deferred()
            self.held.append(waiting)
            return waiting
        built = self.script.pop(0)
        if isinstance(built, Exception):
            raise built
        return succeed(built)

    def remeasure(self, component: Component) -> Deferred[PerformanceReport]:
        self.measured.append(component.id)
        verdict = Verdict.REFUTED if component.id in self.refuted else Verdict.CONFIRMED
        told: dict[str, Any] = {"score": 50, "best_in_hindsight": "arc", "best_in_hindsight_level": 0.25}
        if component.claim is not None:
            told["validation_level"] = levelOf(component)
        return succeed(PerformanceReport(component.id, told, component.digest, verdict))

    def tasks(self) -> list[TaskDescription]:
        return self.every

    def currentTask(self) -> TaskDescription | None:
        return self.current

    def status(self) -> dict[str, Any]:
        """Steers nothing: it is for display."""
        return {"generation": 0, "best": None, "scenario": None}

    def stop(self) -> Deferred[None]:
        held, self.held = self.held, []
        for waiting in held:
            waiting.callback(None)
        return succeed(None)


@implementer(IReactorTime)
class WorkClock:
    """
    The clock of a trainer's work: the reactor's, unless a test says another time.

    @ivar now: what time it is; C{None}: the reactor's.
    @ivar isHasty: whether no pause takes any time.
    """

    def __init__(self) -> None:
        self.now: float | None = None
        self.isHasty = False

    def seconds(self) -> float:
        return cast(IReactorTime, reactor).seconds() if self.now is None else self.now

    def advance(self, seconds: float) -> None:
        """From now on it says what time it is."""
        self.now = self.seconds() + seconds

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> IDelayedCall:
        return cast(IReactorTime, reactor).callLater(0 if self.isHasty else delay, callable, *args, **kw)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        return cast(IReactorTime, reactor).getDelayedCalls()


class TrainerTestCase(TestCase):
    """Has C{self.trainer}, whose connection is a `StringTransport`, and plays the hub."""

    specialization = "file_system"

    def setUp(self) -> Any:
        path = Path(self.mktemp())
        path.mkdir(mode=0o700)
        self.state = StateDirectory(path)
        self.state.joinToken.write_text("join\n")
        self.state.joinToken.chmod(0o600)
        self.local = ScriptedLocalTrainer()
        self.seq = 100
        return self.begin()

    def begin(self) -> Any:
        """Make a trainer of the state directory, as a new process would."""
        config = TrainerConfig(aiId="AI_1", state=self.state, specialization=self.specialization, minutes=None)
        self.clock = WorkClock()
        self.trainer = Trainer(config, self.local, reactor, clock=self.clock)
        self.trainer.running = 1
        self.trainer.store.open()
        self.addCleanup(self.trainer.store.close)
        return Deferred.fromCoroutine(self.trainer.load())

    def connect(self) -> None:
        """Open a connection; what the trainer says next is `said`."""
        self.transport = StringTransport()
        self.connection: TrainerProtocol = self.trainer.client.factory.buildProtocol(None)
        self.connection.makeConnection(self.transport)
        self.addCleanup(self.connection.setTimeout, None)

    def lines(self) -> list[bytes]:
        """The lines that the trainer has sent since the last look."""
        found: list[bytes] = self.transport.value().split(b"\n")[:-1]
        self.transport.clear()
        return found

    def said(self, kind: MessageType | None = None) -> list[NetworkMessage]:
        """The messages that the trainer has sent since the last look, of one kind or all."""
        messages = [decode(line) for line in self.lines() if b'"message_id"' in line]
        return [m for m in messages if kind is None or m.message_type is kind]

    def hear(self, *messages: NetworkMessage) -> Deferred[None]:
        """Let the trainer take a batch; fires when it is durable."""
        return self.trainer.client.received(messages, self.connection)

    def message(
        self, kind: MessageType, payload: dict[str, Any], sender: str = "AI_2", logged: bool = True
    ) -> NetworkMessage:
        line = encode(NetworkMessage(f"m{self.seq}", sender, kind, rfc3339(0), payload))
        if logged:
            self.seq += 1
            line = withSeq(line, self.seq)
        from kernelnet.wire import decodeFromHub

        return decodeFromHub(line)

    def sync(self, **payload: Any) -> NetworkMessage:
        whole = {"log_id": "L", "seq": self.seq, "resumed": False, "active_ais": [], **payload}
        return self.message(MessageType.TRAINING_SYNC, whole, sender="hub", logged=False)

    def commits(self) -> list[tuple[Changes, Deferred[None]]]:
        """A list that each commit from now on is added to: what it makes durable, and when."""
        commit, seen = self.trainer.store.commit, []

        def noted(changes: Changes) -> Deferred[None]:
            seen.append((changes, commit(changes)))
            return seen[-1][1]

        self.patch(self.trainer.store, "commit", noted)
        return seen

    def storedOutbox(self) -> Deferred[list[str]]:
        rows = self.trainer.store.read("SELECT line FROM outbox ORDER BY position")
        result: Deferred[list[str]] = rows.addCallback(
            lambda found: [json.loads(bytes(line))["message_type"] for (line,) in found]
        )
        return result
