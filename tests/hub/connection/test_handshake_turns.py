"""Turns of handshakes: so many at once, the others in the order in which they came."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.connection.handshake_turns import AT_ONCE, PATIENCE, HandshakeTurns


class Peer:
    """A connection that leaves when it is told to go, as a transport does."""

    def __init__(self, turns: HandshakeTurns) -> None:
        self.turns = turns
        self.begun = self.aborted = False
        turns.enter(self)

    def beginTLS(self) -> None:
        self.begun = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.turns.leave(self)


class HandshakeTurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = HandshakeTurns(self.clock)

    def peers(self, count: int) -> list[Peer]:
        return [Peer(self.turns) for _ in range(count)]

    def test_atOnce(self) -> None:
        """So many begin at once; each that ends makes room for the first that waits."""
        peers = self.peers(AT_ONCE + 2)
        self.assertEqual([peer.begun for peer in peers], [True] * AT_ONCE + [False] * 2)
        self.assertLessEqual(AT_ONCE, 1000)
        self.turns.leave(peers[7])
        self.assertEqual([peer.begun for peer in peers[-2:]], [True, False])

    def test_gone(self) -> None:
        """Who is gone while it waits has no turn."""
        peers = self.peers(AT_ONCE + 2)
        self.turns.leave(peers[-2])
        self.turns.leave(peers[0])
        self.assertEqual([peer.begun for peer in peers[-2:]], [False, True])

    def test_tooLong(self) -> None:
        """While others wait the oldest have to go after a second, as many as wait; whoever ended by then stays."""
        peers = self.peers(AT_ONCE + 2)
        self.clock.advance(PATIENCE - 0.1)
        self.assertEqual(self.turns.displaced, 0)
        self.clock.callLater(0.1, self.turns.leave, peers[0])  # read when the second is over, before anybody goes
        self.clock.advance(0.1)
        self.assertEqual([peer.aborted for peer in peers], [False, True, *[False] * AT_ONCE])
        self.assertTrue(peers[-1].begun)
        self.assertEqual(self.turns.displaced, 1)

    def test_nobodyWaits(self) -> None:
        """While nobody waits a handshake takes as long as it may take to authenticate."""
        peers = self.peers(AT_ONCE)
        self.clock.advance(100 * PATIENCE)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(any(peer.aborted for peer in peers))
        self.peers(1)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), self.clock.seconds())  # a reactor takes nothing that is past
        self.clock.advance(0)
        self.assertEqual(self.turns.displaced, 1)
