"""The demo's agent by script: in which order it does what, and what it tells of that."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli import demo_agent
from kernelnet.cli.demo_agent import AgentScript
from kernelnet.mcp.client import Refused


class Tools:
    """Answers of tools, as far as the script looks at them; each call is counted as a second."""

    def __init__(self, refuses: bool = False) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuses = refuses
        self.invitations = [
            {"id": "cheap", "kind": "invitation", "type": "performance_optimization", "by": "AI_1"},
            {"id": "gone", "kind": "invitation", "type": "feature_development", "by": "AI_1"},
            {"id": "mine", "kind": "invitation", "type": "feature_development", "by": "AI_2"},
        ]

    async def call(self, tool: str, **arguments: Any) -> Any:
        self.calls.append((tool, arguments))
        answer: Any = getattr(self, f"_{tool}")(**arguments)
        return answer

    def _list_tasks(self) -> Any:
        return [{"task": "one"}, {"task": "two"}]

    def _get_task(self, task: str) -> Any:
        return {"baselines": [{"name": "lru", "train_level": 0.0, "source": "c"}]}

    def _submit(self, task: str, source: str, hypothesis: str) -> Any:
        if "u23" in source:
            raise Refused("Error executing tool submit: component.c:3:1: error: unknown type name 'u23'")
        accepted = source == "draft-of-one" and not self.refuses
        told = {"accepted": accepted, "component": "AGENT-1", "validation_level": 0.5, "digest": "d" * 64}
        return {**told, "why": "refused: no better"}

    def _tune(self, task: str, **rest: Any) -> Any:
        return {"draft": f"draft-of-{task}", "evaluations": 7}

    def _list_components(self) -> Any:
        return [{"mine": True}, {"mine": False, "digest": "e" * 64, "by": "AI_1"}] if len(self.calls) > 12 else []

    def _verify_claim(self, digest: str) -> Any:
        return {"verdict": "confirmed"}

    def _get_component(self, digest: str) -> Any:
        return {"line": {"confirmed_by": ["AI_1", "AI_2"] if len(self.calls) > 15 else []}}

    def _list_invitations(self) -> Any:
        return list(self.invitations)

    def _answer_invitation(self, id: str, accept: bool, reason: str = "") -> Any:
        (one,) = (each for each in self.invitations if each["id"] == id)
        if accept and id == "gone":
            raise Refused("no invitation 'gone' waits (any more)")
        if accept:
            one["kind"] = "session"
        else:
            self.invitations.remove(one)

    def _add_note(self, id: str, text: str) -> Any:
        return {}

    def _complete_session(self, id: str, task: str = "", source: str = "", note: str = "") -> Any:
        return {"shared": source != "" and not self.refuses, "component": "AGENT-2", "why": "refused: may be luck"}


class ScriptTests(SynchronousTestCase):
    def run_(self, tools: Any, seconds: float = 200.0) -> list[tuple[str, str]]:
        told: list[tuple[str, str]] = []
        self.patch(demo_agent, "_LOOK_EVERY", 0.0)
        self.patch(demo_agent, "_SETTLES", 0.0)
        script = AgentScript(tools, lambda what, came: told.append((what, came)), lambda: seconds - len(tools.calls))
        asyncio.run(script.run())
        return told

    def test_all(self) -> None:
        """It does all of it: a failure, a refusal, a success, a peer's claim, an invitation that it can complete."""
        tools = Tools()
        told = dict(self.run_(tools))
        self.assertEqual(told["submits one that doesn't compile"], "3:1: error: unknown type name 'u23'")
        self.assertEqual(told["submits one that is worse"], "refused: no better")
        self.assertIn("accepted for one: AGENT-1", told["submits one that it tuned (7 evaluations)"])
        self.assertEqual(told["verifies a peer's claim"], "eeeeeeeeeeee of AI_1: confirmed")
        self.assertEqual(told["has its own claim verified"], "confirmed by AI_1, AI_2")
        self.assertEqual(told["accepts an invitation"], "feature development with AI_2")
        self.assertEqual(told["completes the session"], "for two: AGENT-2")
        answers = [(call["id"], call["accept"]) for tool, call in tools.calls if tool == "answer_invitation"]
        self.assertEqual(answers, [("cheap", False), ("gone", True), ("mine", True)])

    def test_nothing(self) -> None:
        """What does not come is told as well, and a session for which nothing passes the guard is given up in time."""
        tools = Tools(refuses=True)
        told = self.run_(tools)
        self.assertIn(("submits one that it tuned", "one: refused: no better"), told)
        self.assertIn(("gives the session up", "no task was left for which it might pass the guard"), told)
        waiting = Tools()
        waiting.invitations = []
        self.assertEqual(self.run_(waiting)[-1], ("accepts an invitation", "nothing came in time"))
