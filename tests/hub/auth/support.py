"""What tests of tokens have in common: clients that come with one, and what becomes of them."""

from __future__ import annotations

from tests.hub.support import Client, HubTestCase, captureLog


class CredentialTestCase(HubTestCase):
    """@ivar seen: all that is logged."""

    def setUp(self) -> None:
        super().setUp()
        self.seen = captureLog(self)

    def enter(self, token: str, aiId: str = "AI_1", version: int = 2) -> Client:
        """A client that came with C{token}, and said hello unless it was refused."""
        client = Client(self.hub, aiId)
        client.authenticate(token)
        if not client.closing:
            client.hello(version)
        return client

    def credential(self, client: Client) -> str | None:
        """The token of its own that the hub's answer gave it."""
        (sync,) = client.payloads("training_sync")
        return sync.get("credential")

    def given(self, client: Client) -> str:
        """The credential that the hub sent, which must be one."""
        found = self.credential(client)
        assert found is not None
        return found

    def refused(self, client: Client) -> bool:
        return client.errors() == ["bad_credentials"] and client.closing

    def works(self, token: str, aiId: str = "AI_1") -> bool:
        """Whether C{token} gets C{aiId} in; who is refused is so at the handshake, before it could take over."""
        client = Client(self.hub, aiId)
        client.authenticate(token)
        if client.closing:
            self.assertEqual(client.errors(), ["bad_credentials"])
        else:
            client.hello()
            self.assertEqual(client.errors(), [])
        client.leave()
        return client.protocol.greeted

    def isNowhere(self, *secrets: str) -> None:
        """None of these is in the database or in the log."""
        for word in secrets:
            self.assertNotIn(word, "\n".join(self.seen))
            for file in self.path.iterdir():
                self.assertNotIn(word.encode(), file.read_bytes())
