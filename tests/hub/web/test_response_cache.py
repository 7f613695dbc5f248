"""Answers that viewers share: how many are kept, how large, and for how long."""

from __future__ import annotations

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.web.response_cache import ResponseCache, maxAge


class ResponseCacheTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.cache = ResponseCache(lambda: self.now)

    def ask(self, key: int, answer: str = "") -> None:
        self.successResultOf(self.cache.ask(b"%d" % key, 5.0, lambda: succeed(answer)))

    def kept(self) -> list[int]:
        return [int(key) for key in self.cache._entries]

    def test_maxAge(self) -> None:
        """An answer is five seconds old at most, whatever a request would take."""
        self.assertEqual([maxAge(b"max-age=%d" % seconds) for seconds in (2, 5, 6, 999_999)], [2, 5, 5, 5])
        self.assertEqual([maxAge(header) for header in (None, b"no-cache", b"max-age=-1", b"max-age=9999999")], [0] * 4)

    def test_entries(self) -> None:
        """64 answers are kept: the oldest make room."""
        for key in range(100):
            self.ask(key)
        self.assertEqual(self.kept(), list(range(36, 100)))

    def test_bytes(self) -> None:
        """8 MiB of them are: the oldest make room, and one that is larger is not kept."""
        for key in range(9):
            self.ask(key, "x" * (1 << 20))
        self.assertEqual(self.kept(), list(range(2, 9)))
        self.ask(9, "x" * (8 << 20))
        self.assertEqual(self.kept(), [])

    def test_old(self) -> None:
        """What nobody may be given any more goes with the next answer."""
        self.ask(1)
        self.now = 5.0
        self.ask(2)
        self.assertEqual(self.kept(), [1, 2])
        self.now = 5.1
        self.ask(3)
        self.assertEqual(self.kept(), [2, 3])
