"""The limits themselves, with the time as an argument."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.connection.rate_limits import (
    AuthThrottle,
    ConnectionLimiter,
    ThrottleDecision,
    TokenBucket,
    addressKey,
)


class AddressTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """An IPv4 address is one address, of IPv6 a network of 64 bits is; what is neither is none."""
        for host, key in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
            (b"/run/hub", ""),
            (None, ""),
        ):
            self.assertEqual(addressKey(host), key)


class ConnectionLimiterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bounds = Bounds(connections=5, connectionsPerAddress=3, pending=4, pendingPerAddress=2)
        self.door: ConnectionLimiter[str] = ConnectionLimiter(self.bounds)

    def enter(self, connection: str, address: str, proved: bool = True) -> list[str]:
        self.assertTrue(self.door.admits(address))
        oldest = self.door.entered(connection, address)
        if proved:
            self.door.proved(connection)
        return [oldest] if oldest is not None else []

    def test_connections(self) -> None:
        """No more come in than may, of one address and in all; who leaves makes room."""
        for name in ("a1", "a2", "a3"):
            self.enter(name, "a")
        self.assertFalse(self.door.admits("a"))
        self.enter("b1", "b")
        self.enter("c1", "c")
        self.assertFalse(self.door.admits("d"))
        self.door.left("a1")
        self.door.left("a1")
        self.enter("a4", "a")
        self.assertEqual(self.door.refused, 2)

    def test_oldestOfAddressGoes(self) -> None:
        """Of one address the oldest that is not authenticated goes, one that is authenticated never."""
        self.enter("a1", "a")
        self.assertEqual(self.enter("a2", "a", False) + self.enter("b1", "b", False), [])
        self.door.left("a1")
        self.assertEqual(self.enter("a3", "a", False), [])
        self.door.left("a3")
        self.assertEqual(self.enter("a4", "a", False), [])
        self.assertEqual(self.enter("a5", "a", False), ["a2"])
        self.assertEqual((self.door.pending, self.door.displaced), (3, 1))

    def test_oldestOfAllGoes(self) -> None:
        """In all the oldest goes, whichever its address."""
        for i in range(4):
            self.assertEqual(self.enter(f"{i}", f"address {i}", False), [])
        self.assertEqual(self.enter("4", "address 4", False), ["0"])
        self.assertFalse(self.door.admits("address 5"))  # 0 is still inside, until it has left
        self.door.left("0")
        self.assertEqual(self.enter("5", "address 5", False), ["1"])

    def test_oneGoesForOne(self) -> None:
        """Where an address has too many, and with it there are too many in all, one goes: that makes room for both."""
        for name in ("b1", "b2", "a1", "a2"):
            self.enter(name, name[0], False)
        self.assertEqual(self.enter("a3", "a", False), ["a1"])
        self.assertEqual((self.door.pending, self.door.displaced), (4, 1))

    def test_noAddress(self) -> None:
        """What has no address is limited in all only."""
        for i in range(4):
            self.assertEqual(self.enter(f"{i}", "", False), [])
        self.assertEqual(self.enter("4", "", False), ["0"])
        self.assertFalse(self.door.admits(""))

    def test_leavesNothing(self) -> None:
        """When all have left nothing of them is kept."""
        for i in range(50):
            self.enter(f"{i}", f"address {i % 3}", bool(i % 2))
            self.door.left(f"{i}")
        self.assertEqual(
            [self.door._inside, self.door._byAddress, self.door._pending, self.door._pendingByAddress], [{}] * 4
        )


CHECK, WAIT, REFUSE = ThrottleDecision


class AuthThrottleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.attempts: AuthThrottle[int] = AuthThrottle(Bounds(failures=5, failureEvery=6))

    def attempt(self, key: str, now: float, fails: bool = True) -> ThrottleDecision:
        verdict = self.attempts.ask(key, 0, now)
        if verdict is CHECK:
            self.assertEqual(self.attempts.ended(key, fails, now), ([], []))
        return verdict

    def test_bucket(self) -> None:
        """Five may fail, then one in six seconds; a rest gives back no more than five."""
        self.assertEqual([self.attempt("a", 0) for _ in range(7)], [CHECK] * 5 + [REFUSE] * 2)
        self.assertEqual(self.attempts.wait("a", 0), 6)
        self.assertEqual(self.attempt("a", 5.9), REFUSE)
        self.assertEqual([self.attempt("a", 6.1) for _ in range(2)], [CHECK, REFUSE])
        self.assertEqual([self.attempt("a", 1e6) for _ in range(7)], [CHECK] * 5 + [REFUSE] * 2)
        self.assertEqual(self.attempt("b", 0), CHECK)
        self.assertEqual((self.attempts.failed, self.attempts.refused), (12, 6))

    def test_successIsFree(self) -> None:
        """AuthThrottle that succeed cost nothing."""
        self.assertEqual({self.attempt("a", 0, fails=False) for _ in range(100)}, {CHECK})

    def test_atOnce(self) -> None:
        """However many are on their way at once, no more are checked than may fail; the rest waits, then is refused."""
        verdicts = [self.attempts.ask("a", i, 0) for i in range(9)]
        self.assertEqual(verdicts, [CHECK] * 5 + [WAIT] * 4)
        self.assertEqual(self.attempts.ended("a", False, 0), ([5], []))
        for _ in range(4):
            self.assertEqual(self.attempts.ended("a", True, 0), ([], []))
        self.assertEqual(self.attempts.ended("a", True, 0), ([], [6, 7, 8]))
        self.assertEqual(self.attempts.ask("a", 9, 0), REFUSE)

    def test_familiar(self) -> None:
        """Who was let in from an address isn't locked out by guesses at others there; those at it count, too."""
        self.attempts.succeeded("a", "AI_1")
        for _ in range(6):
            self.attempt(self.attempts.key("a", "AI_2"), 0)
        self.assertEqual(self.attempt(self.attempts.key("a", "AI_2"), 0), REFUSE)
        own = self.attempts.key("a", "AI_1")
        self.assertEqual([self.attempt(own, 0) for _ in range(6)], [CHECK] * 5 + [REFUSE])

    def test_manyIds(self) -> None:
        """Who guesses under ever other ids is one address."""
        tried = [self.attempt(self.attempts.key("a", f"AI_{i}"), 0) for i in range(7)]
        self.assertEqual(tried, [CHECK] * 5 + [REFUSE] * 2)

    def test_wait(self) -> None:
        """The wait is told in whole seconds, rounded up, one at least; a clock that goes back makes it no longer."""
        for _ in range(5):
            self.attempt("a", 100)
        self.assertEqual([self.attempts.wait("a", now) for now in (100, 50, 51, 54.5, 55.9, 80)], [6, 6, 5, 2, 1, 1])

    def test_bounded(self) -> None:
        """However many addresses and ids come, what is kept is bounded; one that is being checked is never dropped."""
        self.attempts.MAX_BUCKETS = self.attempts.MAX_FAMILIAR = 10
        self.assertEqual(self.attempts.ask("busy", 0, 0), CHECK)
        for i in range(100):
            self.attempt(f"a{i}", 0)
            self.attempts.succeeded("a", f"AI_{i}")
        self.assertEqual((len(self.attempts._buckets), len(self.attempts._familiar)), (10, 10))
        self.assertEqual(self.attempts.ended("busy", True, 0), ([], []))

    def test_forgets(self) -> None:
        """Who only succeeds is not kept."""
        self.attempt("a", 0, fails=False)
        self.assertEqual(self.attempts._buckets, {})


class TokenBucketTests(SynchronousTestCase):
    def test_bucket(self) -> None:
        """The burst is free; over it the wait is what the rate needs for the debt."""
        pace = TokenBucket(2000, 10_000)
        self.assertEqual(pace.take("a", 10_000, 0), 0)
        self.assertEqual(pace.take("a", 1000, 0), 0.5)
        self.assertEqual(pace.take("a", 1000, 0.5), 0.5)
        self.assertEqual(pace.take("a", 10_000, 6), 0)
        self.assertEqual(pace.take("b", 1, 6), 0)
        self.assertEqual(pace.delays, 2)

    def test_sustained(self) -> None:
        """Who waits as told gets the rate, on the long run exactly."""
        pace, now, sent = TokenBucket(2000, 10_000), 0.0, 0
        while sent < 50_000:
            now += pace.take("a", 300, now)
            sent += 300
        self.assertAlmostEqual(now, (sent - 10_000) / 2000, delta=0.2)

    def test_forget(self) -> None:
        """Who is as good as new is not kept."""
        pace = TokenBucket(10, 10)
        pace.take("a", 5, 0)
        pace.forget(0.4)
        self.assertEqual(pace.take("a", 10, 0.4), 0.1)
        pace.forget(10)
        self.assertEqual(pace._levels, {})

    def test_backwards(self) -> None:
        """A clock that goes backwards gives nothing and takes nothing."""
        pace = TokenBucket(10, 10)
        pace.take("a", 10, 100)
        self.assertEqual(pace.take("a", 1, 50), 0.1)
