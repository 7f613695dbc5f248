"""How long tokens of an operator's commands work, and which numbers a command takes."""

from __future__ import annotations

from typing import Any

from kernelnet.hub.admin.control_client import ControlError
from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.token_commands import tokenCommand
from kernelnet.hub.auth.tokens import Grant
from tests.hub.support import HubTestCase

TEN_YEARS = 10 * 366 * 86400


class LifetimeTests(HubTestCase):
    def do(self, command: str, **request: Any) -> Any:
        return self.hub.transact(tokenCommand({"command": f"tokens {command}", "ai_id": "AI_1", **request}))

    def test_defaults(self) -> None:
        """A join string works for a day, a token that was replaced for an hour, if nothing else is said."""
        self.assertEqual(self.do("invite")["expires_at"], self.hub.now() + 86400)
        self.assertEqual(self.do("invite", expires=60)["expires_at"], self.hub.now() + 60)
        self.do("issue")
        self.assertEqual(self.do("rotate")["old_until"], self.hub.now() + 3600)
        self.assertEqual(self.do("rotate", grace=0)["old_until"], self.hub.now())

    def test_bounds(self) -> None:
        """Nothing works for more than ten years, or for less than no time."""
        for expires in (0, TEN_YEARS):
            self.do("issue", expires=expires)
        for wrong in (-1, TEN_YEARS + 1, float("nan"), True, "60"):
            with self.assertRaisesRegex(ControlError, "`expires` must be a number of seconds from 0 to ten years"):
                self.do("issue", expires=wrong)

    def test_takenBack(self) -> None:
        """A join string that was taken back, or replaced, enrols nobody; one that waits does."""
        self.assertIsNone(self.hub.transact(lambda transaction: tokens.enrol(transaction, "AI_1", Grant.INVITED)))
        self.do("invite")
        self.do("revoke")
        self.assertIsNone(self.hub.transact(lambda transaction: tokens.enrol(transaction, "AI_1", Grant.INVITED)))
        self.do("invite")
        self.assertIsNotNone(self.hub.transact(lambda transaction: tokens.enrol(transaction, "AI_1", Grant.INVITED)))
