"""How many links and sessions of browsers a hub keeps."""

from __future__ import annotations

from twisted.internet.address import IPv4Address

from kernelnet.hub.web.signin import NotAllowed
from tests.hub.web.support import WebTestCase

HOST = IPv4Address("TCP", "192.0.2.1", 4000)


class BoundTests(WebTestCase):
    def test_links(self) -> None:
        """A hundred links are kept: one more, and the first doesn't work any more."""
        signIn = self.dashboard.signIn
        links = [signIn.link() for _ in range(101)]
        with self.assertRaises(NotAllowed):
            signIn.enter(HOST, links[0])
        self.assertTrue(signIn.isSignedIn(signIn.enter(HOST, links[1])))

    def test_sessions(self) -> None:
        """A thousand browsers are signed in: one more, and the first has to sign in again."""
        signIn = self.dashboard.signIn
        sessions = [signIn.enter(HOST, signIn.link()) for _ in range(1001)]
        self.assertEqual([signIn.isSignedIn(sessions[i]) for i in (0, 1, 1000)], [False, True, True])
