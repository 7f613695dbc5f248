"""Words of the demo on fields in which nothing is confirmed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.demo import withoutAny
from kernelnet.cli.hub_data import Listed
from kernelnet.cli.outcomes import Outcome


def outcome(subject: str, *components: Listed, best: Listed | None = None) -> Outcome:
    return Outcome(subject, "t", {}, subject, "t", components=[*components], best=best)


class WithoutAnyTests(SynchronousTestCase):
    def test_fields(self) -> None:
        """Each field in which nothing is confirmed, and whether anything was shared; of one that has some nothing."""
        one = Listed("AI_1-a", "AI_1", "ab" * 32, "shared", {}, "2026-11-22T15:00:00Z")
        lines = withoutAny(
            [
                outcome("paging", one, best=one),
                outcome("paging"),
                outcome("playout", one),
                outcome("playout"),
                outcome("detection"),
            ]
        )
        self.assertEqual(len(lines), 2)
        self.assertIn("playout: nothing is confirmed on 2 tasks: 1 shared, which no peer has confirmed yet", lines[0])
        self.assertIn("detection: nothing is confirmed on 1 task: nothing passed the guard", lines[1])
