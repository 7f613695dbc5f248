"""The two lanes of work: claims are measured again, requests are served, and only what is better is shared."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, inlineCallbacks

from kernelnet.artifacts import Pattern, Verdict
from kernelnet.message import MessageType
from kernelnet.trainer.storage import knowledge_base
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work import worker
from kernelnet.trainer.work.worker import OWN_ROUNDS
from tests.trainer.support import TRACE, TrainerTestCase, component

T = MessageType


class Case(TrainerTestCase):
    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.connect()
        yield self.hear(self.sync())
        self.lines()

    def share(self, name: str, sender: str = "AI_2", **more: Any) -> Deferred[None]:
        payload = {"component": msgspec.to_builtins(component(name, **more))}
        return self.hear(self.message(T.OS_COMPONENT_SHARE, payload, sender=sender))

    @inlineCallbacks
    def settle(self) -> Any:
        """Run the lanes until both wait, then stop them."""
        workshop = self.trainer.workshop
        idle: Deferred[None] = Deferred()
        sleep, build = workshop._sleep, self.local.build

        def asleep(lane: str) -> Any:
            if self.local.held and not idle.called:
                self.trainer.reactor.callLater(0, idle.callback, None)
            return sleep(lane)

        def building(goal: Any) -> Any:
            result = build(goal)
            if self.local.held and "measuring" in workshop._idle and not idle.called:
                self.trainer.reactor.callLater(0, idle.callback, None)
            return result

        self.patch(self.trainer, "pause", lambda seconds: Deferred.fromCoroutine(_nothing()))
        self.patch(worker, "_sleep", asleep)
        self.patch(self.local, "build", building)
        workshop.start()
        yield idle
        stopped = workshop.stop()
        yield self.local.stop()
        yield stopped
        self.local.script = []


class WorkshopTests(Case):
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
    def test_tasksAreDealt(self) -> Any:
        """Who is there has a part of the tasks, until a claim of his is refuted here."""
        there = {"specialization": "general", "workbenches": ["file_system"]}
        ais = dict.fromkeys(("AI_0", "AI_1", "LIAR"), there)
        yield self.hear(self.sync(resumed=True, active_ais=list(ais), ai_info=ais))
        yield self.settle()
        self.assertEqual([(goal.place, goal.among) for goal in self.local.goals], [(1, 3)])
        self.local.refuted = {"lie"}
        yield self.share("honest", sender="AI_0")
        yield self.share("lie", sender="LIAR")
        yield self.settle()
        self.local.goals.clear()
        yield self.settle()
        self.assertEqual([(goal.place, goal.among) for goal in self.local.goals], [(1, 2)])

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
    def test_sharesOnlyWhatIsBetter(self) -> Any:
        """A component that passed the guard is shared if its validation score beats all that is known for its task."""
        self.local.script = [component("a", 40), component("b", 45), component("c", 35)]
        yield self.settle()
        shared = [m.payload["component"]["id"] for m in self.said(T.OS_COMPONENT_SHARE)]
        self.assertEqual(shared, ["a", "c"])

    @inlineCallbacks
    def test_sharesBlocks(self) -> Any:
        """The parameters of what was found are shared as a building block, also where the component is not."""
        self.local.script = [component("a", 40), component("b", 45)]
        yield self.settle()
        blocks = [m.payload["code"] for m in self.said(T.CODE_SHARE)]
        self.assertEqual([b["id"] for b in blocks], ["a-parameters", "b-parameters"])
        task = {"trace_digest": TRACE, "settings": {"capacity": 10}}
        data = {"parameters": [1.0, 2.0], "tasks": [task]}
        self.assertEqual((blocks[0]["type"], blocks[0]["data"]), ("file_system/search", data))

    @inlineCallbacks
    def test_lessFuel(self) -> Any:
        """Of components with one score on validation that with less fuel is the better one."""
        self.local.script = [component("a", 40, 1000), component("b", 40, 1000), component("c", 40, 900)]
        yield self.settle()
        shared = [m.payload["component"]["id"] for m in self.said(T.OS_COMPONENT_SHARE)]
        self.assertEqual(shared, ["a", "c"])

    @inlineCallbacks
    def test_anothersFuel(self) -> Any:
        """A claim of another engine's fuel, which can't be measured here, keeps nothing of the same score back."""
        made = component("theirs", fuel=1)
        assert made.manifest is not None and made.manifest.report is not None
        made.manifest.report = msgspec.structs.replace(made.manifest.report, engine="engine 2")
        payload = {"component": msgspec.to_builtins(made)}
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, payload))
        self.trainer.knowledge.judge(made.digest, Verdict.CONFIRMED, Changes())
        isBest = self.trainer.workshop._isBest
        self.assertTrue(isBest(component("mine")))
        self.assertFalse(isBest(component("worse", score=51)))

    @inlineCallbacks
    def test_sharesExpressions(self) -> Any:
        """What says which expression it was written from shares that too."""
        found = component("a")
        found.implementation = "/* expression: age +\n * 2.0 */"
        self.local.script = [found]
        yield self.settle()
        (block,) = (m.payload["code"] for m in self.said(T.CODE_SHARE))
        self.assertEqual(block["data"]["expression"], "age + 2.0")

    @inlineCallbacks
    def test_asksWhenNothingIsThere(self) -> Any:
        """A trainer whose search found nothing, and who knows nothing confirmed, asks its peers, once a minute."""
        self.local.script = [None, None, None]
        yield self.settle()
        (request,) = self.said(T.FEATURE_REQUEST)
        self.assertEqual(request.payload["feature"], "file_system")

    @inlineCallbacks
    def test_doesNotAskWhileItGoesWell(self) -> Any:
        """A trainer that finds better components asks nobody."""
        self.local.script = [component("a", 40), component("b", 30)]
        yield self.settle()
        self.assertEqual(self.said(T.FEATURE_REQUEST), [])

    @inlineCallbacks
    def request(self, feature: str) -> Any:
        payload = {
            "original_request": {"feature": feature, "requirements": {"settings": {"capacity": 10}}},
            "requestor": "AI_2",
        }
        yield self.hear(self.message(T.FEATURE_REQUEST, payload, sender="AI_2"))

    @inlineCallbacks
    def test_servesARequest(self) -> Any:
        """A feature that our capabilities match is built for its requirements and sent to the requestor."""
        yield self.request("file_system cache")
        self.local.script = [None, component("made")]
        yield self.settle()
        (share,) = self.said(T.OS_COMPONENT_SHARE)
        self.assertEqual((share.target_ai, share.payload["original_requestor"]), ("AI_2", "AI_2"))
        self.assertEqual(share.payload["feature_name"], "file_system cache")
        self.assertEqual(self.local.goals[1].requirements, {"settings": {"capacity": 10}})

    @inlineCallbacks
    def test_ownRoundsBetweenJobs(self) -> Any:
        """However much peers ask for, the own search goes on between; and however long that is, they are served."""
        for _ in range(3):
            yield self.request("file_system")
        self.local.script = [None] * 9
        yield self.settle()
        asked = ["" if not goal.requirements else "asked" for goal in self.local.goals[:8]]
        own = [""] * OWN_ROUNDS
        self.assertEqual(asked, ["", "asked", *own, "asked", *own, "asked"][:8])

    @inlineCallbacks
    def test_saysThatItFoundNothing(self) -> Any:
        """If nothing passed the guard, the requestor is told so."""
        yield self.request("file_system")
        self.local.script = [None, None]
        yield self.settle()
        (response,) = self.said(T.FEATURE_RESPONSE)
        self.assertEqual(response.target_ai, "AI_2")
        self.assertIn("guard", response.payload["reason"])

    @inlineCallbacks
    def test_ignoresWhatItCannotDo(self) -> Any:
        """A feature that none of our capabilities match becomes no job."""
        yield self.request("audio mixer")
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    @inlineCallbacks
    def test_jobsSurvive(self) -> Any:
        """Work that a message asked for is taken up by the next process."""
        yield self.share("good")
        yield self.trainer.store.close()
        yield self.begin()
        self.connect()
        yield self.settle()
        self.assertEqual(self.local.measured, ["good"])

    @inlineCallbacks
    def test_failingGenerator(self) -> Any:
        """A generator that raises is logged and the next round goes on."""
        self.local.script = [RuntimeError("generator"), component("a")]
        yield self.settle()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(self.said(T.OS_COMPONENT_SHARE)), 1)

    @inlineCallbacks
    def test_hopelessJobIsGivenUp(self) -> Any:
        """A job that fails three times is dropped with a line in the log; others are done."""
        yield self.share("poison")
        yield self.share("good")
        remeasure = self.local.remeasure

        def failing(c: Any) -> Any:
            if c.id == "poison":
                raise RuntimeError("poison")
            return remeasure(c)

        self.patch(self.local, "remeasure", failing)
        yield self.settle()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        self.assertEqual(self.local.measured, ["good"])
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    def flood(self, feature: str, requestor: str, size: int = 0) -> Deferred[None]:
        requirements = {"x": "y" * size}
        asked = {"original_request": {"feature": feature, "requirements": requirements}, "requestor": requestor}
        return self.hear(self.message(T.FEATURE_REQUEST, asked, sender=requestor))

    @inlineCallbacks
    def test_tooManyRequests(self) -> Any:
        """A peer that asks for more than can be served is told so, and others' requests are taken."""
        for _ in range(10):
            yield self.flood("file_system", "AI_2")
        yield self.flood("file_system", "AI_3")
        answers = self.said(T.FEATURE_RESPONSE)
        self.assertEqual([a.target_ai for a in answers], ["AI_2"] * 7)
        self.assertIn("waiting", answers[0].payload["reason"])
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM jobs")), [(4,)])

    @inlineCallbacks
    def test_hugeRequirements(self) -> Any:
        """Requirements that would fill our answer's line are refused, and not sent back."""
        yield self.flood("file_system", "AI_2", size=1_000_000)
        (answer,) = self.said(T.FEATURE_RESPONSE)
        self.assertLess(len(str(answer.payload)), 1000)
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM jobs")), [(0,)])

    @inlineCallbacks
    def test_peersTakeTurns(self) -> Any:
        """A peer with many components does not keep others' from being measured."""
        for i in range(5):
            yield self.share(f"many{i}", sender="AI_2")
        yield self.share("one", sender="AI_3")
        yield self.settle()
        self.assertEqual(self.local.measured[:3], ["many0", "one", "many1"])

    @inlineCallbacks
    def test_longClaims(self) -> Any:
        """Who claims what takes long to measure waits until the others have had as much time."""
        for n in range(3):
            yield self.share(f"long{n}", sender="AI_2")
        for n in range(6):
            yield self.share(f"short{n}", sender="AI_3")
        seconds, remeasure = 0.0, self.local.remeasure

        def measuring(component: Any) -> Any:
            nonlocal seconds
            seconds += 60.0 if component.id.startswith("long") else 1.0
            return remeasure(component)

        self.patch(self.local, "remeasure", measuring)
        self.patch(self.trainer, "now", lambda: seconds)
        yield self.settle()
        self.assertEqual(self.local.measured, ["long0", *(f"short{n}" for n in range(6)), "long1", "long2"])

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
    def test_everNewNames(self) -> Any:
        """Who shares under ever new names waits for those that are known, and not they for him."""
        for n in range(3):
            yield self.share(f"honest{n}", sender="AI_2")
        for n in range(6):
            yield self.share(f"sybil{n}", sender=f"S_{n}")
        yield self.settle()
        first = self.local.measured[:6]
        self.assertEqual([name for name in first if name.startswith("honest")], ["honest0", "honest1", "honest2"])

    @inlineCallbacks
    def test_nobodyCrowdsOutOthers(self) -> Any:
        """When there is too much, the peer with most loses its oldest; its work that waits goes with it."""
        self.patch(knowledge_base, "MAX_COMPONENTS", 3)
        self.patch(knowledge_base, "MAX_PATTERNS", 3)
        yield self.share("one", sender="AI_3")
        pattern = {"id": "one", "type": "loop", "confidence": 0.5}
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender="AI_3"))
        for i in range(9):
            yield self.share(f"many{i}", sender="AI_2")
            pattern["id"] = f"many{i}"
            yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender="AI_2"))
        known = self.trainer.knowledge
        self.assertEqual([k.component.id for k in known.components.values()], ["one", "many7", "many8"])
        self.assertEqual([id_ for _, id_ in known.patterns], ["one", "many7", "many8"])
        self.assertLessEqual(self.trainer.workshop.unmeasured(), 4)

    @inlineCallbacks
    def test_tooLargeToKeep(self) -> Any:
        """What is larger than anything of use is not kept."""
        size = 500_000
        huge = msgspec.structs.replace(component("huge"), description="", implementation="x" * size)
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": msgspec.to_builtins(huge)}))
        pattern = {"id": "p", "type": "loop", "confidence": 0.5, "data": "x" * size}
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}))
        yield self.hear(self.message(T.CODE_SHARE, {"code": {"id": "c", "data": "x" * size}}))
        report = {"component_id": "c", "performance": {"x": "x" * size}}
        yield self.hear(self.message(T.PERFORMANCE_REPORT, report))
        known = self.trainer.knowledge
        self.assertEqual([known.components, known.patterns, known.blocks, known.benchmarks], [{}, {}, {}, {}])

    @inlineCallbacks
    def test_generatorWithNothingToOffer(self) -> Any:
        """A generator that at once has nothing to offer does not spin."""
        paused: Deferred[None] = Deferred()
        pauses: list[float] = []

        def pause(seconds: float) -> Deferred[None]:
            pauses.append(seconds)
            return paused

        self.patch(self.trainer, "pause", pause)
        self.local.script = [None] * 100
        self.trainer.workshop.start()
        self.assertEqual((pauses, len(self.local.script)), ([1.0], 99))
        stopped = self.trainer.workshop.stop()
        paused.callback(None)
        yield stopped

    @inlineCallbacks
    def test_newestPatterns(self) -> Any:
        """A search gets patterns of our own first, which count before what others say, then the newest."""
        self.patch(worker, "MAX_PATTERNS", 5)
        changes = Changes()
        self.trainer.knowledge.addPattern(self.trainer.aiId, Pattern("ours", "loop", 0.5), changes)
        yield self.trainer.commit(changes)
        for i in range(9):
            pattern = {"id": f"p{i}", "type": "loop", "confidence": 0.5}
            yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}))
        yield self.settle()
        self.assertEqual([p.id for p in self.local.goals[0].patterns], ["ours", "p8", "p7", "p6", "p5"])

    @inlineCallbacks
    def test_inTurn(self) -> Any:
        """However much one peer shares, a search is given what the others have, too."""
        self.patch(worker, "MAX_PATTERNS", 4)
        self.patch(worker, "MAX_BLOCKS", 4)
        for sender, count in (("AI_3", 2), ("AI_2", 9)):
            for i in range(count):
                pattern = {"id": f"{sender} {i}", "type": "loop", "confidence": 0.5}
                yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender=sender))
                block = {"id": f"{sender} {i}", "data": {}}
                yield self.hear(self.message(T.CODE_SHARE, {"code": block}, sender=sender))
        yield self.settle()
        (goal,) = self.local.goals
        for given in (goal.patterns, goal.blocks):
            self.assertEqual([each.id for each in given], ["AI_2 8", "AI_3 1", "AI_2 7", "AI_3 0"])

    def test_ownIsConfirmed(self) -> None:
        """An own component may be built upon: its claim is a measurement made here."""
        changes = Changes()
        self.trainer.knowledge.addComponent("AI_1", component("own"), changes)
        self.assertEqual([k.verdict for k in self.trainer.knowledge.usable("file_system")], [Verdict.CONFIRMED])


class PerformanceTests(Case):
    """A trainer for performance does all that others do, and makes components cheaper."""

    specialization = "performance"

    @inlineCallbacks
    def test_cheaper(self) -> Any:
        """What it has confirmed it tries to make cheaper, on its own task, each once; then it searches as others do."""
        yield self.share("good")
        yield self.share("bad")
        self.local.refuted = {"bad"}
        yield self.settle()
        self.local.script = [None, None]
        yield self.settle()
        (cheaper,) = (goal for goal in self.local.goals if goal.objective == "fuel")
        self.assertEqual((cheaper.feature, [p.id for p in cheaper.parents]), ("file_system", ["good"]))
        self.assertEqual(
            cheaper.requirements, {"workbench": "file_system", "trace_digest": TRACE, "settings": {"capacity": 10}}
        )
        self.assertGreater(len(self.local.goals), 2)


async def _nothing() -> None:
    return None
