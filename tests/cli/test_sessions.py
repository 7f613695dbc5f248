"""What is printed about collaboration sessions: lists, one in full, and the table of those that were completed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from kernelnet.cli.demo_fields import firstConfirmed
from kernelnet.cli.sessions import completedTables, told
from tests.cli.support import CliTestCase
from tests.hub.support import HubTestCase
from tests.hub.views.test_components import claiming

NASTY = "\x1b[2J[red]x"
HINT = {"by": "AI_2", "workbench": "process_manager", "component": "ab" * 32, "expression": f"-idle {NASTY}"}
HAND = "arc, hand-made, best in hindsight"
STEPS: list[dict[str, Any]] = [
    {"by": "AI_1", "what": "start", "level": 0.25, "note": HAND, "task": "file_system, t"},
    {"by": "AI_1", "what": "build", "objective": "score", "hints": [HINT], "seconds": 4.5},
    {"by": "AI_1", "what": "measure", "component": "best", "score": 40, "verdict": "confirmed", "seconds": 1.0},
    {"by": "AI_1", "what": "send", "component": "best", "level": 0.5, "hints": [HINT], "task": "file_system, t"},
]


class SessionsTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        self.author, self.peer = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        self.first, self.second = self.begun("cross_specialization"), self.begun("feature_development")
        share = {**claiming("best", 0.625), "session_id": self.first, "collaboration_complete": True}
        self.author.send("os_component_share", {**share, "transcript": STEPS})
        declined = {"session_id": self.second, "response": "declined", "reason": f"no better {NASTY}"}
        self.author.send("collaboration_response", declined)

    def begun(self, kind: str) -> str:
        pattern = {"id": "p", "type": NASTY, "confidence": 0.5, "data": {"length": NASTY}}
        worse = {**pattern, "confidence": NASTY}
        told = {"hints": [HINT, 3, {"component": NASTY}], "patterns": [pattern, worse, None], "deep": {}}
        request = {"type": kind, "description": f"help {NASTY}", "target_ai": "AI_1", "requirements": told}
        self.peer.send("collaboration_request", request)
        return str(self.author.payloads("collaboration_request")[-1]["session_id"])

    def of(self, *arguments: str) -> str:
        output = self.succeed("sessions", *arguments, "--state", self.path)
        self.assertNotIn("\x1b", output)
        return output

    def test_show(self) -> None:
        """One session in full, by the beginning of its id: what was asked, told and given, and each step."""
        output = self.of("show", self.first[:12])
        for words in (
            "completed: cross specialization, AI_2 with AI_1",
            "AI_2 asks for: help",
            "pattern: ",
            "gives: AI_2's ababababab of process_manager: -idle",
            "1. AI_1: start, level 0.250, on file_system, t; arc, hand-made, best in hindsight",
            "2. AI_1: build for score with 1 of AI_2's expressions -> nothing passed the guard (4.5 s)",
            "3. AI_1: measure -> best, score 40, confirmed (1.0 s)",
            "4. AI_1: send with 1 of AI_2's expressions -> best, level 0.500",
            "came to best",
        ):
            self.assertIn(words, output)
        self.assertNotIn("feature development", output)

    def test_declined(self) -> None:
        """A session that came to nothing says why."""
        self.assertIn("AI_1 declined: no better", self.of("show", self.second))
        self.assertRegex(
            self.of("--show", "declined"), f"{self.second}  declined +feature development +AI_2 +any of 1 "
        )

    def test_json(self) -> None:
        """As JSON: the session as it is listed, and the invitation."""
        whole = json.loads(self.succeed("sessions", "show", self.first, "--json", "--state", self.path))
        invitation = whole.pop("invitation")
        self.assertEqual(invitation["requirements"]["hints"][0], HINT)
        listed = json.loads(self.succeed("sessions", "--json", "--state", self.path))
        self.assertIn(whole, listed)
        self.assertEqual(whole["transcript"], STEPS)

    def test_which(self) -> None:
        """An id that there is none of, or several, is refused with one line."""
        self.refused(1, "there is no session 'nonsense'", "sessions", "show", "nonsense", "--state", self.path)
        self.refused(1, "several sessions have ids that begin with ''", "sessions", "show", "", "--state", self.path)

    def test_completed(self) -> None:
        """The demo's table tells level or fuel before and after, and who did what, of each who sent a component."""
        session = json.loads(self.of("--show", "completed", "--json"))[0]
        more = {
            "by": "AI_2",
            "what": "send",
            "component": "back",
            "score": 7,
            "level": 0.75,
            "note": "descends from none",
        }
        cheaper = {
            **session,
            "type": "performance_optimization",
            "transcript": [
                {"by": "AI_2", "what": "start", "component": "asked", "score": 5, "fuel": 900},
                {"by": "AI_1", "what": "send", "component": "less", "score": 5, "fuel": 800},
            ],
        }
        session["transcript"].append(more)
        console = Console(width=240, markup=False)
        with console.capture() as captured:
            console.print(*completedTables([cheaper, session]))
        output = " ".join(captured.get().split())
        for words in (
            "best 0.250 0.500 AI_1 for AI_2, on file_system, t: build 4 s, 1 confirmed; before: arc, hand-made",
            "descends from AI_2's ababababab of process_manager: -idle",
            "back 0.250 0.750 AI_2, of it",
            "less 900 800 AI_1 for AI_2",
            "before: asked",
        ):
            self.assertIn(words, output)
        self.assertLess(output.index("cross specialization"), output.index("performance optimization"))
        self.assertNotIn("\x1b", output)

    def test_oldSteps(self) -> None:
        """Steps as other clients tell them, with hardly anything in them, are told as well."""
        self.assertEqual(told({"by": "A", "what": "build"}), "A: build -> nothing passed the guard")
        self.assertEqual(told({"by": "A", "what": "measure"}), "A: measure -> nothing to measure")

    def test_note(self) -> None:
        """A note is told as its author's words, without control characters, and cut where it is long."""
        words = told({"by": "A", "what": "note", "note": f"hello {NASTY}"})
        self.assertEqual(words, "A writes: “hello ?[2J[red]x”")
        self.assertLess(len(told({"by": "A", "what": "note", "note": "x" * 5000})), 1020)

    def test_firstConfirmed(self) -> None:
        """When the first component was confirmed by somebody else is in the hub's log."""
        state = self.hub.sqlite.path.parent
        self.assertIsNone(firstConfirmed(state))
        digest = self.hub.rows("SELECT digest FROM shared_components")[0][0]
        report = {"component_id": "best", "performance": {}, "digest": digest}
        self.author.send("performance_report", {**report, "verdict": "confirmed"})
        self.peer.send("performance_report", {**report, "verdict": "refuted"})
        self.assertIsNone(firstConfirmed(state))
        self.peer.send("performance_report", {**report, "verdict": "confirmed"})
        found = firstConfirmed(state)
        self.assertEqual(found and found[1:], ("best", "AI_2"))
        self.assertEqual(found and found[0].tzinfo, UTC)
        self.assertLess(found[0] if found else datetime.max.replace(tzinfo=UTC), datetime.now(UTC))
