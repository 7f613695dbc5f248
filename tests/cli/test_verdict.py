"""The verdict on a training in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.hub_data import Listed
from kernelnet.cli.outcomes import HandMade, Outcome
from kernelnet.cli.verdict import verdict
from kernelnet.learning.intervals import Interval


def outcome(
    words: str,
    level: float | None,
    hand: float | None = 0.25,
    *,
    gained: Interval | None = None,
    interval: Interval | None = None,
    confirmed: int = 2,
    name: str = "sieve",
) -> Outcome:
    best = None
    if level is not None:
        verdicts = {f"AI_{number + 2}": "confirmed" for number in range(confirmed)}
        best = Listed("AI_1-0123456789", "AI_1", "ab" * 32, "confirmed", verdicts, "2026-11-22T15:00:00Z", level=level)
    made = HandMade(name, hand, "arc", 0.125, {name: hand, "arc": 0.125}) if hand is not None else None
    return Outcome(
        workbench="file_system",
        trace="t",
        settings={"capacity": 4},
        subject="page-cache eviction",
        words=words,
        reference="lru",
        optimum="belady",
        components=[best] if best is not None else [],
        best=best,
        handMade=made,
        gained=gained,
        interval=interval,
    )


class VerdictTests(SynchronousTestCase):
    def test_sentence(self) -> None:
        """How many tasks beat every hand-made policy, who says so, by how much, and when the first was confirmed."""
        gains = [
            outcome(f"t{at}", 0.25 + gain, gained=(gain - 0.02, gain + 0.02)) for at, gain in enumerate((0.1, 0.3))
        ]
        (line,) = verdict([*gains, outcome("u", 0.45, gained=(0.18, 0.22))], 12.3)
        self.assertEqual(
            line,
            "3 of 3 tasks: better than every hand-made policy, each confirmed by two others; median gain 0.20 ± 0.02 of"
            " the way to the optimum; first confirmation after 12 s.",
        )

    def test_handMade(self) -> None:
        """Where nothing is better, it is said which hand-made policy to use; a level as high is not better."""
        found = [outcome("a", 0.5), outcome("b", 0.25), outcome("d", 0.1, name="s3fifo")]
        head, use = verdict(found)
        self.assertIn("1 of 3 tasks: better", head)
        self.assertIn("median gain 0.25 of the way", head)
        words = "use sieve for page-cache eviction, b, use s3fifo for page-cache eviction, d"
        self.assertEqual(use, f"Nothing that was learned is better elsewhere: {words}.")
        self.assertIn(": use the best hand-made policy on 3 tasks.", verdict([*found, outcome("c", None)])[1])

    def test_none(self) -> None:
        """Nothing at all is said as it is."""
        self.assertEqual(verdict([]), ["Nothing was shared."])
        unknown = "1 task, and nobody tells here what hand-made policies have."
        self.assertEqual(verdict([outcome("a", 0.5, hand=None)]), [unknown])
        self.assertEqual(verdict([outcome("a", 0.1)])[0], "0 of 1 task: better than every hand-made policy.")

    def test_unsure(self) -> None:
        """A gain that is less than its interval is counted, and told as what it may be."""
        found = [outcome("a", 0.3, gained=(-0.1, 0.2)), outcome("b", 0.5, gained=(0.2, 0.3), confirmed=1)]
        (head,) = verdict(found)
        self.assertIn("2 of 2 tasks", head)
        self.assertIn("each confirmed by at least one other;", head)
        self.assertTrue(head.endswith(". 1 of these by less than the interval, which may be luck."), head)

    def test_unknown(self) -> None:
        """A task whose hand-made policies nobody measured is no success and no failure."""
        head, unknown = verdict([outcome("a", 0.5), outcome("b", 0.5, hand=None)])
        self.assertIn("1 of 1 task:", head)
        self.assertEqual(unknown, "1 task not counted: nobody tells here what hand-made policies have.")
