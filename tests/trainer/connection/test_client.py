"""The connection to the hub as a whole: credentials that go, and hubs in trouble."""

from typing import Any

from twisted.internet.defer import inlineCallbacks

from kernelnet.message import MessageType
from kernelnet.trainer.service import TrainerFailed
from tests.trainer.support import TrainerTestCase

T = MessageType


class ClientTests(TrainerTestCase):
    @inlineCallbacks
    def test_tokenIsGone(self) -> Any:
        """A token that can't be read any more when the trainer reconnects ends it, with the reason."""
        self.state.joinToken.unlink()
        ended = self.trainer.ended
        self.connect()
        self.assertEqual(self.lines(), [])
        failure = yield self.assertFailure(ended, TrainerFailed)
        self.assertIn("join.token", str(failure))

    @inlineCallbacks
    def test_fullHubIsLeftAlone(self) -> Any:
        """After a retry error the next attempt waits as long as after many failures, though the hub had greeted us."""
        self.connect()
        yield self.hear(self.sync())
        error = {"code": "storage_full", "message": "full", "class": "retry"}
        yield self.hear(self.message(T.ERROR, error, sender="hub", logged=False))
        self.assertEqual(self.trainer.client.factory.delay, self.trainer.client.factory.maxDelay)
