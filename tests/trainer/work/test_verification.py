"""Verification: claims are measured again, and nothing is built on what was not confirmed here."""

from types import SimpleNamespace
from typing import Any

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred, inlineCallbacks, succeed

from kernelnet.artifacts import Component, PerformanceReport, Verdict
from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.verification import FETCH_AFTER, FETCH_TRIES, LONGEST, SOURCE_TRIES
from tests.trainer.support import component
from tests.trainer.work.support import WorkTestCase

T = MessageType


class VerificationTests(WorkTestCase):
    @inlineCallbacks
    def test_remeasured(self) -> Any:
        """A peer's claim is measured again and the verdict reported with the digest, in one transaction."""
        yield self.share("good")
        yield self.share("bad")
        self.local.refuted = {"bad"}
        yield self.settle()
        reports = {m.payload["component_id"]: m.payload for m in self.said(T.PERFORMANCE_REPORT)}
        self.assertEqual({k: r["verdict"] for k, r in reports.items()}, {"good": "confirmed", "bad": "refuted"})
        self.assertEqual(reports["good"]["digest"], component("good").digest)
        self.assertEqual([k.component.id for k in self.trainer.knowledge.usable("file_system")], ["good"])
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    @inlineCallbacks
    def test_claimAlone(self) -> Any:
        """Where nobody counts on what else it would measure a trainer measures the claim alone; its verdict counts."""
        alone: list[str] = []

        def remeasureClaim(component: Component) -> Deferred[PerformanceReport]:
            alone.append(component.id)
            return succeed(PerformanceReport(component.id, {}, component.digest, Verdict.CONFIRMED))

        verification = self.trainer.verification
        self.patch(verification, "_sparing", SimpleNamespace(remeasureClaim=remeasureClaim))
        self.patch(verification._selection, "saysMore", lambda known: known.id == "drawn")
        for name in ("drawn", "other"):
            yield self.share(name)
        yield self.settle()
        self.assertEqual((self.local.measured, alone), (["drawn"], ["other"]))
        self.assertEqual(len(self.trainer.knowledge.usable("file_system")), 2)

    @inlineCallbacks
    def test_sourceIsBlob(self) -> Any:
        """A source that is a blob is read before its claim is measured; it is sought for a while, then told missing."""
        whole = component("blob")
        reference = replace(whole, implementation="", source_size=len(whole.implementation))
        asked: list[str] = []

        async def read(asking: Component) -> Component | None:
            asked.append(asking.digest)
            self.clock.callLater(0, self.clock.advance, LONGEST)
            return replace(asking, implementation=whole.implementation) if self.comes(len(asked)) else None

        measured: list[Component] = []
        measure = self.local.remeasure

        def remeasure(component: Component) -> Deferred[PerformanceReport]:
            measured.append(component)
            return measure(component)

        self.patch(self.local, "remeasure", remeasure)
        self.trainer.verification._readSource = read
        for name, last, verdict in (("soon", 3, "confirmed"), ("never", 99, "unmeasurable")):
            asked.clear()
            self.comes = last.__le__
            payload = {"component": msgspec.to_builtins(replace(reference, id=name, development_level=last / 100))}
            yield self.hear(self.message(T.OS_COMPONENT_REFERENCE, payload))
            yield self.settle()
            (report,) = self.said(T.PERFORMANCE_REPORT)
            self.assertEqual((report.payload["verdict"], report.payload["digest"]), (verdict, asked[0]))
            self.assertEqual(len(asked), min(last, SOURCE_TRIES))
        self.assertEqual([each.implementation for each in measured], [whole.implementation])
        self.assertEqual(self.trainer.knowledge.usable(), [])
        # Asked for a verdict at once there is none: what is not here yet says nothing of it.
        self.comes = (99).__le__
        missing = replace(reference, id="asked", development_level=0.7)
        yield self.hear(self.message(T.OS_COMPONENT_REFERENCE, {"component": msgspec.to_builtins(missing)}))
        known = self.trainer.knowledge.components[missing.digest]
        verdict = yield Deferred.fromCoroutine(self.trainer.verification.verify(known))
        self.assertIsNone(verdict)
        self.assertEqual(self.said(T.PERFORMANCE_REPORT), [])
        both = msgspec.to_builtins(replace(whole, source_size=5))
        yield self.hear(self.message(T.OS_COMPONENT_REFERENCE, {"component": both}))
        self.assertEqual(len(self.trainer.knowledge.components), 3)

    @inlineCallbacks
    def test_traceComesLater(self) -> Any:
        """A claim often comes before its trace: that is looked for again, and told to be missing only in the end."""
        asked = []

        async def fetch(source: str, component: Component) -> bool:
            asked.append(source)
            # At once, when this is over, it is the time at which that is looked for again.
            self.clock.callLater(0, self.clock.advance, FETCH_AFTER)
            return self.comes(len(asked))

        measure = self.local.remeasure

        def remeasure(component: Component) -> Deferred[PerformanceReport]:
            if self.comes(len(asked)):
                return measure(component)
            return succeed(PerformanceReport(component.id, {}, component.digest, Verdict.UNMEASURABLE))

        self.patch(self.local, "remeasure", remeasure)
        self.trainer.verification._fetch = fetch
        for name, last, verdict in (("soon", 3, "confirmed"), ("never", 99, "unmeasurable")):
            asked.clear()
            self.comes = last.__le__
            yield self.share(name)
            yield self.settle()
            (report,) = self.said(T.PERFORMANCE_REPORT)
            self.assertEqual(report.payload["verdict"], verdict)
            self.assertEqual(asked, ["AI_2"] * min(last, FETCH_TRIES))

    @inlineCallbacks
    def test_neverBuildsOnTheUnconfirmed(self) -> Any:
        """Parents of a search are only what this trainer measured itself and found as claimed."""
        yield self.share("good")
        yield self.share("bad")
        yield self.share("unclaimed", claim=False)
        self.local.refuted = {"bad"}
        yield self.settle()
        self.local.goals.clear()
        yield self.settle()
        self.assertEqual({p.id for goal in self.local.goals for p in goal.parents}, {"good"})

    @inlineCallbacks
    def test_measuredOnce(self) -> Any:
        """The same component shared by two is measured once."""
        yield self.share("c", sender="AI_2")
        yield self.share("c", sender="AI_3")
        yield self.settle()
        self.assertEqual(self.local.measured, ["c"])

    @inlineCallbacks
    def test_liar(self) -> Any:
        """Who inflates every claim and refutes everybody else's changes no search, and keeps no work back."""
        yield self.share("theirs", score=40)
        yield self.settle()
        self.local.goals.clear()
        yield self.settle()
        before = [[p.id for p in goal.parents] for goal in self.local.goals]
        self.assertEqual(before, [["theirs"]])

        self.local.refuted = {"lie0", "lie1", "lie2"}
        for name in sorted(self.local.refuted):
            yield self.share(name, sender="LIAR", score=1, level=1.0)
        for refuted in (component("theirs", 40), component("mine", 30)):
            report = {"component_id": refuted.id, "performance": {}, "digest": refuted.digest, "verdict": "refuted"}
            yield self.hear(self.message(T.PERFORMANCE_REPORT, report, sender="LIAR"))
        yield self.settle()
        self.said()
        self.local.goals.clear()
        yield self.settle()
        self.assertEqual([[p.id for p in goal.parents] for goal in self.local.goals], before)

        # It is better than all that was confirmed, if not than the lies: it is shared and built upon.
        self.local.script = [component("mine", 30)]
        yield self.settle()
        self.assertEqual([m.payload["component"]["id"] for m in self.said(T.OS_COMPONENT_SHARE)], ["mine"])
        self.local.goals.clear()
        yield self.settle()
        self.assertEqual([[p.id for p in goal.parents] for goal in self.local.goals], [["mine", "theirs"]])

    @inlineCallbacks
    def test_anotherClaimOfTheSameBytes(self) -> Any:
        """Who shares an honest author's bytes first, with a false claim, does not silence the author."""
        self.local.refuted = {"c"}
        yield self.share("c", sender="LIAR", level=0.9)
        yield self.settle()
        self.assertEqual(self.trainer.knowledge.usable("file_system"), [])
        self.local.refuted = set()
        yield self.share("c", sender="AUTHOR", level=0.5)
        yield self.settle()
        (known,) = self.trainer.knowledge.usable("file_system")
        self.assertEqual((known.source, known.component.development_level), ("AUTHOR", 0.5))
        yield self.share("c", sender="LIAR", level=0.9)
        yield self.settle()
        self.assertEqual(self.local.measured, ["c", "c"])

    @inlineCallbacks
    def test_spoiledManifest(self) -> Any:
        """Nor does who shares the same bytes and claim first, with a checksum that can't be right."""
        whole = component("c")
        assert whole.manifest is not None
        manifest = msgspec.structs.replace(whole.manifest, wasm_sha256="0" * 64)
        spoiled = msgspec.to_builtins(msgspec.structs.replace(whole, manifest=manifest))
        self.local.refuted = {"c"}
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": spoiled}, sender="LIAR"))
        yield self.settle()
        self.local.refuted = set()
        yield self.share("c", sender="AUTHOR")
        yield self.settle()
        self.assertEqual([k.source for k in self.trainer.knowledge.usable()], ["AUTHOR"])

    @inlineCallbacks
    def verified(self, name: str) -> Any:
        """The verdict of verifying what a peer has shared, by its id."""
        known = self.trainer.knowledge.components[component(name).digest]
        verdict = yield Deferred.fromCoroutine(self.trainer.verification.verify(known))
        return verdict

    @inlineCallbacks
    def test_verify(self) -> Any:
        """A claim that is verified out of its turn has its verdict kept and told; its job then measures nothing."""
        yield self.share("good")
        yield self.share("bad")
        self.local.refuted = {"bad"}
        self.assertEqual((yield self.verified("good")), Verdict.CONFIRMED)
        self.assertEqual((yield self.verified("bad")), Verdict.REFUTED)
        reports = {m.payload["component_id"]: m.payload["verdict"] for m in self.said(T.PERFORMANCE_REPORT)}
        self.assertEqual(reports, {"good": "confirmed", "bad": "refuted"})
        self.assertEqual(
            (yield self.trainer.store.read("SELECT COUNT(*) FROM components WHERE verdict IS NULL")), [(0,)]
        )
        yield self.settle()
        self.assertEqual(self.local.measured, ["good", "bad"])
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    @inlineCallbacks
    def test_verifiedBefore(self) -> Any:
        """A verdict that there is is the answer: nothing is measured twice."""
        yield self.share("good")
        for _ in range(2):
            self.assertEqual((yield self.verified("good")), Verdict.CONFIRMED)
        self.assertEqual(self.local.measured, ["good"])

    @inlineCallbacks
    def test_cutShort(self) -> Any:
        """A measurement that the trainer's end has cut short says nothing, and its job stays for the next process."""
        yield self.share("good")
        self.trainer.running = 0
        self.assertIsNone((yield self.verified("good")))
        key = f"measure:{component('good').digest}"
        yield Deferred.fromCoroutine(self.trainer.verification.run(key, self.trainer.jobs[key]))
        self.assertEqual(self.said(T.PERFORMANCE_REPORT), [])
        self.assertIn(key, self.trainer.jobs)

    @inlineCallbacks
    def test_replacedMeanwhile(self) -> Any:
        """A verdict on what is known no more, since the peer has shared too much, is not recorded."""
        yield self.share("good")
        digest = component("good").digest
        known = self.trainer.knowledge.components[digest]
        remeasure = self.local.remeasure

        def forgetting(measured: Component) -> Deferred[PerformanceReport]:
            self.trainer.knowledge.components.discard(digest)
            return remeasure(measured)

        self.patch(self.local, "remeasure", forgetting)
        self.assertIsNone((yield Deferred.fromCoroutine(self.trainer.verification.verify(known))))
        self.assertEqual(self.said(T.PERFORMANCE_REPORT), [])

    @inlineCallbacks
    def test_counts(self) -> Any:
        """It tells how many claims wait, and how many of peers' were confirmed; own ones count as neither."""
        yield self.share("a")
        yield self.share("b")
        changes = Changes()
        self.trainer.knowledge.addComponent("AI_1", component("own"), changes)
        yield self.trainer.outbox.commit(changes)
        yield self.verified("a")
        verification = self.trainer.verification
        self.assertEqual((verification.unmeasured(), verification.confirmed()), (2, 1))
