"""What those who confirmed a component say of it, and how much of that is believed."""

from __future__ import annotations

import itertools
from typing import Any

from kernelnet.hub.views.components import describe, entryOf
from kernelnet.hub.views.confirmations import Confirmation, HandMade, confirmation
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase
from tests.hub.views.support import ManyTestCase, component, report
from tests.hub.views.test_components import claiming

_numbers = itertools.count()


@onEveryEngine
class ConfirmationTests(HubTestCase):
    def said(self, *told: dict[str, Any], verdict: str = "confirmed", by: str = "AI") -> Confirmation:
        """@param told: what each of so many peers says of the same new component."""
        name = f"c{next(_numbers)}"
        self.hub.connect("AUTHOR").send("os_component_share", claiming(name, 0.5))
        found = entryOf(self.hub.stored, name)
        assert found is not None
        for number, performance in enumerate(told):
            report = {"component_id": name, "performance": performance, "digest": found.digest, "verdict": verdict}
            self.hub.connect(f"{by}_{number}" if by else "AUTHOR").send("performance_report", report)
        return confirmation(self.hub.stored, found.digest, "AUTHOR")

    def test_levels(self) -> None:
        """A level and its interval are the medians of those who confirmed; what can't be is nobody's word."""
        told: list[dict[str, Any]] = [
            {"development_level": n / 10, "level_low": n / 20, "level_high": n / 5} for n in (5, 4, 1)
        ]
        found = self.said(*told)
        self.assertEqual((found.level, found.low, found.high), (0.4, 0.2, 0.8))
        wrongs: list[Any] = [1e9, -1e9, True, "0.5", None, [], {}, 1 << 70]
        for wrong in wrongs:
            told = [{"development_level": wrong, "level_low": wrong, "level_high": 0.1}]
            self.assertEqual(self.said(*told), Confirmation())
        self.assertEqual(self.said({"level_low": 0.5, "level_high": 0.4}), Confirmation())
        self.assertEqual(self.said({"level_low": 0.5}), Confirmation())

    def test_interval(self) -> None:
        """An interval may reach from -1000 to 2, which is over the optimum, and no further."""
        found = self.said({"level_low": -1000, "level_high": 2})
        self.assertEqual((found.low, found.high), (-1000, 2))
        for low, high in ((-1000.1, 2), (-1000, 2.1)):
            self.assertEqual(self.said({"level_low": low, "level_high": high}), Confirmation())

    def test_onlyOfThoseWhoConfirmed(self) -> None:
        """Neither the author, nor who refuted it or could not measure it, has a voice; each AI has one."""
        told = {"development_level": 0.5, "best_in_hindsight": "sieve", "best_in_hindsight_level": 0.3}
        for verdict in ("refuted", "unmeasurable"):
            self.assertEqual(self.said(told, told, verdict=verdict), Confirmation())
        self.assertEqual(self.said(told, told, by=""), Confirmation())
        self.assertIsNone(self.said(told).bestInHindsight)

    def test_floodedByOne(self) -> None:
        """Who reports a hundred times on the same bytes, under as many ids, has one voice, and hides nobody's."""
        told = {"development_level": 0.5, "best_in_hindsight": "sieve", "best_in_hindsight_level": 0.3}
        honest = self.said(told, told, told)
        self.assertEqual(honest.bestInHindsight, HandMade("sieve", 0.3))
        (found,) = [entryOf(self.hub.stored, f"c{next(_numbers) - 1}")]
        assert found is not None
        liar = self.hub.connect("LIAR")
        for verdict in (None, "confirmed"):
            for number in range(50):
                lie = {"component_id": f"{verdict}{number}", "performance": {"development_level": 0.9}}
                liar.send("performance_report", {**lie, "digest": found.digest, "verdict": verdict})
        self.assertEqual(confirmation(self.hub.stored, found.digest, "AUTHOR"), honest)

    def hand(self, *said: tuple[object, object] | None, which: str = "best_in_hindsight") -> HandMade | None:
        found = self.said(*({} if w is None else {which: w[0], f"{which}_level": w[1]} for w in said))
        return found.bestInHindsight if which == "best_in_hindsight" else found.chosenOnTrain

    def test_handMade(self) -> None:
        """What a hand-made policy reaches is nobody's to say alone, and nothing that can't be is believed."""
        sieve = HandMade("sieve", 0.3)
        for which in ("best_in_hindsight", "chosen_on_train", "best_by_hand"):
            self.assertIsNone(self.hand(("sieve", 0.3), which=which))
            self.assertEqual(self.hand(("sieve", 0.3), ("sieve", 0.3), which=which), sieve)
            self.assertEqual(self.hand(("x", 0.9), ("sieve", 0.3), ("sieve", 0.3), which=which), sieve)
            self.assertIsNone(self.hand(("x", 0.9), ("x", 0.9), ("sieve", 0.3), ("sieve", 0.3), which=which))
        for words in (
            ("sieve", 1e9),
            ("sieve", -2),
            ("sieve", True),
            ("sieve", "1"),
            ("", 0.3),
            ("x" * 65, 0.3),
            (1, 0.3),
        ):
            self.assertIsNone(self.hand(words, words), words)
        self.assertIsNone(self.hand(None, None))

    def test_formerName(self) -> None:
        """What an older trainer calls best by hand is what a newer one calls chosen on train."""
        old = {"best_by_hand": "arc", "best_by_hand_level": 0.2, "best_by_hand_validation": 60}
        found = self.said(old, {"chosen_on_train": "arc", "chosen_on_train_level": 0.2})
        self.assertEqual((found.chosenOnTrain, found.bestInHindsight), (HandMade("arc", 0.2), None))

    def test_described(self) -> None:
        """A component's level is that of who confirmed it; until then it is marked as claimed."""
        self.hub.connect("AUTHOR").send("os_component_share", claiming("c", 0.5))

        def described() -> dict[str, Any]:
            found = entryOf(self.hub.stored, "c")
            assert found is not None
            return describe(found)

        before = described()
        self.assertEqual((before["level"], before["claimed"], before["level_low"]), (0.5, True, None))
        told: dict[str, Any] = {"development_level": 0.4999999, "level_low": 0.4, "level_high": 0.6}
        for number in (1, 2):
            told |= {"best_in_hindsight": "sieve", "best_in_hindsight_level": 0.25}
            report = {"component_id": "c", "performance": told, "digest": before["digest"], "verdict": "confirmed"}
            self.hub.connect(f"AI_{number}").send("performance_report", report)
        after = described()
        self.assertEqual((after["level"], after["claimed"]), (0.4999999, False))
        self.assertEqual((after["level_low"], after["level_high"]), (0.4, 0.6))
        self.assertEqual((after["best_in_hindsight"], after["best_in_hindsight_level"]), ("sieve", 0.25))
        self.assertEqual((after["chosen_on_train"], after["chosen_on_train_level"]), (None, None))


class VoicesTests(ManyTestCase):
    def test_last(self) -> None:
        """The 16 who confirmed it last have a voice, however many there are."""
        self.store(component("c"), *(report(f"AI_{n}", development_level=n / 100) for n in range(17)))
        self.assertEqual(confirmation(self.hub.stored, "d", "author").level, (0.08 + 0.09) / 2)
