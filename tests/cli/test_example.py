"""The example of a third party's workbench: installed by pip, listed, searched on, and its own tests run."""

from __future__ import annotations

import json

from kernelnet.cli.bench import REFUSED
from tests.examples import EXAMPLES, ExampleTestCase

EXAMPLE = "kernelnet-readahead-workbench"


class ExampleTests(ExampleTestCase):
    def test_installed(self) -> None:
        """In a fresh venv it is listed with its package, a search on it finds something, and its own tests pass."""
        python = self.install(EXAMPLE)
        found = {w["name"]: w for w in json.loads(self.kernelnet(python, "workbenches", "--json"))}
        self.assertEqual(found["readahead"]["package"], "kernelnet-readahead-workbench 0.1.0")
        self.assertEqual(found["readahead"]["traces"], ["archives.reads.xz"])
        self.assertIn("file_system", found)
        self.assertIn("omniscient", self.kernelnet(python, "bench", "run", "readahead"))
        # On a busy machine five seconds may be too few to pass the guard.
        train = ("bench", "train", "readahead", "--seconds", "5", "--seed", "3", "--out", "found.c", "--keep-refused")
        [trained] = json.loads(self.kernelnet(python, *train, "--json", codes=(0, REFUSED)))
        [ran] = json.loads(self.kernelnet(python, "bench", "run", "readahead", "--component", "found.c", "--json"))
        [mine, again] = (
            {policy["name"]: policy["splits"] for policy in task["policies"]}["found.c"] for task in (trained, ran)
        )
        self.assertEqual(mine, again)
        self.assertEqual(set(mine["held_out"]["metrics"]), {"requests", "wasted"})
        [baseline] = [p["splits"] for p in ran["policies"] if p["name"] == ran["chosen_on_train"]]
        self.assertLessEqual(mine["train"]["score"], baseline["train"]["score"])
        self.run_(python, "-m", "unittest", "discover", "example/tests")

    def test_noInit(self) -> None:
        """It has no __init__.py that would take the place of Twisted's own."""
        self.assertEqual(list((EXAMPLES / EXAMPLE / "twisted").rglob("__init__.py")), [])
