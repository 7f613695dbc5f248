"""How handshakes are answered."""

from __future__ import annotations

from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.authenticator import TokenAuthenticator
from kernelnet.hub.auth.tokens import Grant
from kernelnet.identity import tokenHash
from kernelnet.message import Handshake
from tests.hub.support import JOIN, HubTestCase


class TokenAuthenticatorTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.authenticator = TokenAuthenticator(self.hub.log, tokenHash(JOIN), self.hub.now)

    def check(self, aiId: str, token: str) -> Grant:
        return self.successResultOf(self.authenticator.check(Handshake(aiId, token)))

    def test_answers(self) -> None:
        """An own token, the join token, the secret of a join string, and what is none of them."""
        token = self.hub.issue("AI_1")
        secret = self.hub.transact(lambda transaction: tokens.invite(transaction, "AI_2", 60))
        self.assertIs(self.check("AI_1", token), Grant.OWN)
        self.assertIs(self.check("AI_3", JOIN), Grant.JOIN)
        self.assertIs(self.check("AI_2", secret), Grant.INVITED)
        for aiId, wrong in (("AI_1", "wrong"), ("AI_1", JOIN), ("AI_3", token), ("AI_4", secret)):
            self.assertIs(self.check(aiId, wrong), Grant.REFUSED)

    def test_firstUse(self) -> None:
        """The first use of an own token is on disk before it is answered."""
        token = self.hub.issue("AI_1")
        self.hub.writer.held = True
        checking = self.authenticator.check(Handshake("AI_1", token))
        self.assertNoResult(checking)
        self.hub.writer.release()
        self.assertIs(self.successResultOf(checking), Grant.OWN)
        self.hub.writer.held = True
        self.assertIs(self.check("AI_1", token), Grant.OWN)
        self.hub.writer.release()

    def test_expires(self) -> None:
        """A token counts until its time is over."""
        token = self.hub.transact(lambda transaction: tokens.issue(transaction, "AI_1", 60))
        self.assertIs(self.check("AI_1", token), Grant.OWN)
        self.hub.clock.advance(61)
        self.assertIs(self.check("AI_1", token), Grant.REFUSED)
