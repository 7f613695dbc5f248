"""Each check finds what it is there for in a small made-up tree that breaks its rule, and nothing elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from tests.architecture import checks
from tests.architecture.__main__ import counts, readMoves
from tests.architecture.imports import Tree, readTree
from tests.architecture.rules import FACADES, MAX_LINES, NEVER, ROOMS, allowed, roomOf

GOOD: Mapping[str, str] = {
    "kernelnet/__init__.py": '"""The package."""\n',
    "kernelnet/artifacts.py": '"""Things made."""\n',
    "kernelnet/message.py": "from kernelnet.artifacts import Component\n",
    "kernelnet/wire.py": "from kernelnet import message\n",
    "kernelnet/workbench/__init__.py": '"""Measuring."""\n',
    "kernelnet/workbench/_jail.py": "",
    "kernelnet/workbench/compiler.py": "from kernelnet.workbench import _jail\n",
    "kernelnet/workbench/security/__init__.py": "from kernelnet.workbench import compiler\n",
    "kernelnet/hub/__init__.py": "",
    "kernelnet/hub/storage/__init__.py": "",
    "kernelnet/hub/storage/sqlite/__init__.py": "import sqlite3\nfrom kernelnet.wire import encode\n",
    "kernelnet/hub/storage/sqlite/connection.py": "",
    "kernelnet/hub/storage/engine.py": "",
    "kernelnet/hub/routing/__init__.py": "",
    "kernelnet/hub/routing/router.py": "from kernelnet.hub.storage.engine import Engine\n",
}
"""A tree that keeps all rules."""


def made(files: Mapping[str, str] = {}) -> Tree:
    """The good tree with other files instead or besides: C{"hub/tap"} is C{kernelnet/hub/tap.py}."""
    root = Path(mkdtemp())
    for name, text in {**GOOD, **{f"kernelnet/{name}.py": text for name, text in files.items()}}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return readTree(root)


class ReaderTests(SynchronousTestCase):
    def targets(self, text: str) -> set[str]:
        tree = made({"hub/routing/directory": text})
        return {each.target for each in tree.imports if each.source == "kernelnet.hub.routing.directory"}

    def test_everyForm(self) -> None:
        """C{import} and C{from}; of a module its name counts, of a name in a module the module's."""
        self.assertEqual(self.targets("import kernelnet.wire as w, json\n"), {"kernelnet.wire", "json"})
        self.assertEqual(self.targets("from kernelnet.wire import encode\n"), {"kernelnet.wire"})
        self.assertEqual(self.targets("from kernelnet import wire, Missing\n"), {"kernelnet.wire", "kernelnet"})
        self.assertEqual(self.targets("from kernelnet.wire import *\n"), {"kernelnet.wire"})

    def test_everywhere(self) -> None:
        """In functions and methods, in C{try}, under C{TYPE_CHECKING}."""
        for where in ("def f():\n", "class A:\n  def f(self):\n  ", "try:\n", "if TYPE_CHECKING:\n"):
            text = f"{where}    import kernelnet.wire\n" + ("except ImportError: ...\n" if where == "try:\n" else "")
            self.assertEqual(self.targets(text), {"kernelnet.wire"}, where)

    def test_relative(self) -> None:
        """From a module and from a package's C{__init__}, one and more levels up."""
        self.assertEqual(self.targets("from . import router\n"), {"kernelnet.hub.routing.router"})
        self.assertEqual(self.targets("from .router import Router\n"), {"kernelnet.hub.routing.router"})
        self.assertEqual(self.targets("from ..storage import sqlite\n"), {"kernelnet.hub.storage.sqlite"})
        self.assertEqual(self.targets("from ... import wire\n"), {"kernelnet.wire"})
        tree = made({"hub/routing/__init__": "from .router import Router\nfrom ..storage.sqlite import prepare\n"})
        found = {each.target for each in tree.imports if each.source == "kernelnet.hub.routing"}
        self.assertEqual(found, {"kernelnet.hub.routing.router", "kernelnet.hub.storage.sqlite"})

    def test_strings(self) -> None:
        """A module's name in a string, as lazy plugins have it, is no import."""
        self.assertEqual(
            self.targets('PLUGIN = ServiceMaker("hub", "kernelnet.hub.tap")\n"import kernelnet.wire"\n'), set()
        )

    def test_lines(self) -> None:
        """The first of several imports of the same module."""
        tree = made({"wire": "\nfrom kernelnet import message\ndef f():\n    import kernelnet.message\n"})
        self.assertEqual([each.line for each in tree.imports if each.source == "kernelnet.wire"], [2])

    def test_renamed(self) -> None:
        """A tree from before a move is read by the names from after it."""
        moves = readMoves("  kernelnet/wire.py moves to kernelnet/hub/storage/wire.py\nfrom a to b: c\n")
        self.assertEqual(moves, {"kernelnet.wire": "kernelnet.hub.storage.wire"})
        tree = made().renamed(moves)
        self.assertNotIn("kernelnet.wire", tree.modules)
        found = [each.source for each in tree.imports if each.target == "kernelnet.hub.storage.wire"]
        self.assertEqual(found, ["kernelnet.hub.storage.sqlite"])


class CheckTests(SynchronousTestCase):
    def assertFound(self, lines: list[str], *parts: str) -> None:
        """One line, in which all C{parts} occur."""
        self.assertEqual(len(lines), 1, lines)
        for part in parts:
            self.assertIn(part, lines[0])

    def test_good(self) -> None:
        """A tree that keeps the rules: nothing."""
        for what, check in checks.CHECKS.items():
            # a reason is for a module that there is
            found = checks.longModules(made(), {}) if check is checks.longModules else check(made())
            self.assertEqual(found, [], what)

    def test_circle(self) -> None:
        """Of two, of three, of a module with itself; a way around is shown."""
        lines = checks.circles(made({"artifacts": "from kernelnet import message\n"}))
        self.assertFound(lines, "2 modules", "kernelnet.artifacts -> kernelnet.message -> kernelnet.artifacts")
        lines = checks.circles(made({"artifacts": "def f():\n    from kernelnet.wire import encode\n"}))
        self.assertFound(lines, "3 modules", "kernelnet.wire -> kernelnet.message -> kernelnet.artifacts")
        self.assertFound(
            checks.circles(made({"duration": "import kernelnet.duration\n"})), "1 modules", "kernelnet.duration"
        )

    def test_circleOfTypes(self) -> None:
        """An import for types alone closes a circle as well."""
        text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kernelnet.message import Hint\n"
        self.assertFound(checks.circles(made({"artifacts": text})), "2 modules")

    def test_severalCircles(self) -> None:
        """Each counts once, however many ways around it has."""
        tree = made(
            {
                "artifacts": "from kernelnet import message, wire\n",
                "hub/routing/a": "from . import b\n",
                "hub/routing/b": "from . import a\n",
            }
        )
        self.assertEqual([line.partition(":")[0] for line in checks.circles(tree)], ["3 modules", "2 modules"])

    def test_arrow(self) -> None:
        """Up instead of down, in the hub and below it; across where neither stands on the other."""
        lines = checks.againstRules(made({"hub/storage/log": "from kernelnet.hub.routing.router import Router\n"}))
        self.assertFound(lines, "hub/storage/log.py:1", "kernelnet.hub.storage may not import kernelnet.hub.routing")
        self.assertFound(lines, "it stands on kernelnet.line_protocol, ", "tests/architecture/rules.py")
        for source, target in (
            ("message", "kernelnet.wire"),
            ("workbench/suite", "kernelnet.learning.acceptance"),
            ("generators/search", "kernelnet.learning.problem"),
            ("learning/search_run", "kernelnet.generators.search"),
            ("generators/search", "kernelnet.generators.llm.writer"),
            ("workbench/security/machine", "kernelnet.workbench.file_system.machine"),
            ("learning/tasks", "kernelnet.trainer.service"),
            ("trainer/service", "kernelnet.mcp.server"),
            ("trainer/work/worker", "kernelnet.trainer.service"),
            ("exporters/sqlite", "kernelnet.deploy.sqlite"),
            ("hub/auth/tokens", "kernelnet.hub.views.components"),
            ("hub/web/api", "kernelnet.cli.main"),
            ("trainer/tap", "kernelnet.testing"),
        ):
            lines = checks.againstRules(made({source: f"import {target}\n"}))
            self.assertFound(lines, "may not import", target)

    def test_noRule(self) -> None:
        """A module that no rule speaks of, and one of what isn't installed."""
        self.assertFound(
            checks.againstRules(made({"new_thing": ""})),
            "kernelnet.new_thing: no rule",
            "tests/architecture/rules.py",
        )
        self.assertFound(checks.againstRules(made({"hub/new": ""})), "kernelnet.hub.new: no rule")
        self.assertFound(
            checks.againstRules(made({"wire": "from tests.pki import CA\n"})), "tests.pki", "not installed"
        )

    def test_neverMeet(self) -> None:
        """Hub and trainer, generators and learning: neither imports the other, from wherever."""
        lines = checks.meetings(made({"hub/web/api": "def f():\n    from kernelnet.trainer.api import say\n"}))
        self.assertFound(lines, "hub/web/api.py:2", "kernelnet.trainer.api")
        lines = checks.meetings(made({"trainer/connection/client": "from ...hub.storage import sqlite\n"}))
        self.assertFound(lines, "trainer/connection/client.py:1", "kernelnet.hub.storage.sqlite")
        for source, target in (("generators/search", "learning.goal"), ("learning/demo", "generators.search")):
            self.assertFound(checks.meetings(made({source: f"import kernelnet.{target}\n"})), f"kernelnet.{target}")

    def test_private(self) -> None:
        """A private module is for its own package and those in it."""
        for text in ("from kernelnet.workbench import _jail\n", "import kernelnet.workbench._jail\n"):
            self.assertFound(checks.privateImports(made({"learning/tasks": text})), "learning/tasks.py:1", "_jail")
        self.assertEqual(checks.privateImports(made({"workbench/security/machine": "from .. import _jail\n"})), [])
        tree = made({"workbench/_child/main": "", "learning/tasks": "import kernelnet.workbench._child.main\n"})
        self.assertFound(checks.privateImports(tree), "_child.main")

    def test_sqlite(self) -> None:
        """Behind the seam, and in programs that record traces, not elsewhere."""
        for text in ("import sqlite3\n", "def f():\n    from sqlite3 import connect\n"):
            self.assertFound(checks.sqliteImports(made({"hub/views/ais": text})), "hub/views/ais.py", "sqlite3")
            for fine in ("hub/storage/sqlite/log", "trainer/storage/database", "workbench/security/traces/shop"):
                self.assertEqual(checks.sqliteImports(made({fine: text})), [])
        # What all engines have in common is on this side of the seam.
        found = checks.sqliteImports(made({"hub/storage/event_log": "import sqlite3\n"}))
        self.assertFound(found, "hub/storage/event_log.py:1", "named statement")

    def test_engines(self) -> None:
        """A hub's parts don't know by which engine it stores, nor does what engines have in common."""
        for source in ("hub/web/api", "hub/views/ais", "hub/storage/event_log", "hub/storage/memory/engine"):
            for text in (
                "from kernelnet.hub.storage.sqlite.connection import connect\n",
                "def f():\n    from kernelnet.hub.storage import sqlite\n",
            ):
                self.assertFound(
                    checks.engineImports(made({source: text})), f"{source}.py:", "only kernelnet.hub.service"
                )
        for fine in ("hub/service", "hub/storage/offline", "hub/storage/sqlite/engine", "cli/doctor"):
            text = "from kernelnet.hub.storage.sqlite import connection\n"
            self.assertEqual(checks.engineImports(made({fine: text})), [], fine)

    def test_long(self) -> None:
        """A line too many, unless there is a reason; a reason without need is found too."""
        self.assertEqual(checks.longModules(made({"wire": "#\n" * MAX_LINES}), {}), [])
        tree = made({"wire": "#\n" * (MAX_LINES + 1)})
        self.assertFound(checks.longModules(tree, {}), f"kernelnet/wire.py: {MAX_LINES + 1} lines")
        self.assertEqual(checks.longModules(tree, {"kernelnet/wire.py": "a table"}), [])
        self.assertFound(checks.longModules(made(), {"kernelnet/wire.py": "a table"}), "needs no reason")

    def test_any(self) -> None:
        """In whichever form, of functions, methods and dataclasses; of containers only what they are is asked."""
        for text in (
            "def f(scenario: Any) -> None: ...\n",
            "def f(*, bench: Any | None = None) -> None: ...\n",
            "async def f(problem: 'None | Any') -> None: ...\n",
            "class A:\n    def f(self, problem: typing.Any, /) -> None: ...\n",
            "def f(bench: Optional[Any]) -> None: ...\n",
            "@dataclass(frozen=True)\nclass A:\n    bench: Any\n",
        ):
            self.assertFound(checks.untypedParameters(made({"wire": text})), "kernelnet/wire.py:")
        for text in (
            "def f(scenario: IScenario, benches: list[Any], bench) -> Any: ...\n",
            "def f(bench: int | None) -> None:\n    problem: Any = 1\n",
            "class A:\n    bench: Any\n",
        ):
            self.assertEqual(checks.untypedParameters(made({"wire": text})), [])
        tree = made({"wire": "def f(value: Any, **options: Any) -> None: ...\n"})
        self.assertEqual({each.name for each in checks.anyParameters(tree)}, {"value", "options"})
        self.assertEqual(checks.untypedParameters(tree), [])

    def test_questions(self) -> None:
        """Of a module, a function, a constant; a word inside one is nothing."""
        for text in (
            '"""\nWhat is read.\n"""\n',
            'def f():\n    """How many."""\n',
            'LIMIT = 1\n"""So many, at most."""\n',
        ):
            self.assertFound(checks.questions(made({"wire": text})), "kernelnet/wire.py:")
        self.assertEqual(checks.questions(made({"wire": '"""Number of what is read."""\nx = "What"\n'})), [])


class RuleTests(SynchronousTestCase):
    def test_rooms(self) -> None:
        """What a room stands on is a room, and no room stands on itself by a detour."""
        self.assertEqual({below for room in ROOMS for below in ROOMS[room]} - set(ROOMS), set())
        self.assertEqual([group for group in checks.components(ROOMS) if len(group) > 1], [])

    def test_roomOf(self) -> None:
        """The longest name counts; a facade is but itself."""
        self.assertEqual(roomOf("kernelnet.generators.llm.writer"), "kernelnet.generators.llm")
        self.assertEqual(roomOf("kernelnet.generators.evolution.portfolio"), "kernelnet.generators")
        self.assertEqual([roomOf(facade) for facade in sorted(FACADES)], sorted(FACADES))
        self.assertEqual([roomOf(f"{facade}.new") for facade in sorted(FACADES)], [None] * len(FACADES))

    def test_apart(self) -> None:
        """No rule lets through what is never to be; generators and learning don't meet, and nothing imports cli."""
        for room in ROOMS:
            # A goal is a value that interfaces name; that generators don't import it is another check's matter.
            below = allowed(room) - {"kernelnet.learning.goal"}
            for source, target, _ in NEVER:
                if f"{room}.".startswith(f"{source}."):
                    self.assertEqual([each for each in below if f"{each}.".startswith(f"{target}.")], [], room)
        above = {room for room in ROOMS if "kernelnet.cli" in allowed(room)}
        self.assertEqual(above, {"kernelnet.cli", "kernelnet.__main__"})  # the latter is its process
        self.assertEqual([room for room in ROOMS if "kernelnet.testing" in allowed(room)], ["kernelnet.testing"])
        self.assertNotIn("kernelnet.mcp", allowed("kernelnet.trainer.tap"))


class CountTests(SynchronousTestCase):
    def test_counts(self) -> None:
        """A number for each check, and lines."""
        root = Path(mkdtemp())
        for name, text in (
            ("kernelnet/__init__.py", "#\n"),
            ("kernelnet/wire.py", "import sqlite3\n"),
            ("tests/a.py", "#\n#\n"),
        ):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        found = counts(root, readTree(root))
        self.assertEqual(found["imports of sqlite3 outside the storages"], 1)
        self.assertEqual(found["circles of modules"], 0)
        self.assertEqual(
            [found[f"lines in {where}"] for where in ("kernelnet", "tests", "benchmarks", "all")], [2, 2, 0, 4]
        )
