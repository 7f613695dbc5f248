"""Private traces: of what a trainer writes to its connection nothing tells of them but levels under a random name."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.threads import deferToThread

from kernelnet.artifacts import Candidate, Component, Manifest, Verdict
from kernelnet.learning import local_trainer
from kernelnet.learning.known_settings import Choice, Tried
from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.learning.submission import makeComponent, measure
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.offline import PRIVATE, confirmedComponents
from kernelnet.trainer.work import private_rounds, search_rounds
from kernelnet.trainer.work.private_rounds import PrivateRounds
from kernelnet.workbench.file_system import workbench
from tests.trainer.support import TrainerTestCase, component
from tests.workbench.support import mixture

NAME = "moonshot-ledger"


class CaptureTests(TrainerTestCase):
    def begin(self) -> Any:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.public, self.private = folder / "public.txt", folder / f"{NAME}.txt"
        self.public.write_text("".join(f"{number}\n" for number in mixture()))
        self.private.write_text("".join(f"{number + 7_000_000}\n" for number in mixture(seed=2)))
        self.real = IntegratedKernelTrainer("file_system", [self.public], seed=1, author="AI_1", private=[self.private])
        self.addCleanup(self.real.stop)
        self.local: Any = self.real
        self.hidden = workbench.scenario(self.private, workbench.tasks(self.private)[0])
        self.patch(local_trainer, "choose", self.choose)
        for module in (search_rounds, private_rounds):
            self.patch(module, "ROUND_SECONDS", 0.3)
            self.patch(module, "LEAST_SECONDS", 0.0)
        return super().begin()

    def choose(self, scenario: Any, *_: object, **_more: object) -> Choice:
        """Something that passed the guard, with a true claim: another one for the private trace."""
        name = "sieve" if scenario.traceDigest == self.hidden.traceDigest else "s3fifo"
        source = workbench.baselineSource(name)
        candidate = Candidate(source)
        component = makeComponent(scenario, candidate, measure(scenario, workbench.baselineModule(name)))
        return Choice(component, "", Tried(candidate, 0.0, 0, 0, source), 1, 0, 0, 0.0)

    def peers(self, scenario: Any) -> Component:
        """A peer's component with a true claim on a trace, which it calls otherwise: a verdict quotes that."""
        source, wasm = workbench.baselineSource("fifo"), workbench.baselineModule("fifo")
        manifest = Manifest(
            hashlib.sha256(source.encode()).hexdigest(),
            hashlib.sha256(wasm).hexdigest(),
            workbench.abiOf(wasm).identifier,
            "file_system",
            report=replace(scenario.forModule(wasm).measure(wasm), trace="theirs"),
        )
        return Component(f"of-{scenario.trace[:3]}", implementation=source, wasm=wasm, manifest=manifest)

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.trainer.round()
            self.trainer.progress.tell()

    @inlineCallbacks
    def test_nothingLeaves(self) -> Any:
        """All kinds of work are done, and all bytes looked at: name, digest, contents, and whatever was found there."""
        trainer = self.trainer
        yield self.real.start()
        self.connect()
        yield self.hear(self.sync(takes=["observations"]))
        self.connection.greeted = True
        yield Deferred.fromCoroutine(trainer.rounds.sharePatterns())
        hidden = self.hidden
        open_ = workbench.scenario(self.public, workbench.tasks(self.public)[0])
        changes = Changes()
        for scenario in (open_, hidden):
            made = yield deferToThread(self.peers, scenario)
            known = trainer.knowledge.addComponent("AI_2", made, changes)
            assert known is not None
            verdict = yield Deferred.fromCoroutine(trainer.verification.verify(known))
            self.assertIs(verdict, Verdict.CONFIRMED if scenario is open_ else Verdict.UNMEASURABLE)
        yield Deferred.fromCoroutine(self.rounds(4))
        trainer.seek()
        trainer.rounds._asking.ask(changes)
        yield trainer.outbox.commit(changes)
        trainer.worker._idle = Deferred()
        yield trainer.trials.look()
        self.clock.advance(10_000)
        yield trainer.trials.look()
        found = [*trainer.privateRounds.best.values()]
        self.assertTrue(found)
        self.assertIn((PRIVATE, found[0].id), [(who, one.id) for who, one in confirmedComponents(trainer.store.path)])
        capture = self.transport.value()  # all that was written: nobody has taken anything out of it
        lines = [json.loads(line) for line in capture.splitlines() if line.startswith(b"{")]
        kinds = {line.get("message_type") for line in lines}
        told = [line["payload"]["observation"] for line in lines if "observation" in line.get("payload", ())]
        self.assertTrue(
            kinds >= {"heartbeat", "os_component_share", "pattern_share", "performance_report", "feature_request"},
            kinds,
        )
        self.assertEqual(len({seen["site"] for seen in told}), 2)
        self.assertIn(open_.traceDigest.encode(), capture)
        secrets = [NAME, str(self.private), "70000"]
        for each in found:
            secrets += [each.id, each.digest, base64.b64encode(each.wasm).decode()]
        for secret in secrets:
            self.assertEqual(capture.count(secret.encode()), 0, secret)
        mine = [line for line in lines if hidden.traceDigest[:12] in json.dumps(line)]
        mine = [line for line in mine if line["payload"].get("verdict") != "unmeasurable"]
        self.assertEqual(mine, [])
        status = json.dumps([self.real.status(), trainer.progress.now()])
        self.assertNotIn(NAME, status)


class KeptTests(TrainerTestCase):
    @inlineCallbacks
    def keep(self, rounds: PrivateRounds, made: Component) -> Any:
        assert made.claim is not None
        yield Deferred.fromCoroutine(rounds._keep(made, made.claim))

    @inlineCallbacks
    def test_many(self) -> Any:
        """Of 64 tasks the newest component is kept, also by the next process; of one more task none is."""
        rounds = self.trainer.privateRounds
        for number in range(65):
            yield self.keep(rounds, component(f"c{number}", trace=f"{number:064x}"))
        yield self.keep(rounds, component("better", trace=f"{3:064x}"))
        names = sorted(f"c{number}" for number in range(64) if number != 3)
        self.assertEqual(sorted(one.id for one in rounds.best.values()), ["better", *names])
        rows = yield self.trainer.store.read("SELECT COUNT(*) FROM private_components")
        self.assertEqual(rows, [(64,)])
