"""Fields of the demo: which come first, when something is confirmed in all, and what is said of them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.demo import Demo
from kernelnet.cli.demo_fields import Fields, acrossLine, fieldsInOrder, withoutAny
from kernelnet.cli.hub_data import Listed, Whole
from kernelnet.cli.outcomes import Outcome


def outcome(subject: str, *components: Listed, best: Listed | None = None) -> Outcome:
    return Outcome(subject, "t", {}, subject, "t", components=[*components], best=best)


class OrderTests(SynchronousTestCase):
    def test_order(self) -> None:
        """Each workbench has its specialization; the first few complement each other, and who does all comes last."""
        expected = ["file_system", "process_manager", "networking", "security", "audio", "graphics", "window_manager"]
        self.assertEqual(fieldsInOrder(), [*expected, "performance", "general"])

    def test_minutes(self) -> None:
        """Minutes that the user gives are kept; else it goes on for the fields' sake, if there is a peer to confirm."""
        for minutes, trainers, expected in ((None, 3, (2, 5)), (None, 1, (2, 2)), (3.0, 8, (3, 3))):
            demo = Demo(minutes, [], trainers, None)
            self.addCleanup(demo.state.path.rmdir)
            self.assertEqual((demo.minutes, demo.most), expected)


class Data:
    """Components of a hub."""

    name = "test"

    def __init__(self) -> None:
        self.listed: list[Listed] = []

    def components(self) -> list[Listed]:
        return self.listed

    def whole(self, digest: str) -> Whole | None:
        raise NotImplementedError

    def completed(self) -> list[dict[str, Any]]:
        raise NotImplementedError


class FieldsTests(SynchronousTestCase):
    def test_all(self) -> None:
        """All fields have something when each of a specialist's has, and every specialist has told of its own."""
        data, fields = Data(), Fields({})

        def progress(*tasks: str) -> list[dict[str, Any]]:
            each = [{"ai_id": f"AI_{at}", "tasks": [{"workbench": name}]} for at, name in enumerate(tasks)]
            return [
                *each,
                {"ai_id": "AI_9", "tasks": [{"workbench": "paging"}, {"workbench": "never"}]},
                {"ai_id": "X"},
            ]

        def share(workbench: str, state: str) -> None:
            data.listed.append(Listed("id", "AI_1", "ab" * 32, state, {}, "2026-11-22T15:00:00Z", workbench))

        self.assertFalse(fields.areAll(2))
        self.assertEqual(fields.line(), "")
        share("paging", "confirmed")
        share("playout", "unmeasured")
        fields.update(progress("paging"), data, 10.0)
        self.assertFalse(fields.areAll(2))
        fields.update(progress("paging", "playout"), data, 20.0)
        self.assertFalse(fields.areAll(2))
        share("playout", "confirmed")
        fields.update(progress("paging", "playout"), data, 30.0)
        self.assertTrue(fields.areAll(2))
        self.assertFalse(fields.areAll(3))
        self.assertTrue(fields.line().endswith(": paging 10 s, playout 30 s"), fields.line())

    def test_across(self) -> None:
        """Completed collaborations are counted, and those across specializations named."""
        of = {"AI_1": "audio", "AI_2": "graphics", "AI_3": "audio"}
        self.assertEqual(acrossLine([], of), "")
        one, other = {"initiator": "AI_1", "partner": "AI_2"}, {"initiator": "AI_1", "partner": "AI_3"}
        self.assertEqual(acrossLine([other], of), "1 collaborations completed, none across specializations")
        line = "3 collaborations completed, 2 of them across specializations: audio with graphics 2"
        self.assertEqual(acrossLine([one, other, one], of), line)


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
