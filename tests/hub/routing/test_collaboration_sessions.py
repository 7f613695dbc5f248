"""Collaborations: who is invited, the table of states, time limits, and version 1 partners."""

from __future__ import annotations

import json
from functools import partial
from typing import Any
from unittest import mock

from kernelnet.hub.connection.protocol import HubProtocol
from kernelnet.hub.routing import collaboration_sessions
from kernelnet.hub.views import projections
from kernelnet.message import CollaborationRequest, CollaborationType, Hello
from kernelnet.wire import WireProblem
from tests.hub.databases import onEveryEngine
from tests.hub.support import NOON, Client, HubTestCase, aComponent
from tests.wire_examples import SEARCH_PROGRESS

FEATURE = {"type": "feature_development", "description": "page cache", "expertise_offered": ["audio"]}


@onEveryEngine
class MatchTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.initiator = self.hub.connect("AI_1", specialization="audio")
        self.hub.connect("FS", specialization="file_system", capabilities=["storage", "caching"])
        self.hub.connect("NET", specialization="networking", capabilities=["storage"])
        self.hub.connect("AWAY", specialization="file_system", capabilities=["storage", "caching"]).leave()
        self.hub.connect("SHY", specialization="file_system", collaboration_ready=False)

    def invited(self, target: str | None = None, **request: Any) -> list[str]:
        id_ = self.initiator.send("collaboration_request", {**FEATURE, **request}, target)
        self.assertEqual(self.initiator.errors(), [])
        (recipients,) = [row.recipients for row in self.hub.logged() if row.messageId == id_]
        assert recipients is not None
        return recipients

    def test_namedTarget(self) -> None:
        """A named target wins, the top-level one over that of the payload; even one that is not ready."""
        self.assertEqual(self.invited("NET", target_ai="FS", seeking_expertise=["caching"]), ["NET"])
        self.assertEqual(self.invited(target_ai="FS", seeking_expertise=["networking"]), ["FS"])
        self.assertEqual(self.invited(target_ai="", seeking_expertise=["networking"]), ["NET"])
        self.assertEqual(self.invited("SHY"), ["SHY"])

    def test_expertise(self) -> None:
        """Else those who serve what is sought, the initiator never, nor who isn't ready; also who is away."""
        self.assertEqual(self.invited(seeking_expertise=["caching"]), ["AWAY", "FS"])
        self.assertEqual(self.invited(seeking_expertise=["file system"]), ["AWAY", "FS"])
        self.assertEqual(self.invited(seeking_expertise=["storage"]), ["AWAY", "FS", "NET"])
        self.assertEqual(self.invited(seeking_expertise=["audio"]), ["AWAY", "FS", "NET"])

    def test_bestFirst(self) -> None:
        """Of many matches the best three: who is connected first, then who serves more terms."""
        for i in range(3):
            self.hub.connect(f"MORE_{i}", capabilities=["storage", "caching"])
        best = self.invited(seeking_expertise=["storage", "caching"])
        self.assertEqual(len(best), 3)
        self.assertNotIn("AWAY", best)
        self.assertNotIn("NET", best)

    def test_candidates(self) -> None:
        """However many match, a bounded number of them is looked at for who has time."""
        for i in range(20):
            self.hub.directory.heard(f"MORE_{i}", Hello(capabilities=["storage"], collaboration_ready=True), NOON)
        request = CollaborationRequest(CollaborationType.FEATURE_DEVELOPMENT, seeking_expertise=["storage"])
        found = collaboration_sessions.partners(self.hub.directory, (), "AI_1", request, None)
        self.assertEqual(len(found), 12)

    def test_everybody(self) -> None:
        """When nothing is sought, or nobody has it: all that are ready."""
        self.assertEqual(self.invited(), ["AWAY", "FS", "NET"])
        self.assertEqual(self.invited(seeking_expertise=["cooking"]), ["AWAY", "FS", "NET"])

    def test_unknownInPayload(self) -> None:
        """A target in the payload that was never enrolled is unknown_target, too."""
        self.initiator.send("collaboration_request", {**FEATURE, "target_ai": "NOBODY"})
        self.assertEqual(self.initiator.errors(), ["unknown_target"])
        self.assertEqual(self.hub.stored.sessions.beginning("", 9), [])

    def test_alone(self) -> None:
        """With nobody to invite the session has expired, and the initiator is told."""
        self.hub.directory.ais = {"AI_1": self.hub.directory.ais["AI_1"]}
        self.initiator.received()
        self.initiator.send("collaboration_request", FEATURE)
        (answer,) = self.initiator.payloads("collaboration_response")
        self.assertEqual(answer["response"], "expired")


@onEveryEngine
class StateTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.initiator = self.hub.connect("AI_1", specialization="audio")
        self.a = self.hub.connect("A", capabilities=["x"])
        self.b = self.hub.connect("B", capabilities=["x"])
        self.old = self.hub.connect("OLD", 1, capabilities=["x"])
        for client in (self.initiator, self.a, self.b, self.old):
            client.received()

    def offer(self, **fields: Any) -> str:
        self.initiator.send("collaboration_request", {**FEATURE, "seeking_expertise": ["x"], **fields})
        for client in (self.a, self.b, self.old):
            (invitation,) = client.payloads("collaboration_request")
        self.assertEqual(
            invitation,
            {
                "session_id": invitation["session_id"],
                "type": "feature_development",
                "description": "page cache",
                "initiator": "AI_1",
                "partner_specialization": "audio",
                "expertise_offered": ["audio"],
                "seeking_expertise": ["x"],
            },
        )
        return str(invitation["session_id"])

    def state(self) -> tuple[str, str | None]:
        (record,) = self.hub.stored.sessions.beginning("", 9)
        return record.state, record.partner

    def transcript(self) -> bytes:
        (record,) = self.hub.stored.sessions.beginning("", 9)
        assert record.transcript is not None
        return record.transcript

    def component(self) -> str | None:
        (record,) = self.hub.stored.sessions.beginning("", 9)
        return record.component

    def respond(self, client: Client, session: str, response: str) -> None:
        client.send("collaboration_response", {"session_id": session, "response": response, "reason": "r"})

    def outcomes(self, client: Client) -> list[tuple[str, str | None]]:
        return [(p["response"], p.get("partner")) for p in client.payloads("collaboration_response")]

    def complete(self, client: Client, session: str, **more: Any) -> None:
        client.send(
            "os_component_share",
            {**aComponent(), "session_id": session, "collaboration_complete": True, **more},
            "AI_1",
        )

    def test_firstAcceptWins(self) -> None:
        """The first accept makes the session active; the others get expired, the initiator learns the partner."""
        session = self.offer()
        self.assertEqual(self.state(), ("offered", None))
        self.respond(self.a, session, "accepted")
        self.assertEqual(self.state(), ("active", "A"))
        self.assertEqual(self.outcomes(self.initiator), [("accepted", "A")])
        self.assertEqual(self.outcomes(self.b), [("expired", None)])
        self.assertEqual(self.outcomes(self.a), [])
        self.respond(self.b, session, "accepted")
        self.assertEqual(self.outcomes(self.b), [("expired", None)])
        self.assertEqual(self.state(), ("active", "A"))
        self.assertEqual(self.outcomes(self.initiator), [])

    def test_oldNeverSeesResponses(self) -> None:
        """A version 1 peer never gets a collaboration_response: it does not know the type."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        self.assertEqual(self.old.received(), [])

    def test_complete(self) -> None:
        """The partner's completing share ends the session in a component, which is stored and goes to its target."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        self.initiator.received()
        self.complete(self.a, session)
        self.assertEqual(self.state(), ("completed", "A"))
        (share,) = self.initiator.received("os_component_share")
        self.assertEqual(share["payload"]["session_id"], session)
        self.assertEqual((self.component(), self.transcript()), ("c1", b"[]"))
        self.assertEqual(len([*self.hub.stored.components.inOrder()]), 1)

    def test_transcript(self) -> None:
        """What the partner tells of its steps is kept with the session, as it told it."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        steps = [
            {"by": "A", "what": "build", "objective": "score", "component": "c1", "score": 40, "seconds": 4.5},
            {"by": "A", "what": "measure", "component": "c1", "verdict": "confirmed"},
        ]
        self.complete(self.a, session, transcript=steps)
        body = self.transcript()
        self.assertEqual(json.loads(body), steps)

    def test_initiatorAdds(self) -> None:
        """What the initiator got out of a session is kept behind the partner's steps, and goes to all."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        self.complete(self.a, session, transcript=[{"by": "A", "what": "send"}])
        self.a.received()
        more = {**aComponent("c2"), "session_id": session, "transcript": [{"by": "AI_1", "what": "send"}]}
        self.initiator.send("os_component_share", more)
        body, component = self.transcript(), self.component()
        self.assertEqual(([step["by"] for step in json.loads(body)], component), (["A", "AI_1"], "c1"))
        self.assertEqual(self.state(), ("completed", "A"))
        self.assertEqual(len(self.a.received("os_component_share")), 1)

    def test_addedByOthers(self) -> None:
        """Who takes no part in a session adds nothing to it, and who does adds nothing once it was declined."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        share = {**aComponent("c2"), "session_id": session, "transcript": [{"by": "B", "what": "send"}]}
        self.b.send("os_component_share", share)
        self.respond(self.a, session, "declined")
        self.a.send("os_component_share", {**share, **aComponent("c3")})
        body = self.transcript()
        self.assertEqual([step["what"] for step in json.loads(body)], ["decline"])
        self.assertEqual(len([*self.hub.stored.components.inOrder()]), 2)

    def test_whyNot(self) -> None:
        """Who declines is in the transcript with the reason and the steps it had done; they go no further."""
        session = self.offer()
        self.respond(self.b, session, "declined")
        self.respond(self.a, session, "accepted")
        self.initiator.received()
        steps = [{"by": "A", "what": "build", "score": 40, "component": "c1"}]
        answer = {"session_id": session, "response": "declined", "reason": "no better", "transcript": steps}
        self.a.send("collaboration_response", answer)
        body = self.transcript()
        why = [{"by": "B", "what": "decline", "note": "r"}, *steps, {"by": "A", "what": "decline", "note": "no better"}]
        self.assertEqual(json.loads(body), why)
        (told,) = self.initiator.payloads("collaboration_response")
        self.assertEqual((told["reason"], told.get("transcript", [])), ("no better", []))

    def note(self, client: Client, session: str, text: str) -> list[str]:
        client.received()
        client.send("collaboration_response", {"session_id": session, "response": "note", "reason": text})
        return [error["message"] for error in client.payloads("error")]

    def test_notes(self) -> None:
        """Each of the two writes to the other while the session is active, and stands in the transcript with it."""
        session = self.offer()
        (early,) = self.note(self.initiator, session, "hello?")
        self.assertIn("the session is offered", early)
        self.respond(self.a, session, "accepted")
        self.initiator.received()
        self.assertEqual(self.note(self.a, session, "which trace?"), [])
        (told,) = self.initiator.payloads("collaboration_response")
        self.assertEqual((told["response"], told["reason"], told["partner"]), ("note", "which trace?", "A"))
        self.assertEqual(self.note(self.initiator, session, "the third"), [])
        (told,) = self.a.payloads("collaboration_response")
        self.assertEqual((told["response"], told["reason"]), ("note", "the third"))
        self.complete(self.a, session, transcript=[{"by": "A", "what": "send"}])
        steps = [(step["by"], step["what"], step.get("note")) for step in json.loads(self.transcript())]
        expected = [("A", "note", "which trace?"), ("AI_1", "note", "the third"), ("A", "send", None)]
        self.assertEqual(steps, expected)
        (late,) = self.note(self.a, session, "and thanks")
        self.assertIn("the session is completed", late)

    def test_notesAreBounded(self) -> None:
        """A note of who takes no part, one that is empty or long, and one more than a few, are refused with why."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        for client, text, why in (
            (self.b, "let me in", "no session that you take part in"),
            (self.a, " ", "1 to 1000 characters"),
            (self.a, "x" * 1001, "1 to 1000 characters"),
        ):
            (told,) = self.note(client, session, text)
            self.assertIn(why, told)
        for _ in range(16):
            self.assertEqual(self.note(self.a, session, "x" * 1000), [])
        (told,) = self.note(self.a, session, "more")
        self.assertIn("16 notes of each of the two", told)
        self.assertEqual(self.note(self.initiator, session, "I have room"), [])
        self.assertEqual(len(json.loads(self.transcript())), 17)

    def test_noRoomForNotes(self) -> None:
        """A note for which the transcript has no room is refused: else it would not count, and there were no bound."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        for number in range(3):
            steps = [{"by": "AI_1", "what": "build"}] * 60
            share = {**aComponent(f"c{number}"), "session_id": session, "transcript": steps}
            self.initiator.send("os_component_share", share)
        before = self.transcript()
        (told,) = self.note(self.initiator, session, "one more")
        self.assertIn("the session's transcript is full", told)
        self.assertEqual(self.a.payloads("collaboration_response"), [])
        self.assertEqual(self.transcript(), before)

    def test_longNotes(self) -> None:
        """Notes whose characters take many bytes are refused once the transcript has no room for them."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        told = [self.note(client, session, "\1" * 1000) for client in [self.a, self.initiator] for _ in range(16)]
        refused = [why for why in told if why]
        self.assertTrue(refused and all("is full" in why for (why,) in refused))
        self.assertEqual(len(json.loads(self.transcript())), sum(not why for why in told))

    def test_manySteps(self) -> None:
        """However much is added, a session's steps are bounded."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        for number in range(4):
            steps = [{"by": "AI_1", "what": "build"}] * 60
            self.initiator.send(
                "os_component_share", {**aComponent(f"c{number}"), "session_id": session, "transcript": steps}
            )
        body = self.transcript()
        self.assertEqual(len(json.loads(body)), 128)

    def test_largeSteps(self) -> None:
        """However large steps are, a transcript is bounded, and what it begins with is kept."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        hint = {"by": "A", "workbench": "w", "component": "a" * 64, "expression": "x" * 1000}
        large = {"by": "A", "what": "build", "hints": [hint] * 16}
        self.complete(self.a, session, transcript=[{"by": "A", "what": "start"}, *[large] * 40])
        body = self.transcript()
        self.assertTrue(100_000 < len(body) <= 128 * 1024)
        self.assertEqual(json.loads(body)[:2], [{"by": "A", "what": "start"}, large])

    def test_wordsOfOthers(self) -> None:
        """What one tells in a transcript it did itself, whoever it says that did it; but where it began from."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        told = [{"by": "B", "what": "start", "note": "mine is bad"}, {"by": "AI_1", "what": "send", "score": 1}]
        told.append({"by": "A", "what": "start", "note": "the best here"})
        self.complete(self.a, session, transcript=told)
        body = self.transcript()
        found = [(step["by"], step.get("note")) for step in json.loads(body)]
        self.assertEqual(found, [("B", None), ("A", None), ("A", "the best here")])

    def test_manyRefusals(self) -> None:
        """However many had no time for a session, what is done in it is told."""
        self.patch(collaboration_sessions, "MAX_INVITED", 99)  # as it was before there was a limit
        self.patch(collaboration_sessions, "MAX_CANDIDATES", 99)
        others = [self.hub.connect(f"C_{number}") for number in range(20)]
        self.initiator.send("collaboration_request", FEATURE)
        (invitation,) = self.a.payloads("collaboration_request")
        session = invitation["session_id"]
        for other in others:
            self.respond(other, session, "declined")
        self.respond(self.a, session, "accepted")
        self.complete(self.a, session, transcript=[{"by": "A", "what": "send"}] * 60)
        body = self.transcript()
        self.assertEqual([step["what"] for step in json.loads(body)], ["decline"] * 16 + ["send"] * 60)

    def test_typeIsTold(self) -> None:
        """The initiator, who may have made several offers, hears what kind of session was accepted."""
        self.respond(self.a, self.offer(), "accepted")
        (answer,) = self.initiator.payloads("collaboration_response")
        self.assertEqual(answer["type"], "feature_development")

    def test_oldPartner(self) -> None:
        """A version 1 partner's completing share counts as its acceptance; the initiator hears that first."""
        session = self.offer()
        self.complete(self.old, session)
        self.assertEqual(self.state(), ("completed", "OLD"))
        self.assertEqual(
            [m["message_type"] for m in self.initiator.received("collaboration_response", "os_component_share")],
            ["collaboration_response", "os_component_share"],
        )
        self.assertEqual(self.outcomes(self.a), [("expired", None)])

    def test_onlyTheInvited(self) -> None:
        """Who was not invited can't complete a session or answer for it: the error names it, nothing is stored."""
        session = self.offer()
        stranger = self.hub.connect("Z")
        for client, id_ in ((stranger, session), (self.initiator, session), (self.a, "nonsense")):
            client.received()
            self.complete(client, id_)
            (error,) = client.payloads("error")
            self.assertEqual(error["code"], "invalid_message")
            self.assertIn(repr(id_), error["message"])
            self.respond(client, id_, "accepted")
            self.assertEqual(client.errors(), ["invalid_message"])
        self.assertEqual(self.state(), ("offered", None))
        self.assertEqual([*self.hub.stored.components.inOrder()], [])

    def test_tooLate(self) -> None:
        """Work that comes when the session is another's is an ordinary share: it is not thrown away."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        self.initiator.received()
        self.complete(self.old, session)
        self.assertEqual(self.old.received("error"), [])
        self.assertEqual(self.state(), ("active", "A"))
        self.assertEqual(len(self.initiator.received("os_component_share")), 1)

    def test_needsSession(self) -> None:
        """A completing share must say which session."""
        self.a.send("os_component_share", {**aComponent(), "collaboration_complete": True})
        self.assertEqual(self.a.errors(), ["invalid_message"])

    def test_declinedByAll(self) -> None:
        """When all invited have declined the session has, and only then is the initiator told."""
        session = self.offer()
        self.respond(self.a, session, "declined")
        self.respond(self.a, session, "declined")
        self.respond(self.b, session, "declined")
        self.assertEqual(self.state(), ("offered", None))
        self.assertEqual(self.outcomes(self.initiator), [])
        self.respond(self.old, session, "declined")
        self.assertEqual(self.state(), ("declined", None))
        self.assertEqual(self.outcomes(self.initiator), [("declined", "OLD")])

    def test_changedMind(self) -> None:
        """An active partner may decline: the session ends, the initiator is told."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        self.respond(self.a, session, "declined")
        self.assertEqual(self.state(), ("declined", "A"))
        self.assertEqual(self.outcomes(self.initiator), [("accepted", "A"), ("declined", "A")])

    def test_again(self) -> None:
        """Who accepts again, or declines again, changes nothing; nor does one who declines what another works on."""
        session = self.offer()
        for _ in range(2):
            self.respond(self.old, session, "declined")
        self.assertEqual(len(json.loads(self.transcript())), 1)
        for _ in range(2):
            self.respond(self.a, session, "accepted")
        self.assertEqual(self.outcomes(self.a), [])
        self.respond(self.b, session, "accepted")
        reasons = [p["reason"] for p in self.b.payloads("collaboration_response")]
        self.assertEqual(reasons, ["taken by A", "the session is taken by A"])
        self.respond(self.b, session, "declined")
        self.assertEqual(self.state(), ("active", "A"))
        self.complete(self.a, session)
        self.respond(self.b, session, "accepted")
        self.assertEqual(self.b.payloads("collaboration_response")[-1]["reason"], "the session is completed")

    def test_releaseOfAnother(self) -> None:
        """Nothing is taken from who doesn't work on it any more, or never did."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        release = partial(collaboration_sessions.release, idle=[(session, "B"), ("none", "A")], seconds=60)
        self.hub.transact(release)
        self.assertEqual(self.state(), ("active", "A"))
        self.complete(self.a, session)
        self.hub.transact(partial(collaboration_sessions.release, idle=[(session, "A")], seconds=60))
        self.assertEqual(self.state(), ("completed", "A"))

    def test_refusedComponent(self) -> None:
        """A component that is refused completes nothing: its partner declines then, and the initiator hears of it."""
        self.patch(projections, "MAX_COPIES", 1)
        self.b.send("os_component_share", aComponent())
        session = self.offer()
        self.respond(self.a, session, "accepted")
        self.complete(self.a, session)
        self.assertEqual((self.a.errors(), self.state()), (["invalid_message"], ("active", "A")))
        self.respond(self.a, session, "declined")
        self.assertEqual(self.state(), ("declined", "A"))
        self.assertEqual(self.outcomes(self.initiator), [("accepted", "A"), ("declined", "A")])

    def test_clientCantExpire(self) -> None:
        """Only the hub says expired."""
        session = self.offer()
        self.respond(self.a, session, "expired")
        self.assertEqual(self.a.errors(), ["invalid_message"])

    def test_offerExpires(self) -> None:
        """An offer that nobody takes in time expires; those who have not declined and the initiator are told."""
        session = self.offer()
        self.respond(self.b, session, "declined")
        self.hub.clock.advance(595)
        self.assertEqual(self.state(), ("offered", None))
        self.hub.clock.pump([5, 5])
        self.assertEqual(self.state(), ("expired", None))
        self.assertEqual(self.outcomes(self.initiator), [("expired", None)])
        self.assertEqual(self.outcomes(self.a), [("expired", None)])
        self.assertEqual(self.outcomes(self.b), [])

    def test_workExpires(self) -> None:
        """An active session that is not completed in time expires; its partner and the initiator are told."""
        session = self.offer()
        self.respond(self.a, session, "accepted")
        for client in (self.initiator, self.a, self.b):
            client.received()
        self.hub.clock.advance(1805)
        self.assertEqual(self.state(), ("expired", "A"))
        self.assertEqual(self.outcomes(self.initiator), [("expired", None)])
        self.assertEqual(self.outcomes(self.a), [("expired", None)])
        self.assertEqual(self.outcomes(self.b), [])

    def test_survivesRestart(self) -> None:
        """Sessions and their time limits survive a restart of the hub."""
        session = self.offer()
        before = self.hub.clock.seconds()
        hub = self.restart()
        a = hub.connect("A", capabilities=["x"])
        hub.clock.advance(before + 100)
        self.respond(a, session, "accepted")
        self.assertEqual(self.state(), ("active", "A"))

    def test_once(self) -> None:
        """A repeated request opens no second session."""
        message = self.initiator.message("collaboration_request", FEATURE)
        for _ in range(2):
            self.initiator.line(message)
        self.assertEqual(len(self.hub.stored.sessions.beginning("", 9)), 1)
        acks = [pair for p in self.initiator.payloads("ack") for pair in p["acked"]]
        self.assertEqual(acks, [[message["message_id"], 1]] * 2)

    def test_opportunities(self) -> None:
        """A newcomer's training_sync lists the offers it can still accept, and no others."""
        session = self.offer()
        self.a.send("training_sync", {})
        (sync,) = self.a.payloads("training_sync")
        self.assertEqual([o["session_id"] for o in sync["collaboration_opportunities"]], [session])
        self.respond(self.a, session, "declined")
        for client in (self.a, self.initiator):
            client.send("training_sync", {})
            (sync,) = client.payloads("training_sync")
            self.assertEqual(sync["collaboration_opportunities"], [])


@onEveryEngine
class GoneTests(HubTestCase):
    """An AI that is gone for a minute gives back the sessions that it accepted."""

    def setUp(self) -> None:
        super().setUp()
        self.initiator = self.hub.connect("AI_1")
        self.partner = self.hub.connect("AI_2")

    def begin(self) -> str:
        """@return: the id of a session of AI_1 that AI_2 has accepted."""
        self.initiator.send("collaboration_request", FEATURE, "AI_2")
        (invitation,) = self.partner.payloads("collaboration_request")
        session = str(invitation["session_id"])
        self.partner.send("collaboration_response", {"session_id": session, "response": "accepted"})
        self.initiator.received()
        return session

    def later(self, seconds: float) -> None:
        """Time passes, and all who are here answer."""
        for _ in range(round(seconds / 5)):
            self.hub.clock.advance(5)
            for connection in self.hub.connections.everyone():
                assert isinstance(connection, HubProtocol)
                connection.lastHeard = self.hub.clock.seconds()

    def states(self) -> dict[str, int]:
        return self.hub.stored.sessions.countByState()

    def test_gone(self) -> None:
        """They are declined after a minute; both hear why, it itself when it comes back, and the transcript has it."""
        session = self.begin()
        position = self.hub.log.head
        self.partner.leave()
        self.later(55)
        self.assertEqual(self.states(), {"active": 1})
        self.later(10)
        self.assertEqual(self.states(), {"declined": 1})
        reason = "AI_2 has been gone for 60 s"
        expected = {"session_id": session, "response": "declined", "reason": reason, "partner": "AI_2"}
        (told,) = self.initiator.payloads("collaboration_response")
        self.assertEqual({key: told.get(key) for key in expected}, expected)
        back = self.hub.resume("AI_2", position)
        (told,) = back.payloads("collaboration_response")
        self.assertEqual((told["session_id"], told["reason"]), (session, reason))
        (record,) = self.hub.stored.sessions.beginning(session, 1)
        self.assertEqual(json.loads(record.transcript or b""), [{"by": "AI_2", "what": "decline", "note": reason}])

    def test_back(self) -> None:
        """Who comes back in time keeps them, and may complete them; what is declined for good is an ordinary share."""
        session = self.begin()
        self.partner.leave()
        self.later(55)
        back = self.hub.connect("AI_2")
        self.later(600)
        self.assertEqual(self.states(), {"active": 1})
        back.send("os_component_share", {**aComponent(), "session_id": session, "collaboration_complete": True})
        self.assertEqual(self.states(), {"completed": 1})

    def reportFor(self, seconds: float, *sessions: str) -> None:
        for _ in range(round(seconds / 5)):
            self.partner.send("heartbeat", {"progress": {**SEARCH_PROGRESS, "sessions": [*sessions]}})
            self.later(5)

    def test_idle(self) -> None:
        """Who reports how its searches go, and works on nothing of a session for a minute, gives it back."""
        session = self.begin()
        self.reportFor(120, session)
        self.assertEqual(self.states(), {"active": 1})
        self.reportFor(55, "another")
        self.assertEqual(self.states(), {"active": 1})
        self.reportFor(15)
        self.assertEqual(self.states(), {"declined": 1})
        (told,) = self.initiator.payloads("collaboration_response")
        self.assertEqual(told["reason"], "AI_2 has worked on nothing of it for 60 s")

    def test_idleInvited(self) -> None:
        """Who left a session lying is invited after those who did not, however many words it names."""
        others = [self.hub.connect(f"C_{i}", capabilities=["x"]) for i in range(3)]
        self.partner.hello(capabilities=["x", "y", "z"])
        self.begin()
        seeking = {**FEATURE, "seeking_expertise": ["x", "y", "z"]}
        self.initiator.send("collaboration_request", seeking)
        self.assertEqual(len(self.partner.payloads("collaboration_request")), 1)
        self.reportFor(70)
        self.initiator.send("collaboration_request", seeking)
        self.assertEqual(self.partner.payloads("collaboration_request"), [])
        self.assertEqual([len(other.payloads("collaboration_request")) for other in others], [1, 2, 2])

    def test_justAccepted(self) -> None:
        """It has a minute from when it accepted, however long it has reported."""
        self.reportFor(120)
        self.begin()
        self.reportFor(55)
        self.assertEqual(self.states(), {"active": 1})
        self.reportFor(15)
        self.assertEqual(self.states(), {"declined": 1})

    def test_noReports(self) -> None:
        """Who reports nothing, or not any more, has as long as any session."""
        self.begin()
        self.reportFor(20)
        self.later(1700)
        self.assertEqual(self.states(), {"active": 1})
        self.later(100)
        self.assertEqual(self.states(), {"expired": 1})

    def test_workOfTheGone(self) -> None:
        """What it finds all the same is an ordinary share."""
        session = self.begin()
        self.partner.leave()
        self.later(65)
        back = self.hub.connect("AI_2")
        back.send("os_component_share", {**aComponent(), "session_id": session, "collaboration_complete": True})
        self.assertEqual((back.errors(), self.states()), ([], {"declined": 1}))
        self.assertEqual(len([*self.hub.stored.components.inOrder()]), 1)

    def test_afterKill(self) -> None:
        """After the end of a hub, however it came, the minute counts from the next one's start."""
        kept = self.begin()
        third = self.hub.connect("AI_3")
        self.initiator.send("collaboration_request", FEATURE, "AI_3")
        (invitation,) = third.payloads("collaboration_request")
        third.send("collaboration_response", {"session_id": invitation["session_id"], "response": "accepted"})
        self.restart()
        self.later(40)
        self.hub.connect("AI_2")
        self.later(15)
        self.assertEqual(self.states(), {"active": 2})
        self.later(10)
        self.assertEqual(self.states(), {"active": 1, "declined": 1})
        found = self.hub.stored.sessions.find(kept)
        assert found is not None
        self.assertEqual(found.state, "active")

    def test_initiatorGone(self) -> None:
        """What it had asked for goes on: its partners are at work, and their finds wait for it."""
        session = self.begin()
        position = self.hub.log.head
        self.initiator.leave()
        self.later(300)
        self.assertEqual(self.states(), {"active": 1})
        self.partner.send("os_component_share", {**aComponent(), "session_id": session, "collaboration_complete": True})
        (share,) = self.hub.resume("AI_1", position).payloads("os_component_share")
        self.assertEqual(share["session_id"], session)

    def test_notWritten(self) -> None:
        """A commit that fails is tried again: they are given back as soon as the database works."""
        self.begin()
        self.partner.leave()
        self.later(55)
        self.database.writer.error = OSError("no")
        self.later(10)
        self.flushLoggedErrors(WireProblem)
        self.assertEqual(self.states(), {"active": 1})
        self.database.writer.error = None
        self.later(5)
        self.assertEqual(self.states(), {"declined": 1})

    def test_many(self) -> None:
        """However many they are, a bounded number is given back at once, and the others soon after."""
        self.assertLessEqual(collaboration_sessions.MAX_DUE, 1000)
        self.patch(collaboration_sessions, "MAX_ACTIVE", 9)
        for _ in range(5):
            self.begin()
        self.partner.leave()
        with mock.patch.object(collaboration_sessions, "MAX_DUE", 2):
            self.later(60)
            self.assertEqual(self.states(), {"active": 3, "declined": 2})
            self.later(15)
            self.assertEqual(self.states(), {"declined": 5})


@onEveryEngine
class BusyTests(HubTestCase):
    """Nobody is offered, nor takes, more sessions than it can work on."""

    def offer(self, initiator: Client, **fields: object) -> None:
        initiator.send("collaboration_request", {"type": "cross_specialization", "description": "d", **fields})

    def test_invited(self) -> None:
        """Where nobody's words match three of those who are ready are invited: who completed sessions first."""
        initiator = self.hub.connect("AI_1")
        others = [self.hub.connect(f"C_{i}") for i in range(6)]
        self.hub.directory.completed["C_5"] = 2
        self.offer(initiator)
        invited = [other.aiId for other in others if other.payloads("collaboration_request")]
        self.assertEqual((len(invited), "C_5" in invited), (3, True))

    def test_offers(self) -> None:
        """Four offers of an AI may be open; another one is refused, and nothing is written."""
        initiator = self.hub.connect("AI_1")
        self.hub.connect("AI_2")
        for _ in range(4):
            self.offer(initiator)
        head = self.hub.log.head
        self.offer(initiator)
        self.assertEqual((initiator.errors(), self.hub.log.head), (["invalid_message"], head))
        self.hub.clock.advance(606)
        self.offer(initiator)
        self.assertEqual(initiator.errors(), [])

    def test_active(self) -> None:
        """Who names all words and accepts everything has three sessions; the next ones go to others."""
        greedy = self.hub.connect("GREEDY", capabilities=["audio"])
        self.hub.connect("HONEST", capabilities=["sound"])
        invited = 0
        for i in range(5):
            initiator = self.hub.connect(f"FROM_{i}", collaboration_ready=False)
            self.offer(initiator, seeking_expertise=["audio"])
            for one in greedy.payloads("collaboration_request"):
                invited += 1
                greedy.send("collaboration_response", {"session_id": one["session_id"], "response": "accepted"})
        self.assertEqual(invited, 3)
        self.assertEqual(len(self.hub.stored.sessions.takenBy("GREEDY", 9)), 3)

    def test_accepted(self) -> None:
        """Who was invited to more than that before gets the fourth no more when it accepts that, too."""
        greedy = self.hub.connect("GREEDY")
        told = []
        for i in range(4):
            self.offer(self.hub.connect(f"FROM_{i}", collaboration_ready=False), target_ai="GREEDY")
        for one in greedy.payloads("collaboration_request"):
            greedy.send("collaboration_response", {"session_id": one["session_id"], "response": "accepted"})
        told = greedy.payloads("collaboration_response")
        self.assertEqual([one["reason"] for one in told], ["you work on 3 sessions already"])
        self.assertEqual(len(self.hub.stored.sessions.takenBy("GREEDY", 9)), 3)
