"""Sessions: whom a trainer works with, and that what it sends was made, measured, improved and measured again."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, inlineCallbacks

from kernelnet.artifacts import Component, Pattern, TaskDescription, Verdict
from kernelnet.message import (
    CollaborationInvitation,
    CollaborationRequest,
    CollaborationResponse,
    CollaborationType,
    MessageType,
    SessionStep,
)
from kernelnet.trainer.collaboration import sessions
from kernelnet.trainer.collaboration.proposals import MAX_GIVEN
from kernelnet.trainer.collaboration.session_state import Session
from kernelnet.trainer.collaboration.session_work import MAX_PARENTS, NoResult
from kernelnet.trainer.collaboration.sessions import MAX_INITIATED, MAX_RUNNING
from kernelnet.trainer.storage import outbox
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.job_queue import Job
from kernelnet.workbench.errors import Unmeasurable
from tests.hub.support import captureLog
from tests.trainer.support import TRACE, TrainerTestCase, component, levelOf

T = MessageType


def invitation(kind: str = "feature_development", session: str = "s1", **more: Any) -> dict[str, Any]:
    return {
        "session_id": session,
        "type": kind,
        "description": "help",
        "initiator": "AI_2",
        "partner_specialization": "graphics",
        **more,
    }


class SessionTestCase(TrainerTestCase):
    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.connect()
        info = {"AI_2": {"specialization": "graphics"}, "AI_1": {"specialization": "file_system"}}
        yield self.hear(self.sync(active_ais=["AI_1", "AI_2"], ai_info=info))
        self.lines()

    def invite(self, **fields: Any) -> Deferred[None]:
        return self.hear(self.message(T.COLLABORATION_REQUEST, invitation(**fields), sender="AI_2"))

    def work(self, session: str = "s1") -> Deferred[None]:
        return Deferred.fromCoroutine(self.trainer.sessions.work(session))

    def know(self, source: str, made: Component, verdict: Verdict | None = Verdict.CONFIRMED) -> Deferred[None]:
        """C{made}, by C{source}, was confirmed here; C{None}: nobody has measured it yet."""
        changes = Changes()
        self.trainer.knowledge.addComponent(source, made, changes)
        if verdict is not None:
            self.trainer.knowledge.judge(made.digest, verdict, changes, levelOf(made))
        result: Deferred[None] = self.trainer.outbox.commit(changes)
        return result


class DecisionTests(SessionTestCase):
    @inlineCallbacks
    def test_accepts(self) -> Any:
        """With fewer than three sessions running any invitation is accepted, and becomes a durable job."""
        yield self.invite()
        (answer,) = self.said(T.COLLABORATION_RESPONSE)
        self.assertEqual((answer.payload["session_id"], answer.payload["response"]), ("s1", "accepted"))
        self.assertEqual((yield self.trainer.store.read("SELECT kind FROM jobs")), [("collaborate",)])

    @inlineCallbacks
    def test_declinesTheFourth(self) -> Any:
        """With three running, one that does not complement is declined with the reason."""
        for i in range(4):
            yield self.invite(session=f"s{i}")
        answers = [m.payload for m in self.said(T.COLLABORATION_RESPONSE)]
        self.assertEqual([a["response"] for a in answers], ["accepted"] * 3 + ["declined"])
        self.assertIn("3 sessions", answers[3]["reason"])

    @inlineCallbacks
    def test_complementaryIsAlwaysAccepted(self) -> Any:
        """A specialization that complements ours is accepted however many run, but not for an optimization."""
        news = {"ai_info": {"AI_2": {"specialization": "process_manager"}}}
        yield self.hear(self.message(T.TRAINING_SYNC, news, sender="hub", logged=False))
        for i in range(5):
            yield self.invite(session=f"s{i}", kind="cross_specialization")
        yield self.invite(session="s9", kind="performance_optimization")
        answers = [m.payload["response"] for m in self.said(T.COLLABORATION_RESPONSE)]
        self.assertEqual(answers, ["accepted"] * 5 + ["declined"])

    @inlineCallbacks
    def test_notWithoutEnd(self) -> Any:
        """A peer that complements can't have any number of sessions at once, nor requirements of any size."""
        news = {"ai_info": {"AI_2": {"specialization": "process_manager"}}}
        yield self.hear(self.message(T.TRAINING_SYNC, news, sender="hub", logged=False))
        yield self.invite(session="huge", requirements={"x": "y" * 100_000})
        for i in range(20):
            yield self.invite(session=f"s{i}")
        answers = [m.payload["response"] for m in self.said(T.COLLABORATION_RESPONSE)]
        self.assertEqual(answers, ["declined"] + ["accepted"] * MAX_RUNNING + ["declined"] * (20 - MAX_RUNNING))

    @inlineCallbacks
    def test_endedAreForgotten(self) -> Any:
        """Of the sessions that have ended the last are remembered, in memory and in the store."""
        self.patch(sessions, "MAX_ENDED", 2)
        for i in range(5):
            yield self.invite(session=f"s{i}")
            gone = {"session_id": f"s{i}", "response": "expired"}
            yield self.hear(self.message(T.COLLABORATION_RESPONSE, gone, sender="hub"))
        self.assertEqual(list(self.trainer.sessions.sessions), ["s3", "s4"])
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM sessions")), [(2,)])

    @inlineCallbacks
    def test_restoredHub(self) -> Any:
        """A hub with another log knows nothing of our sessions: they end, and others can be sought."""
        yield self.invite()
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, {"session_id": "s2", "response": "accepted"}))
        self.assertEqual(len(self.trainer.sessions.active()), 2)
        self.connect()
        yield self.hear(self.sync(log_id="another"))
        self.assertEqual(self.trainer.sessions.active(), [])
        self.assertEqual((yield self.trainer.store.read("SELECT kind FROM jobs")), [])

    @inlineCallbacks
    def test_anotherWasQuicker(self) -> Any:
        """Who accepts what another has taken logs that, and not a failure; what ran out is told with its reason."""
        said = captureLog(self)
        for session, reason in (("s1", "taken by AI_3"), ("s2", "no end in time, it was active")):
            yield self.invite(session=session)
            gone = {"session_id": session, "response": "expired", "reason": reason}
            yield self.hear(self.message(T.COLLABORATION_RESPONSE, gone, sender="hub"))
        self.assertIn("Collaboration s1: another was quicker (taken by AI_3)", said)
        self.assertIn("Collaboration s2: expired (no end in time, it was active)", said)

    @inlineCallbacks
    def test_expiredIsDropped(self) -> Any:
        """When another was first, the session and its job are gone."""
        yield self.invite()
        gone = {"session_id": "s1", "response": "expired", "reason": "AI_3 was first"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, gone, sender="hub"))
        self.assertEqual(self.trainer.sessions.active(), [])
        self.assertEqual((yield self.trainer.store.read("SELECT kind FROM jobs")), [])


class ByHandTests(SessionTestCase):
    """What somebody else than the trainer itself may decide: each a call with the changes that it becomes part of."""

    def convert(self, **fields: Any) -> CollaborationInvitation:
        return msgspec.convert(invitation(**fields), CollaborationInvitation)

    @inlineCallbacks
    def test_accept(self) -> Any:
        """An invitation that is accepted is said to be, and its work is a durable job for who invited."""
        changes = Changes()
        session = self.trainer.sessions.accept(self.convert(), changes)
        yield self.trainer.outbox.commit(changes)
        self.assertEqual((session.role, session.peer, session.status), ("partner", "AI_2", "active"))
        (answer,) = self.said(T.COLLABORATION_RESPONSE)
        self.assertEqual(answer.payload["response"], "accepted")
        jobs = yield self.trainer.store.read("SELECT key, source FROM jobs")
        self.assertEqual(jobs, [("collaborate:s1", "AI_2")])

    @inlineCallbacks
    def test_decline(self) -> Any:
        """One that is declined is, with the reason; nothing is kept of it."""
        changes = Changes()
        self.trainer.sessions.decline(self.convert(), "not my field", changes)
        yield self.trainer.outbox.commit(changes)
        (answer,) = self.said(T.COLLABORATION_RESPONSE)
        self.assertEqual((answer.payload["response"], answer.payload["reason"]), ("declined", "not my field"))
        self.assertEqual(self.trainer.sessions.sessions, {})
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    @inlineCallbacks
    def test_complete(self) -> Any:
        """A session is completed by a component from elsewhere: it is kept, said to all, and the work is done."""
        yield self.invite()
        self.lines()
        changes, made = Changes(), component("made")
        self.trainer.sessions.complete(self.trainer.sessions.sessions["s1"], made, changes)
        yield self.trainer.outbox.commit(changes)
        (share,) = self.said()
        self.assertEqual((share.target_ai, share.payload["session_id"]), (None, "s1"))
        self.assertTrue(share.payload["collaboration_complete"])
        self.assertEqual(share.payload["component"]["component_name"], "collaborative_feature_development")
        self.assertEqual(self.trainer.knowledge.components[made.digest].source, "AI_1")
        self.assertEqual(self.trainer.sessions.sessions["s1"].status, "completed")
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    @inlineCallbacks
    def test_giveUp(self) -> Any:
        """A session that comes to nothing is declined with the reason."""
        yield self.invite()
        self.lines()
        changes = Changes()
        self.trainer.sessions.giveUp(self.trainer.sessions.sessions["s1"], "no idea", changes)
        yield self.trainer.outbox.commit(changes)
        (answer,) = self.said()
        self.assertEqual((answer.payload["response"], answer.payload["reason"]), ("declined", "no idea"))
        self.assertEqual(self.trainer.sessions.active(), [])

    @inlineCallbacks
    def test_offer(self) -> Any:
        """A request from elsewhere is an offer of ours like others."""
        asked = CollaborationRequest(
            CollaborationType.FEATURE_DEVELOPMENT, "help", requirements={"trace_digest": TRACE}
        )
        changes = Changes()
        self.trainer.sessions.offers.offer(asked, 0.0, changes)
        yield self.trainer.outbox.commit(changes)
        (said,) = self.said(T.COLLABORATION_REQUEST)
        self.assertEqual(said.payload["description"], "help")
        accepted = {"session_id": "s7", "response": "accepted", "partner": "AI_2", "type": "feature_development"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="hub"))
        self.assertEqual(self.trainer.sessions.sessions["s7"].requirements, {"trace_digest": TRACE})


class SeekingTests(SessionTestCase):
    @inlineCallbacks
    def seek(self, now: float) -> Any:
        changes = Changes()
        asked = self.trainer.sessions.seek(now, changes)
        yield self.trainer.outbox.commit(changes)
        return asked

    @inlineCallbacks
    def test_atMostTwo(self) -> Any:
        """Two offers are made, of different types; a third only when nobody answered for a minute."""
        yield self.know("AI_1", component("ranked", expression="-age"))
        results = []
        for now in (0.0, 10.0, 20.0, 75.0):
            results.append((yield self.seek(now)))
        self.assertEqual(results, [True, True, False, True])
        types = [m.payload["type"] for m in self.said(T.COLLABORATION_REQUEST)]
        self.assertEqual(types, [t.value for t in CollaborationType])

    @inlineCallbacks
    def test_nobodyThere(self) -> Any:
        """Nobody is asked when nobody is there."""
        yield self.hear(self.sync(active_ais=["AI_1"]))
        self.assertFalse((yield self.seek(0.0)))

    @inlineCallbacks
    def test_seeksWhatComplements(self) -> Any:
        """The request names what we offer and the specializations that complement ours."""
        yield self.seek(0.0)
        (request,) = self.said(T.COLLABORATION_REQUEST)
        self.assertIn("storage_management", request.payload["expertise_offered"])
        self.assertIn("process_manager", request.payload["seeking_expertise"])
        self.assertNotIn("graphics", request.payload["seeking_expertise"])

    @inlineCallbacks
    def asked(self, kind: str, times: int = 3) -> Any:
        """What this trainer asks for by requests of one type, while nobody answers."""
        for number in range(times):
            yield self.seek(number * 70.0)
        return [m.payload for m in self.said(T.COLLABORATION_REQUEST) if m.payload["type"] == kind]

    @inlineCallbacks
    def test_optimizationNamesTheComponent(self) -> Any:
        """An optimization asks for the best of our own components, each of them once, and names its task."""
        best, other = component("best", 30, fuel=7000), component("other", 40)
        yield self.know("AI_2", component("theirs", 10))
        yield self.know("AI_1", other)
        yield self.know("AI_1", best)
        requests = yield self.asked("performance_optimization", 6)
        self.assertEqual([r["requirements"]["component"] for r in requests], [best.digest, other.digest])
        self.assertEqual(requests[0]["requirements"]["settings"], {"capacity": 10})
        self.assertIn("best, file_system, trace, capacity 10, for less than its 7000 fuel", requests[0]["description"])

    @inlineCallbacks
    def test_askedAgain(self) -> Any:
        """What nobody had time to make cheaper is asked again."""
        best = component("best", 30)
        yield self.know("AI_1", best)
        for number in range(2):
            self.trainer.sessions.offers._sought = 2
            yield self.seek(self.trainer.reactor.seconds() + number * 10.0)
            (request,) = self.said(T.COLLABORATION_REQUEST)
            self.assertEqual(request.payload["requirements"]["component"], best.digest)
            gone = {"session_id": f"s{number}", "response": "declined", "type": "performance_optimization"}
            yield self.hear(self.message(T.COLLABORATION_RESPONSE, gone, sender="hub"))

    @inlineCallbacks
    def test_nothingToAsk(self) -> Any:
        """What there is nothing to ask of is passed over: no component to make cheaper, no expression to give."""
        yield self.know("AI_2", component("theirs", 10))
        requests = []
        for number in range(4):
            yield self.seek(number * 70.0)
            requests += [m.payload["type"] for m in self.said(T.COLLABORATION_REQUEST)]
        self.assertEqual(requests, ["feature_development"] * 4)

    @inlineCallbacks
    def test_describesTheTask(self) -> Any:
        """A feature development names its task, our own patterns of that trace, and the best that is known for it."""
        # the last is of a trace whose name is a part of the other's
        for id_, digest, trace, confidence in (
            ("p", TRACE, "trace", 0.4),
            ("q", TRACE, "trace", 0.9),
            ("r", "cc" * 32, "tra", 1.0),
        ):
            changes = Changes()
            pattern = Pattern(id_, "loop", confidence, {"length": 70, "trace": trace, "trace_digest": digest})
            self.trainer.knowledge.addPattern("AI_1", pattern, changes)
            self.trainer.knowledge.addPattern("AI_2", Pattern(f"{id_}2", "loop", 1.0, pattern.data), changes)
            yield self.trainer.outbox.commit(changes)
        yield self.know("AI_2", component("best", 30))
        yield self.know("AI_1", component("elsewhere", 10, trace="cc" * 32))
        (request,) = yield self.asked("feature_development", 1)
        told = request["requirements"]
        self.assertEqual((told["trace_digest"], told["settings"]), (TRACE, {"capacity": 10}))
        self.assertEqual([pattern["id"] for pattern in told["patterns"]], ["q", "p"])
        self.assertEqual(told["reached"], {"component": component("best", 30).digest, "validation_level": 0.7})
        words = "better than best for file_system, trace, capacity 10: a level above 0.700"
        self.assertIn(words, request["description"])

    @inlineCallbacks
    def test_describesAGeneralistsTask(self) -> Any:
        """A task of several traces is described by the patterns of each of them, and of no others."""
        self.local.current = TaskDescription("file_system", "2 traces: web12 10, cs 20", TRACE, {"parts": 2})
        for name in ("web12", "web1", "cs", "c"):
            changes = Changes()
            pattern = Pattern(name, "loop", 0.5, {"trace": name, "trace_digest": "cc" * 32})
            self.trainer.knowledge.addPattern("AI_1", pattern, changes)
            yield self.trainer.outbox.commit(changes)
        (request,) = yield self.asked("feature_development", 1)
        self.assertEqual([pattern["id"] for pattern in request["requirements"]["patterns"]], ["web12", "cs"])

    @inlineCallbacks
    def test_asksForWhatIsLeft(self) -> Any:
        """The last task that nothing is known for is asked for, and left to whom may do it."""
        self.local.every = [TaskDescription("file_system", digit, digit * 64, {"capacity": 10}) for digit in "abcd"]
        self.local.current = self.local.every[0]
        yield self.know("AI_2", component("there", trace="d" * 64))
        (request,) = yield self.asked("feature_development", 1)
        self.assertEqual(request["requirements"]["trace"], "c")
        away = [{"trace_digest": "c" * 64, "settings": {"capacity": 10}}]
        self.assertEqual(self.trainer.sessions.givenAway(), away)
        accepted = {"session_id": "s7", "response": "accepted", "partner": "AI_2", "type": "feature_development"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="hub"))
        self.assertEqual(self.trainer.sessions.givenAway(), away)
        self.assertEqual(self.trainer.goals.goal(1.0).avoid, away)
        # but not to a liar
        yield self.know("AI_2", component("lie"), Verdict.REFUTED)
        self.assertEqual(self.trainer.sessions.givenAway(), [])
        yield self.know("AI_2", component("lie"))
        self.assertEqual(self.trainer.sessions.givenAway(), away)
        declined = {"session_id": "s7", "response": "declined", "partner": "AI_2"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, declined, sender="AI_2"))
        self.assertEqual(self.trainer.sessions.givenAway(), [])

    @inlineCallbacks
    def askedBeside(self, peer: str) -> Any:
        """The trace that is asked for beside a peer who trains on the same bench."""
        self.local.every = [TaskDescription("file_system", digit, digit * 64, {"capacity": 10}) for digit in "abcd"]
        self.local.current = self.local.every[0]
        info = {peer: {"specialization": "general", "workbenches": ["file_system"]}}
        yield self.hear(self.sync(resumed=True, active_ais=["AI_1", peer], ai_info=info))
        (request,) = yield self.asked("feature_development", 1)
        return request["requirements"]["trace"]

    @inlineCallbacks
    def test_asksForItsShareFirst(self) -> Any:
        """Two who know the same ask for two tasks: each for one of those that were dealt to it."""
        self.assertEqual((yield self.askedBeside("AI_2")), "c")

    @inlineCallbacks
    def test_asksForItsShareSecond(self) -> Any:
        """See C{test_asksForItsShareFirst}: the other one."""
        self.assertEqual((yield self.askedBeside("AI_0")), "d")

    @inlineCallbacks
    def test_givesExpressions(self) -> Any:
        """A cross specialization gives expressions of our benches, our own first, each with its component."""
        yield self.know("AI_2", component("theirs", 10, expression="-age"))
        yield self.know("AI_1", component("own", 20, expression="freq + hist"))
        yield self.know("AI_2", component("tasks", 20, workbench="process_manager", expression="-wait"))
        (request,) = yield self.asked("cross_specialization", 2)
        own = component("own", 20, expression="freq + hist")
        hints = request["requirements"]["hints"]
        self.assertEqual([hint["expression"] for hint in hints], ["freq + hist", "-age"])
        self.assertEqual((hints[0]["by"], hints[0]["component"]), ("AI_1", own.digest))
        self.assertEqual(request["requirements"]["workbench"], "file_system")

    @inlineCallbacks
    def test_givesAFew(self) -> Any:
        """However many there are, the best few are given."""
        for n in range(2 * MAX_GIVEN):
            yield self.know("AI_1", component(f"own{n}", 20 + n, expression=f"freq + {n}"))
        (request,) = yield self.asked("cross_specialization", 2)
        given = [hint["expression"] for hint in request["requirements"]["hints"]]
        self.assertEqual(given, [f"freq + {n}" for n in range(MAX_GIVEN)])

    @inlineCallbacks
    def test_typeOfTheOffer(self) -> Any:
        """Of two offers the one is accepted whose type the hub tells."""
        yield self.know("AI_1", component("ranked", expression="-age"))
        for now in (0.0, 10.0):
            yield self.seek(now)
        accepted = {"session_id": "s7", "response": "accepted", "partner": "AI_2", "type": "cross_specialization"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="hub"))
        self.assertEqual(self.trainer.sessions.sessions["s7"].type.value, "cross_specialization")
        (offer,) = self.trainer.sessions.offers.open()
        self.assertEqual(offer.type.value, "feature_development")
        # of which the initiator does its half
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [("collaborate:s7",)])

    @inlineCallbacks
    def test_ending(self) -> Any:
        """A trainer whose time is over declines what it was to do, saying why, and accepts no more."""
        yield self.hear(self.message(T.COLLABORATION_REQUEST, invitation(), sender="AI_2"))
        accepted = {"session_id": "s7", "response": "accepted", "partner": "AI_2", "type": "feature_development"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="hub"))
        self.lines()
        changes = Changes()
        self.trainer.sessions.end(changes)
        yield self.trainer.outbox.commit(changes)
        yield self.hear(self.message(T.COLLABORATION_REQUEST, invitation(session="s2"), sender="AI_2"))
        answers = [(m.payload["session_id"], m.payload["response"], m.payload["reason"]) for m in self.said()]
        self.assertEqual(answers, [("s1", "declined", "the trainer ended"), ("s2", "declined", "the trainer ended")])
        self.assertEqual((yield self.trainer.store.read("SELECT kind FROM jobs")), [])
        # what somebody else is to end is left to them
        self.assertEqual([s.session_id for s in self.trainer.sessions.active()], ["s7"])

    @inlineCallbacks
    def test_completed(self) -> Any:
        """The initiator's session is completed by its partner's component, and by nobody else's."""
        yield self.seek(0.0)
        accepted = {"session_id": "s7", "response": "accepted", "partner": "AI_2"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="AI_2"))
        share = {"component": msgspec.to_builtins(component("c")), "session_id": "s7", "collaboration_complete": True}
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, share, sender="AI_3"))
        self.assertEqual(self.trainer.sessions.sessions["s7"].status, "active")
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, share, sender="AI_2"))
        self.assertEqual(self.trainer.sessions.sessions["s7"].status, "completed")

    @inlineCallbacks
    def test_othersSession(self) -> Any:
        """A component that ends somebody else's session is just a component: it uses up no offer of ours."""
        yield self.seek(0.0)
        payload = {"component": msgspec.to_builtins(component("c")), "session_id": "x", "collaboration_complete": True}
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, payload, sender="AI_3"))
        self.assertEqual(self.trainer.sessions.sessions, {})
        self.assertEqual(len(self.trainer.sessions.offers.open()), 1)

    @inlineCallbacks
    def test_notYetComplete(self) -> Any:
        """A component that only names a session does not end it."""
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, {"session_id": "s7", "response": "accepted"}))
        payload = {"component": msgspec.to_builtins(component("c")), "session_id": "s7"}
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, payload, sender="AI_2"))
        self.assertEqual(self.trainer.sessions.sessions["s7"].status, "active")


class WorkTests(SessionTestCase):
    @inlineCallbacks
    def complete(self, kind: str, script: list[Component | None], **fields: Any) -> Any:
        yield self.invite(kind=kind, **fields)
        self.lines()
        self.local.script = list(script)
        yield self.work(fields.get("session", "s1"))
        return self.said()

    @inlineCallbacks
    def test_fourSteps(self) -> Any:
        """Generate, measure, improve, measure again; the better result is shared, and ends the session."""
        keep, progress = self.trainer.sessions._keep, [0.0]

        def noted(session: Session, changes: Changes) -> None:
            if session.progress != progress[-1]:
                progress.append(session.progress)
            keep(session, changes)

        self.patch(self.trainer.sessions, "_keep", noted)
        said = yield self.complete("feature_development", [component("a", 40), component("b", 30)])
        self.assertEqual(progress, [0, 0.25, 0.5, 0.75, 1])
        self.assertEqual([goal.seconds for goal in self.local.goals], [4, 4])
        self.assertEqual(self.local.measured, ["a", "b"])
        self.assertEqual([p.id for p in self.local.goals[1].parents], ["a"])
        (share,) = said
        self.assertEqual((share.target_ai, share.payload["session_id"]), (None, "s1"))
        self.assertTrue(share.payload["collaboration_complete"])
        self.assertEqual(share.payload["component"]["id"], "b")
        session = self.trainer.sessions.sessions["s1"]
        self.assertEqual((session.status, session.progress), ("completed", 1.0))

    @inlineCallbacks
    def test_transcript(self) -> Any:
        """The completing share tells each step: by whom, from what, what came of it, and what measuring it said."""
        self.local.refuted = {"b"}
        said = yield self.complete("feature_development", [component("a", 40), component("b", 30)])
        steps = said[0].payload["transcript"]
        self.assertEqual(
            [(s["by"], s["what"], s.get("component"), s.get("score"), s.get("verdict")) for s in steps],
            [
                ("AI_1", "start", None, None, None),
                ("AI_1", "build", "a", 40, None),
                ("AI_1", "measure", "a", 40, "confirmed"),
                ("AI_1", "improve", "b", 30, None),
                ("AI_1", "measure", "b", 30, "refuted"),
                ("AI_1", "send", "a", 40, None),
            ],
        )
        self.assertEqual([s.get("parents", []) for s in steps], [[], [], [], [component("a", 40).digest], [], []])
        told = steps[0]["note"], steps[0]["level"], steps[5]["digest"]
        self.assertEqual(told, ("arc, hand-made, best in hindsight", 0.25, component("a", 40).digest))
        self.assertEqual({s["task"] for s in steps}, {"file_system, trace, capacity 10"})
        self.assertEqual(said[0].payload["component"]["id"], "a")

    @inlineCallbacks
    def test_worseImprovementIsNotSent(self) -> Any:
        """If the second search found nothing better on validation, the first result is sent."""
        said = yield self.complete("feature_development", [component("a", 30), component("b", 40)])
        self.assertEqual(said[0].payload["component"]["id"], "a")

    @inlineCallbacks
    def test_unconfirmedIsNotSent(self) -> Any:
        """What does not measure again as claimed is neither improved nor sent."""
        self.local.refuted = {"a"}
        said = yield self.complete("feature_development", [component("a"), None])
        self.assertEqual(self.local.goals[1].parents, [])
        self.assertEqual([m.payload.get("response") for m in said], ["declined"])

    @inlineCallbacks
    def test_nothingFound(self) -> Any:
        """If nothing passed the guard, the session is declined with that reason; no stub is sent."""
        said = yield self.complete("feature_development", [None, None])
        self.assertEqual([m.message_type for m in said], [T.COLLABORATION_RESPONSE])
        self.assertIn("guard", said[0].payload["reason"])
        # with the steps that were done in vain
        self.assertEqual([s["what"] for s in said[0].payload["transcript"]], ["build", "measure", "improve", "measure"])

    @inlineCallbacks
    def test_nothingBetter(self) -> Any:
        """What is no better than what was known for its task is not sent; a transcript begins with that."""
        yield self.know("AI_2", component("known", 30))
        yield self.know("AI_3", component("elsewhere", 10, trace="cc" * 32))
        said = yield self.complete("feature_development", [component("a", 40), component("b", 30)])
        self.assertEqual([m.payload.get("response") for m in said], ["declined"])
        self.assertIn("nothing better was found than known, which has a level of 0.700", said[0].payload["reason"])
        said = yield self.complete("feature_development", [component("a", 40), component("b", 29)], session="s2")
        start = said[0].payload["transcript"][0]
        self.assertEqual(
            (start["what"], start["by"], start["component"], start["score"]), ("start", "AI_2", "known", 30)
        )

    @inlineCallbacks
    def test_cant(self) -> Any:
        """A task that can't be worked on here is declined at once, saying why."""
        yield self.invite(kind="feature_development")
        self.lines()
        self.local.script = [Unmeasurable("the workbench 'x' is not installed here")]
        yield self.work()
        (answer,) = self.said()
        self.assertEqual(answer.payload["reason"], "can't: the workbench 'x' is not installed here")

    @inlineCallbacks
    def test_parentIsNoResult(self) -> Any:
        """A search that comes back with what was known before has found nothing."""
        yield self.know("AI_2", component("theirs", 30))
        said = yield self.complete("feature_development", [component("theirs", 30), component("new", 20)])
        self.assertEqual(said[0].payload["component"]["id"], "new")
        said = yield self.complete("feature_development", [component("theirs", 30), None], session="s2")
        self.assertEqual([m.payload.get("response") for m in said], ["declined"])

    @inlineCallbacks
    def test_sameBench(self) -> Any:
        """Two of one bench cross both sides' confirmed components, and take the partner's blocks first."""
        yield self.know("AI_1", component("own"))
        yield self.know("AI_2", component("theirs"))
        yield self.hear(self.message(T.CODE_SHARE, {"code": {"id": "x", "data": {}}}, sender="AI_3"))
        yield self.hear(self.message(T.CODE_SHARE, {"code": {"id": "y", "data": {}}}, sender="AI_2"))
        task = {"workbench": "file_system"}
        yield self.complete("cross_specialization", [component("a", 40), component("b", 30)], requirements=task)
        goal = self.local.goals[0]
        self.assertEqual([p.id for p in goal.parents], ["own", "theirs"])
        self.assertEqual([b.id for b in goal.blocks], ["y", "x"])

    @inlineCallbacks
    def test_manyParents(self) -> Any:
        """Of each of the two the best few are begun with, however many are known."""
        for source, name in (("AI_1", "own"), ("AI_2", "theirs")):
            for n in range(2 * MAX_PARENTS):
                yield self.know(source, component(f"{name}{n}", 50 + n))
        task = {"workbench": "file_system"}
        yield self.complete("cross_specialization", [component("a", 40), component("b", 30)], requirements=task)
        best = [f"{name}{n}" for name in ("own", "theirs") for n in range(MAX_PARENTS)]
        self.assertEqual([p.id for p in self.local.goals[0].parents], best)

    @inlineCallbacks
    def test_crossSpecialization(self) -> Any:
        """The partner breeds at home from what was given, and tells whose was of use."""
        given = component("given", workbench="process_manager", expression="-idle")
        known = component("known", workbench="process_manager", expression="attained")
        yield self.know("AI_2", known)
        yield self.know("AI_2", given, None)
        yield self.know("AI_1", component("full", 10))
        yield self.know("AI_1", component("ranked", 35, expression="-age"))
        hint = {"workbench": "process_manager", "component": given.digest, "expression": "-idle"}
        told = {"workbench": "process_manager", "hints": [{**hint, "by": "AI_9"}, {"by": 3}, "x"]}
        made = component("made", 30, expression="-age - freq", parents=[given.digest])
        said = yield self.complete("cross_specialization", [made, None], requirements=told)
        first, second = self.local.goals
        self.assertEqual([(h.by, h.expression) for h in first.hints], [("AI_2", "attained"), ("AI_2", "-idle")])
        self.assertEqual((first.feature, first.requirements["abi"]), ("file_system", "file_system/rank/1"))
        self.assertEqual(second.requirements["trace_digest"], TRACE)  # on which the first one is
        self.assertEqual([p.id for p in second.parents], ["made", "ranked"])
        # though a component of another ABI is better
        self.assertEqual(said[-1].payload["component"]["id"], "made")
        steps = said[-1].payload["transcript"]
        self.assertEqual((first.seconds, second.seconds, steps[-1].get("note")), (8, 8, None))
        self.assertEqual([h["component"] for h in steps[1]["hints"]], [known.digest, given.digest])
        self.assertEqual([(h["by"], h["component"]) for h in steps[-1]["hints"]], [("AI_2", given.digest)])
        self.assertEqual((steps[0]["component"], steps[0]["score"], steps[-1]["score"]), ("ranked", 35, 30))

    @inlineCallbacks
    def test_noDescent(self) -> Any:
        """What descends from none of the expressions that were given is sent, and the transcript says so."""
        yield self.know("AI_2", component("given", workbench="process_manager", expression="-idle"))
        told = {"workbench": "process_manager"}
        made = component("made", 30, expression="-age")
        said = yield self.complete("cross_specialization", [made, None], requirements=told)
        self.assertIn("descends from none", said[-1].payload["transcript"][-1]["note"])

    @inlineCallbacks
    def test_cheaper(self) -> Any:
        """Cheaper is what does as well with less fuel, or descends from it for less, if only over the first result."""
        asked = component("asked", fuel=1000)
        yield self.know("AI_2", asked)
        for number, (score, descends, isSent) in enumerate(
            [
                (50, [], True),
                (51, [], False),
                (51, ["asked"], True),
                (51, ["another", "asked"], False),  # a second parent gave something, and was not compared
                (51, ["first"], True),
            ]
        ):
            first = component(f"a{number}", fuel=900)
            digests = {"asked": asked.digest, "first": first.digest, "another": "0" * 64}
            second = component(f"b{number}", score, fuel=100, parents=[digests[name] for name in descends])
            told = {"component": asked.digest}
            said = yield self.complete(
                "performance_optimization", [first, second], requirements=told, session=f"c{number}"
            )
            sent = second if isSent else first
            self.assertEqual(said[-1].payload["component"]["id"], sent.id, descends)

    @inlineCallbacks
    def test_cheaperThanItsOwn(self) -> Any:
        """Where no component is named the second search makes the first one's cheaper, or the first one's is sent."""
        for session, second, sent in (("s1", component("b", fuel=100), "b"), ("s2", component("d", 60, fuel=100), "c")):
            script: list[Component | None] = [component("a" if sent == "b" else "c", fuel=900), second]
            said = yield self.complete("performance_optimization", script, session=session)
            self.assertEqual(said[-1].payload["component"]["id"], sent)

    @inlineCallbacks
    def test_unconfirmedExpressions(self) -> Any:
        """Nothing is bred from what isn't confirmed here, nor from what an invitation says that a component is."""
        made = [component(name, workbench="process_manager", expression="-idle") for name in "uvwx"]
        unmeasured, refuted, lie = made[:3]  # the last is known to nobody
        yield self.know("AI_2", unmeasured, None)
        yield self.know("AI_2", refuted, Verdict.REFUTED)
        yield self.know("AI_2", lie, None)
        self.local.refuted = {"w"}
        hint = {"by": "AI_2", "workbench": "process_manager", "expression": "attained"}
        told = {"workbench": "process_manager", "hints": [{**hint, "component": each.digest} for each in made]}
        said = yield self.complete("cross_specialization", [None, None], requirements=told)
        for goal in self.local.goals:
            self.assertEqual([(h.component, h.expression) for h in goal.hints], [(unmeasured.digest, "-idle")])
        self.assertEqual(sorted(self.local.measured), ["u", "w"])
        self.assertEqual([m.message_type for m in said], [T.PERFORMANCE_REPORT] * 2 + [T.COLLABORATION_RESPONSE])

    @inlineCallbacks
    def test_homeTasks(self) -> Any:
        """At home the tasks take turns for which no rank function is known; others are known better."""
        benches = ("file_system", "file_system", "file_system", "another")
        self.local.every = [
            TaskDescription(bench, "trace", digit * 64, {"capacity": 10})
            for bench, digit in zip(benches, "abca", strict=True)
        ]
        yield self.know("AI_1", component("ranked", expression="-age", trace="a" * 64))
        yield self.know("AI_1", component("full", trace="b" * 64))
        yield self.know("AI_2", component("theirs", workbench="process_manager", expression="-idle"))
        told = {"workbench": "process_manager"}
        for session in ("s1", "s2"):
            yield self.complete("cross_specialization", [None, None], session=session, requirements=told)
        asked = [goal.requirements["trace_digest"][0] for goal in self.local.goals]
        self.assertEqual((len(asked), set(asked)), (4, {"b", "c"}))

    @inlineCallbacks
    def test_initiatorsHalf(self) -> Any:
        """The initiator breeds from its partner's expressions at home; what wins is shared with all, and told."""
        yield self.know("AI_1", component("given", 40, expression="-life"))
        changes = Changes()
        self.trainer.sessions.offers._sought = 1
        self.assertTrue(self.trainer.sessions.seek(0.0, changes))
        yield self.trainer.outbox.commit(changes)
        accepted = {"session_id": "s7", "response": "accepted", "partner": "AI_2", "type": "cross_specialization"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="hub"))
        info = {"ai_info": {"AI_2": {"specialization": "process_manager", "workbenches": ["process_manager"]}}}
        yield self.hear(self.message(T.TRAINING_SYNC, info, sender="hub", logged=False))
        theirs = component("theirs", workbench="process_manager", expression="-idle")
        yield self.know("AI_2", theirs)
        # its partner may be done first
        share = {"component": msgspec.to_builtins(component("c")), "session_id": "s7", "collaboration_complete": True}
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, share, sender="AI_2"))
        self.lines()
        self.local.script = [component("made", 30, expression="-age", parents=[theirs.digest]), None]
        yield self.work("s7")
        self.assertEqual([hint.expression for hint in self.local.goals[0].hints], ["-idle"])
        (said,) = self.said()
        self.assertEqual((said.target_ai, said.payload["session_id"]), (None, "s7"))
        self.assertFalse(said.payload.get("collaboration_complete"))
        self.assertEqual(said.payload["transcript"][-1]["hints"][0]["component"], theirs.digest)
        self.assertEqual(self.trainer.sessions.sessions["s7"].status, "completed")

    @inlineCallbacks
    def test_nothingToTranslate(self) -> Any:
        """A cross specialization with somebody who has no expression to give is declined, without a search for show."""
        said = yield self.complete("cross_specialization", [], requirements={"workbench": "process_manager"})
        self.assertIn("no expression of AI_2's", said[0].payload["reason"])
        self.assertEqual(self.local.goals, [])

    @inlineCallbacks
    def test_featureDevelopment(self) -> Any:
        """A feature development works on the initiator's task, with the patterns it told first, then its others."""
        pattern = {"pattern": {"id": "p", "type": "loop", "confidence": 1.0}}
        yield self.hear(self.message(T.PATTERN_SHARE, pattern, sender="AI_3"))
        pattern["pattern"]["id"] = "q"
        yield self.hear(self.message(T.PATTERN_SHARE, pattern, sender="AI_2"))
        yield self.know("AI_2", component("elsewhere", 20, trace="cc" * 32))
        yield self.know("AI_2", component("there", 40))
        told = [{"id": "t", "type": "loop", "confidence": 0.5}, {"type": "none"}, 7]
        task = {"trace_digest": TRACE, "settings": {"capacity": 10}, "patterns": told}
        yield self.complete("feature_development", [component("a"), None], requirements=task)
        goal = self.local.goals[0]
        self.assertEqual(([p.id for p in goal.patterns], goal.requirements), (["t", "q", "p"], task))
        self.assertEqual([p.id for p in goal.parents], ["there", "elsewhere"])

    @inlineCallbacks
    def test_likestTrace(self) -> Any:
        """Where the initiator's trace isn't, the transcript says on which one the component was built."""
        task = {"trace_digest": "ee" * 32}
        said = yield self.complete("feature_development", [component("a"), None], requirements=task)
        build = said[0].payload["transcript"][1]
        self.assertEqual(build["task"], "file_system, trace, capacity 10")
        self.assertIn("most like", build["note"])

    @inlineCallbacks
    def test_optimization(self) -> Any:
        """An optimization starts from the initiator's component, and sends what has its score with less fuel."""
        asked = component("asked", score=50, fuel=1000)
        yield self.know("AI_2", asked)
        said = yield self.complete(
            "performance_optimization",
            [component("a", 50, fuel=900), component("b", 51, fuel=100)],
            requirements={"component": asked.digest},
        )
        self.assertEqual([g.objective for g in self.local.goals], ["fuel", "fuel"])
        self.assertIn("asked", [p.id for p in self.local.goals[0].parents])
        self.assertEqual(said[0].payload["component"]["id"], "a")
        steps = said[0].payload["transcript"]
        self.assertEqual(
            [(steps[at]["what"], steps[at]["by"], steps[at]["fuel"]) for at in (0, -1)],
            [("start", "AI_2", 1000), ("send", "AI_1", 900)],
        )

    @inlineCallbacks
    def test_asksItselfFirst(self) -> Any:
        """What is to be made cheaper is measured first where it wasn't yet; it must be known, and as claimed."""
        for name, why in (("true", ""), ("false", "false was not confirmed here"), ("gone", "is not known here")):
            asked = component(name, score=50, fuel=1000)
            if name != "gone":
                share = {"component": msgspec.to_builtins(asked)}
                yield self.hear(self.message(T.OS_COMPONENT_SHARE, share, sender="AI_2"))
            self.local.refuted = {"false"}
            script = [component(f"{name}-less", 50, fuel=900), None]
            told = {"component": asked.digest}
            said = yield self.complete("performance_optimization", script, session=name, requirements=told)
            answer = said[-1].payload
            self.assertIn(why, answer.get("reason", ""))
            self.assertEqual(answer.get("component", {}).get("id"), None if why else "true-less")

    @inlineCallbacks
    def test_nothingCheaper(self) -> Any:
        """An optimization that made nothing cheaper is declined."""
        asked = component("asked", score=50, fuel=1000)
        yield self.know("AI_2", asked)
        said = yield self.complete(
            "performance_optimization", [component("a", 50, 1000), None], requirements={"component": asked.digest}
        )
        self.assertEqual([m.payload.get("response") for m in said], ["declined"])

    @inlineCallbacks
    def test_resultSurvivesACrash(self) -> Any:
        """Session, component and what is said of it are in one transaction: another process says it again."""
        yield self.complete("feature_development", [component("a"), None])
        yield self.trainer.store.close()
        yield self.begin()
        self.assertEqual(self.trainer.sessions.sessions["s1"].status, "completed")
        self.assertEqual((yield self.storedOutbox())[-1], "os_component_share")

    @inlineCallbacks
    def test_cutShort(self) -> Any:
        """A session that is cut short by our own end is not declined: the next process does its work."""
        yield self.invite(kind="feature_development")
        self.lines()
        self.local.script = [None, None]  # as its searches end when they are stopped
        self.trainer.running = 0
        yield self.work()
        self.assertEqual(self.said(), [])
        self.assertEqual(self.trainer.sessions.sessions["s1"].status, "active")

    @inlineCallbacks
    def test_givenUp(self) -> Any:
        """A session whose work fails again and again is declined."""
        yield self.invite(kind="feature_development")
        self.lines()
        self.clock.isHasty = True
        worker = self.trainer.worker
        worker._running = True
        for _ in range(3):
            self.local.script = [RuntimeError("broken")]
            yield Deferred.fromCoroutine(worker._attempt("collaborate:s1"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        self.assertEqual([m.payload["response"] for m in self.said()], ["declined"])
        self.assertEqual(self.trainer.sessions.active(), [])


class RoleTests(SessionTestCase):
    """A session is ours or a peer's, and runs or has ended: what is done to one that isn't of the right kind."""

    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.ours = self.trainer.sessions
        self.changes = Changes()

    def accepted(self, session: str, kind: str) -> Deferred[None]:
        told = {"session_id": session, "response": "accepted", "partner": "AI_2", "type": kind}
        return self.hear(self.message(T.COLLABORATION_RESPONSE, told, sender="hub"))

    @inlineCallbacks
    def told(self) -> Any:
        """What was said by the changes so far."""
        self.lines()
        yield self.trainer.outbox.commit(self.changes)
        self.changes = Changes()
        return [(m.payload["session_id"], m.payload["response"]) for m in self.said(T.COLLABORATION_RESPONSE)]

    @inlineCallbacks
    def test_partners(self) -> Any:
        """What is done for peers keeps us not from asking, nor is its task left to others; nor is other work."""
        for session in ("s1", "s2"):
            yield self.invite(session=session, requirements={"trace_digest": TRACE})
        yield self.accepted("own", "cross_specialization")
        self.assertEqual((len(self.ours.active()), self.ours.givenAway()), (3, []))
        self.assertTrue(self.ours.seek(0.0, self.changes))
        self.assertEqual(len(self.ours.givenAway()), 1)

    @inlineCallbacks
    def test_notTaken(self) -> Any:
        """Only of a peer's session that was completed here a component may be refused: then it is declined."""
        for session in ("done", "running"):
            yield self.invite(session=session)
        yield self.accepted("own", "feature_development")
        self.ours.complete(self.ours.sessions["done"], component("made"), self.changes)
        self.ours.sessions["own"].status = "completed"
        yield self.told()
        for session in ("gone", "running", "own"):
            self.ours.notTaken(session, "too large", self.changes)
        self.assertEqual((yield self.told()), [])
        self.ours.notTaken("done", "too large", self.changes)
        self.assertEqual((yield self.told()), [("done", "declined")])
        states = [self.ours.sessions[session].status for session in ("done", "running", "own")]
        self.assertEqual(states, ["declined", "active", "completed"])

    @inlineCallbacks
    def test_ended(self) -> Any:
        """No work is done on what has ended, or isn't here; and nothing is said of it when that is given up."""
        yield self.invite(session="over")
        gone = {"session_id": "over", "response": "expired"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, gone, sender="hub"))
        for session in ("gone", "over"):
            yield self.work(session)
            self.ours.abandon(Job(sessions.COLLABORATE, "AI_2", session), self.changes)
        self.assertEqual((self.local.goals, (yield self.told())), ([], []))
        self.assertEqual(self.ours.sessions["over"].status, "expired")

    @inlineCallbacks
    def test_job(self) -> Any:
        """A session's job is over with its work, unless our own end has cut that short."""
        key, job = "collaborate:gone", Job(sessions.COLLABORATE, "AI_2", "gone")
        self.trainer.jobs.add(key, job, self.changes)
        yield self.told()
        for running, left in ((0, [(key,)]), (1, [])):
            self.trainer.running = running
            yield Deferred.fromCoroutine(self.ours.run(key, job))
            self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), left)

    @inlineCallbacks
    def test_progress(self) -> Any:
        """Progress begins at nothing, however far another try was, is a quarter a step, and at its end all, no more."""
        yield self.invite()
        session = self.ours.sessions["s1"]
        session.progress = 0.5
        seen: list[float] = []

        async def work(session: Session, advance: Any, number: int) -> Any:
            seen.append(session.progress)
            for count in (1, 3, 9):
                await advance([SessionStep("AI_1", "build")] * count)
                seen.append(session.progress)
            session.progress = 0.5
            raise NoResult("nothing")

        self.patch(self.ours, "_work", work)
        yield self.work()
        self.assertEqual([*seen, session.progress], [0.0, 0.25, 0.75, 1.0, 1.0])
        yield self.accepted("own", "feature_development")
        self.ours.componentCame("own", "AI_2", self.changes)
        self.assertEqual(self.ours.sessions["own"].progress, 1.0)

    @inlineCallbacks
    def test_logged(self) -> Any:
        """Of what peers accept, and we of theirs, a line each is logged, but no flood; a reason is cut."""
        said = captureLog(self)
        yield self.invite()
        yield self.accepted("own", "feature_development")
        self.ours.giveUp(self.ours.sessions["s1"], "x" * 1000, self.changes)
        self.assertIn("Accepted feature_development with AI_2", said)
        self.assertIn("AI_2 accepted collaboration own", said)
        self.assertTrue(said[-1].endswith(f": {'x' * 300}") and said[-1].count("x") == 300, said[-1])
        self.clock.advance(0)
        for _ in range(200):
            self.ours.accept(msgspec.convert(invitation(), CollaborationInvitation), self.changes)
            self.ours.answered("AI_2", CollaborationResponse("own", "accepted"), self.changes)
        for words in ("Accepted ", "AI_2 accepted "):
            self.assertIn(sum(line.startswith(words) for line in said), range(90, 150))


class StrangerTests(SessionTestCase):
    @inlineCallbacks
    def test_partnersWithoutEnd(self) -> Any:
        """A hub may tell of any number of partners that nobody asked for: so many sessions run, no more."""
        for i in range(3 * MAX_INITIATED):
            accepted = {
                "session_id": f"s{i}",
                "response": "accepted",
                "partner": "AI_2",
                "type": "cross_specialization",
            }
            yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="hub"))
        self.assertEqual(len(self.trainer.sessions.sessions), MAX_INITIATED)
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM sessions")), [(MAX_INITIATED,)])
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM jobs")), [(MAX_INITIATED,)])

    @inlineCallbacks
    def test_declinesWaitForAcks(self) -> Any:
        """Invitations that are declined fill neither the outbox nor the log, though the hub acks nothing."""
        self.patch(outbox, "MAX_ANSWERS", 10)
        for i in range(50):
            yield self.invite(session=f"s{i}")
        self.assertEqual(len(self.trainer.outbox), 10)

    @inlineCallbacks
    def test_smallParts(self) -> Any:
        """Requirements of many small parts are too many, though their text is short; those of an end are forgotten."""
        yield self.invite(session="s1", requirements={"x": [{}] * 3000})
        (answer,) = self.said(T.COLLABORATION_RESPONSE)
        self.assertEqual((answer.payload["response"], answer.payload["reason"]), ("declined", "too many requirements"))
        yield self.invite(session="s2", requirements={"x": [{}] * 300}, partner_specialization="x" * 5000)
        session = self.trainer.sessions.sessions["s2"]
        self.assertEqual((len(session.requirements["x"]), len(session.peer_specialization)), (300, 256))
        expired = {"session_id": "s2", "response": "expired", "type": "feature_development"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, expired, sender="hub"))
        self.assertEqual(session.requirements, {})
        ((body,),) = yield self.trainer.store.read("SELECT body FROM sessions")
        self.assertLess(len(body), 500)

    @inlineCallbacks
    def test_workedOn(self) -> Any:
        """The hub is told of sessions that are worked on or whose turn comes, not of those that we wait for."""
        accepted = {"session_id": "own", "response": "accepted", "partner": "AI_2", "type": "feature_development"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, accepted, sender="hub"))
        cross = {**accepted, "session_id": "cross", "type": "cross_specialization"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, cross, sender="hub"))
        yield self.invite(session="s1")
        self.assertEqual(self.trainer.sessions.workedOn(), ["s1", "cross"])
        self.local.script = [None, None]
        yield self.work("s1")
        self.assertEqual(self.trainer.sessions.workedOn(), ["cross"])

    @inlineCallbacks
    def test_words(self) -> Any:
        """A session's id is a stranger's word: it moves no cursor."""
        lines = captureLog(self)
        self.local.script = [None, None]
        yield self.invite(session="\x1b[2J\n\u202e")
        yield self.work("\x1b[2J\n\u202e")
        expired = {"session_id": "\x1b[2J\u202e", "response": "expired", "type": "feature_development"}
        yield self.hear(self.message(T.COLLABORATION_RESPONSE, expired, sender="hub"))
        self.assertEqual([line for line in lines if not line.isprintable()], [])
        self.assertTrue(any("[2J" in line for line in lines))
