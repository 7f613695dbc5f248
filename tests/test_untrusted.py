"""What a stranger's text, numbers and sizes may do: `kernelnet.untrusted`."""

from __future__ import annotations

import gc
import sys
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.untrusted import LINES_AT_ONCE, MAX_REQUIREMENTS, LinePace, finite, isSmall, plain, weight

SHAPES: dict[str, Any] = {
    "lists": [[] for _ in range(500)],
    "objects": [{} for _ in range(500)],
    "objects of one": [{"a": {}} for _ in range(500)],
    "deep": None,
    "numbers": [0.5] * 500,
    "large numbers": list(range(2**60, 2**60 + 500)),
    "one key each": {f"k{i}": i + 1000 for i in range(500)},
    "text": "x" * 5000,
    "text of one astral character": "x" * 5000 + "\U0001f40c",
    "short texts": [f"ab{i}" for i in range(500)],
    "a dot each": [{"a": [{"b": [0.5]}]} for _ in range(300)],
}


def taken(value: object, seen: set[int]) -> int:
    """Bytes that a tree takes, with its places in the garbage collector's lists."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    size = sys.getsizeof(value) + (16 if gc.is_tracked(value) else 0)
    if isinstance(value, dict):
        return size + sum(taken(k, seen) + taken(v, seen) for k, v in value.items())
    return size + (sum(taken(item, seen) for item in value) if isinstance(value, list) else 0)


class WeightTests(SynchronousTestCase):
    def test_never_less(self) -> None:
        """No shape takes more memory than its text is said to weigh."""
        deep: Any = {}
        for _ in range(30):
            deep = {"a": deep}
        for name, shape in {**SHAPES, "deep": [deep] * 20}.items():
            body = msgspec.json.encode(shape)
            self.assertLessEqual(taken(msgspec.json.decode(body), set()), weight(body), name)

    def test_honest(self) -> None:
        """What our benches learn weighs some ten times its text, not hundreds."""
        body = msgspec.json.encode({"length": 300, "share": 0.5, "trace_digest": "ab" * 32, "capacity": 1024})
        self.assertLess(weight(body), 12 * len(body))

    def test_requirements(self) -> None:
        """Requirements are bounded by their text and by what they take."""
        overhead = len('{"a":""}')
        self.assertTrue(isSmall({"a": "x" * (MAX_REQUIREMENTS - overhead)}))
        self.assertFalse(isSmall({"a": "x" * (MAX_REQUIREMENTS - overhead + 1)}))
        self.assertTrue(isSmall({"a": [{}] * 300}))
        self.assertFalse(isSmall({"a": [{}] * 3000}))


class TextTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """Nothing that moves a cursor, breaks a line or turns text around is left, nor more than the limit."""
        self.assertEqual(plain("a\x1b[2Jb\n\u202ec\x9b"), "a?[2Jb??c?")
        self.assertEqual(plain("x" * 81), "x" * 80)
        self.assertEqual(plain("grün"), "grün")

    def test_finite(self) -> None:
        """A number that can be reckoned with, or none."""
        self.assertEqual([finite(v) for v in (1, -0.5, 9e299)], [1.0, -0.5, 9e299])
        self.assertEqual([finite(v) for v in (1e300, -1e300, float("nan"), float("inf"), "1", None)], [None] * 6)


class PaceTests(SynchronousTestCase):
    def test_hundredThenOneASecond(self) -> None:
        """Of each kind a hundred lines come at once, then one a second; who was quiet has his hundred again."""
        pace = LinePace()
        self.assertEqual(sum(pace.admits("a", 5.0) for _ in range(1000)), LINES_AT_ONCE)
        self.assertTrue(pace.admits("b", 5.0))
        self.assertEqual(
            [sum(pace.admits("a", 5.0 + t) for _ in range(10)) for t in (0.5, 1.0, 2.0, 2.5)], [0, 1, 1, 0]
        )
        self.assertEqual(sum(pace.admits("a", 500.0) for _ in range(1000)), LINES_AT_ONCE)
