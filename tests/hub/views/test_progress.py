"""Progress: how many of a task's components are asked; `tests.hub.views.test_overview` has the steps."""

from __future__ import annotations

from typing import Any

from kernelnet.hub.views.progress import progress
from tests.hub.views.support import ManyTestCase, component, report


class ProgressBoundsTests(ManyTestCase):
    def test_lookedAt(self) -> None:
        """Where nobody says of the best what hand-made policies reach, the newest 20 components are asked, no more."""
        said: dict[str, Any] = {}
        for which in ("chosen_on_train", "best_in_hindsight"):
            said |= {which: "sieve", f"{which}_level": 0.3}
        for n in range(20):
            digest, level = f"d{n}", 0.1 if n != 1 else 0.2
            words = said if n == 0 else {}
            reports = [report(aiId, digest, **words) for aiId in ("AI_1", "AI_2")]
            self.store(component(f"c{n}", digest, level), *reports)
        (task,) = progress(self.hub.stored)
        self.assertEqual((task["best_in_hindsight"], task["chosen_on_train"]), ("sieve", "sieve"))
        self.store(component("c20", "d20", 0.1), report("AI_1", "d20"))
        (task,) = progress(self.hub.stored)
        self.assertEqual((task["best_in_hindsight"], task["chosen_on_train"]), (None, None))
        self.assertEqual((task["confirmed"], [step["id"] for step in task["steps"]]), (21, ["c0", "c1"]))
