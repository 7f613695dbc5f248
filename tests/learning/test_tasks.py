"""Which workbenches a specialization trains on, and in what order the tasks come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning import tasks
from kernelnet.learning.tasks import FALLBACK, Task, benchesFor, taskList
from kernelnet.plugins import available


class Bench:
    """As many tasks on a trace as its file has bytes."""

    name = "made"

    def tasks(self, path: Path) -> list[dict[str, int]]:
        return [{"size": size} for size in range(path.stat().st_size)]

    def scenario(self, path: Path, settings: dict[str, int]) -> Any:
        return (path.name, settings)


class TaskTests(SynchronousTestCase):
    def test_order(self) -> None:
        """First come the first tasks of all traces and a generalist of them; one trace alone has no generalist."""
        folder = Path(self.mktemp())
        folder.mkdir()
        a, b = folder / "a", folder / "b"
        a.write_bytes(b"xx")
        b.write_bytes(b"x")
        bench: Any = Bench()
        first, second = {"size": 0}, {"size": 1}
        self.assertEqual(
            taskList(bench, [a, b]),
            [
                Task(bench, ((a, first),)),
                Task(bench, ((b, first),)),
                Task(bench, ((a, first), (b, first))),
                Task(bench, ((a, second),)),
            ],
        )
        self.assertEqual(taskList(bench, [a])[1].open(), ("a", second))


class BenchTests(SynchronousTestCase):
    def names(self, *arguments: Any, **options: Any) -> list[str]:
        return [bench.name for bench in benchesFor(*arguments, **options)]

    def test_own(self) -> None:
        """A specialization trains on its own workbench, or where it has none on the page cache's."""
        for own in ("audio", "file_system", "graphics", "window_manager"):
            self.assertEqual(self.names(own), [own])
        self.patch(tasks, "available", lambda interface: [b for b in available(interface) if b.name != "graphics"])
        self.assertEqual(self.names("graphics"), [FALLBACK])

    def test_everywhere(self) -> None:
        """General and performance trainers go everywhere, unless they were given traces, which are for one bench."""
        self.assertEqual(self.names("general")[0], FALLBACK)
        self.assertEqual(self.names("general"), self.names("performance"))
        self.assertEqual(self.names("general", True), [FALLBACK])

    def test_chosen(self) -> None:
        """What the user names counts; what isn't there is an error."""
        self.assertEqual(self.names("graphics", chosen=["file_system"]), ["file_system"])
        self.assertRaises(KeyError, benchesFor, "general", chosen=["no such"])
