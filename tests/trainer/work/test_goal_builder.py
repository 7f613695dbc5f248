"""Goals: what a search is given of all that is known here."""

from typing import Any

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import Pattern, PerformanceReport, Verdict
from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work import goal_builder
from tests.trainer.support import TRACE, component
from tests.trainer.work.support import WorkTestCase

T = MessageType


class GoalTests(WorkTestCase):
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
    def test_levels(self) -> Any:
        """Levels are those that were measured here, of what was confirmed here: no claim counts, nor another's word."""
        yield self.hear(self.sync(resumed=True))
        made = {name: replace(component(name), wasm=name.encode()) for name in ("good", "bad", "unmeasured")}
        for one in made.values():
            one.development_level = 0.99
        knowledge, changes = self.trainer.knowledge, Changes()
        for name, verdict, level in (("good", Verdict.CONFIRMED, 0.4), ("bad", Verdict.REFUTED, 0.9)):
            knowledge.addComponent("AI_3", made[name], changes)
            knowledge.judge(made[name].digest, verdict, changes, level)
        knowledge.addComponent("AI_3", made["unmeasured"], changes)
        told = {"validation_level": 0.95}
        report = PerformanceReport("unmeasured", told, made["unmeasured"].digest, Verdict.CONFIRMED)
        knowledge.addReport("AI_4", report, "", changes)
        yield self.trainer.outbox.commit(changes)
        self.assertEqual(self.trainer.goals.goal(1.0).levels, {made["good"].digest: 0.4})

    @inlineCallbacks
    def test_newestPatterns(self) -> Any:
        """A search gets patterns of our own first, which count before what others say, then the newest."""
        self.patch(goal_builder, "MAX_PATTERNS", 5)
        changes = Changes()
        self.trainer.knowledge.addPattern(self.trainer.profile.aiId, Pattern("ours", "loop", 0.5), changes)
        yield self.trainer.outbox.commit(changes)
        for i in range(9):
            pattern = {"id": f"p{i}", "type": "loop", "confidence": 0.5}
            yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}))
        yield self.settle()
        self.assertEqual([p.id for p in self.local.goals[0].patterns], ["ours", "p8", "p7", "p6", "p5"])

    @inlineCallbacks
    def test_inTurn(self) -> Any:
        """However much one peer shares, a search is given what the others have, too."""
        self.patch(goal_builder, "MAX_PATTERNS", 4)
        self.patch(goal_builder, "MAX_BLOCKS", 4)
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


class PerformanceTests(WorkTestCase):
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


class FamilyTests(WorkTestCase):
    @inlineCallbacks
    def test_carried(self) -> Any:
        """A peer's component that marks its numbers carries its family into the next search, once it is confirmed."""
        source = "/* begin parameters */\n#define A 1 /* 0..9: a */\n/* end parameters */\nint x;\n"
        made = replace(component("marked"), implementation=source)
        yield self.hear(self.sync(resumed=True))
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": msgspec.to_builtins(made)}, sender="AI_3"))
        self.local.refuted = {"lie"}
        lie = replace(made, id="lie", implementation=source.replace("x", "y"), wasm=b"lie")
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": msgspec.to_builtins(lie)}, sender="AI_3"))
        yield self.settle()
        self.local.goals.clear()
        yield self.settle()
        (goal,) = self.local.goals
        self.assertEqual([(one.component.id, one.owner) for one in goal.carriers], [("marked", "AI_3")])
        self.assertEqual([one.component.id for one in goal.shared], ["marked"])
