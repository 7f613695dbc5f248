"""C{kernelnet recommend}: what to use on a trace."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import click
import msgspec
from click.testing import CliRunner, Result
from msgspec.structs import replace
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kernelnet.artifacts import Candidate, Component
from kernelnet.cli import main, shared_components, training
from kernelnet.cli.arguments import findWorkbench
from kernelnet.cli.shared_components import sharedFrom
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.hub.auth import tokens
from kernelnet.hub.storage.offline import remember
from kernelnet.interfaces import ISiteTrainer
from kernelnet.learning import known_settings
from kernelnet.learning.goal import Goal
from kernelnet.learning.known_settings import MAX_SHARED
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.observations import OwnTrace, Trial
from kernelnet.trainer.storage.database import JOBS, SCHEMA, SCHEMA_VERSION, SITES
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench
from tests.cli.support import CliTestCase
from tests.hub.support import Client, HubTestCase
from tests.learning.test_known_settings import sqlite as beginning
from tests.trainer.support import ScriptedLocalTrainer, TrainerTestCase

LIE = """#include "kn_file_system.h"
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    return age;
}
"""
"""Drops what was asked for last."""


class RecommendTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.trace = str(beginning(self.folder))

    def run_(self, *arguments: str) -> Result:
        environment = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "data")}
        return CliRunner().invoke(main, ["recommend", "--seconds", "600", *arguments], env=environment)

    def test_verdict(self) -> None:
        """Without a hub, and without the workbench's name: the last line says what to use, by how much, how sure."""
        out = self.folder / "found.c"
        result = self.run_("--trace", self.trace, "--capacity", "30", "--alone", "--out", str(out))
        self.assertEqual(result.exit_code, 0, result.output)
        verdict = result.stdout.splitlines()[-1]
        self.assertRegex(verdict, r"^use found\.c \(a setting that ships\): 0\.\d+ .* of the way from lru to belady")
        self.assertRegex(verdict, r"more than \w+, the best hand-made policy in hindsight")
        self.assertIn("kn_file_system.h", out.read_text())
        self.assertIn("tried", result.stdout)
        refused = self.run_("--trace", self.trace, "--alone", "--out", str(out))
        self.assertNotEqual(refused.exit_code, 0)
        self.assertIn("--force", refused.stderr)

    def test_shared(self) -> None:
        """C files of others are tried beside what ships; as JSON all that the verdict says."""
        for template in (REUSE_INTERVAL, TWO_QUEUES):
            (self.folder / f"{template.name}.c").write_text(template.bake(template.known[1]))
        result = self.run_(
            "file_system", "--trace", self.trace, "--capacity", "30", "--from", str(self.folder), "--json"
        )
        self.assertEqual(result.exit_code, 0, result.output)
        (told,) = json.loads(result.stdout)
        self.assertEqual((told["shared"], told["failed"]), (2, 0))
        self.assertEqual(told["settings"], {"capacity": 30})
        self.assertEqual(told["gain"] > 0, told["kind"] != "hand-made")

    def test_mistakes(self) -> None:
        """One line for each."""
        (self.folder / "odd.txt").write_text("hello\n")
        (self.folder / "trainer.db").write_text("no database at all, whatever it is called")
        for arguments, words in (
            ([], "give --trace FILE, or a WORKBENCH"),
            (["--trace", str(self.folder / "odd.txt")], "no workbench reads"),
            (["--trace", self.trace, "--alone", "--from", "x"], "either --from or --alone"),
            (["file_system", "--trace", self.trace, "--from", "nowhere"], "--from nowhere: no such file"),
            (["file_system", "--trace", self.trace, "--from", str(self.folder)], "can't read"),
            (["nothing", "--trace", self.trace], "nothing"),
            (
                ["file_system", "--trace", self.trace, "--trace", self.trace, "--out", str(self.folder / "x.c")],
                "--out takes one",
            ),
        ):
            result = self.run_(*arguments)
            self.assertNotEqual(result.exit_code, 0, arguments)
            self.assertIn(words, result.stderr)
            self.assertNotIn("Traceback", result.output)


class SharedTests(CliTestCase, HubTestCase):
    """Components of a hub, and of a trainer's database."""

    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        self.trace = beginning(self.folder / "traces")
        self.elsewhere = workbench.scenario(self.trace, {"capacity": 40})
        self.bench = findWorkbench("file_system")
        self.there: dict[str, Client] = {}

    def made(self, number: int) -> Component:
        source = TWO_QUEUES.bake((0.1 + number / 100, *TWO_QUEUES.known[0][1:]))
        return makeComponent(self.elsewhere, Candidate(source), submit(self.elsewhere, source, trusted=True))

    def share(self, author: str, component: Component, *confirmers: str) -> None:
        for name in (author, *confirmers):
            if name not in self.there:
                self.there[name] = self.hub.connect(name)
        self.there[author].send("os_component_share", {"component": msgspec.to_builtins(component)})
        report = {"component_id": component.id, "performance": {}, "digest": component.digest, "verdict": "confirmed"}
        for name in confirmers:
            self.there[name].send("performance_report", report)

    def found(self, source: str | Path, digest: str = "") -> list[tuple[str, str]]:
        return [(one.component.id, one.owner) for one in sharedFrom((str(source),), self.bench, {digest})]

    def test_server(self) -> None:
        """A state directory whose hub's database is a server's is one of a hub."""
        folder = self.folder / "postgres"
        folder.mkdir()
        remember(folder, "postgresql://localhost/kernelnet")
        with mock.patch.object(shared_components, "hubData") as read:
            read.return_value.__enter__.return_value.components.return_value = []
            self.assertEqual(self.found(folder), [])
        read.assert_called_once_with(str(folder), "", None)

    def test_hub(self) -> None:
        """
        Of a hub: what others than its author's owner confirmed, on these traces first; fifty ids of an owner are one.
        """
        evil = [f"EVIL_{number}" for number in range(50)]
        for name in evil:
            self.there[name] = self.hub.connect(name)
            self.assertTrue(self.hub.transact(partial(tokens.own, aiId=name, owner="mallory")))
        made = [self.made(number) for number in range(4)]
        self.share("AI_1", made[0], "AI_2")
        self.share("AI_1", made[1])
        self.share(evil[0], made[2], *evil[1:3])
        self.share(evil[1], made[3], evil[2], "AI_2", "AI_3")
        found = self.found(self.path)
        self.assertEqual(found, [(made[3].id, "owner mallory"), (made[0].id, "AI_1")])
        claim = made[0].claim
        assert claim is not None
        self.assertEqual(len(self.found(self.path, claim.trace_digest)), 2)

    def test_liar(self) -> None:
        """What a liar shares, whoever confirms it, changes no recommendation, nor do fifty ids of an owner."""
        arguments = ("recommend", "file_system", "--trace", self.trace, "--capacity", "30", "--seconds", "600")
        alone = self.call(*arguments, "--alone").stdout.splitlines()[-1]
        honest = self.made(0)
        lie = replace(honest, id="lie", development_level=0.99, wasm=submit(self.elsewhere, LIE, trusted=True).wasm)
        self.share("EVIL_1", lie, "EVIL_2", "EVIL_3")
        result = self.call(*arguments, "--from", self.path)
        self.assertIn("1 of them shared", result.stdout)
        self.assertEqual(result.stdout.splitlines()[-1], alone)
        for number in range(50):
            name, source = f"OWNED_{number}", LIE.replace("age;", f"age + {number % 6}.0;")
            self.there[name] = self.hub.connect(name)
            self.assertTrue(self.hub.transact(partial(tokens.own, aiId=name, owner="mallory")))
            module = compileC(source, workbench.headerPath, trusted=True)
            self.share(name, replace(lie, id=f"lie {number}", implementation=source, wasm=module), "EVIL_2", "EVIL_3")
        result = self.call(*arguments, "--from", self.path)
        self.assertIn(f"{MAX_SHARED} of them shared", result.stdout)
        self.assertEqual(result.stdout.splitlines()[-1], alone)

    def test_breaksLater(self) -> None:
        """One that is good until held-out, and fails there, is left out: the rest is recommended as without it."""
        self.patch(training, "chooseGenerator", lambda *arguments: None)  # nothing that ships is better
        self.patch(known_settings, "MARGIN", -1.0)  # and it is chosen, whatever it is worth
        arguments = ("recommend", "file_system", "--trace", self.trace, "--capacity", "30", "--seconds", "600")
        alone = self.call(*arguments, "--alone").stdout.splitlines()[-1]
        honest = self.made(0)
        events = workbench.scenario(self.trace, {"capacity": 30}).events
        most = events["train"] + events["validation"]
        head = honest.implementation.index("\n", honest.implementation.index("#include")) + 1
        counter = f"static u32 seen, most = {most};\n"
        source = honest.implementation[:head] + counter + honest.implementation[head:]
        for name in ("kn_hit", "kn_victim"):
            begin = source.index("{", source.index(f"{name}(")) + 1
            source = f"{source[:begin]} if (++seen > most) __builtin_trap(); {source[begin:]}"
        module = compileC(source, workbench.headerPath)
        self.share("EVIL_1", replace(honest, id="evil", implementation=source, wasm=module), "EVIL_2")
        result = self.call(*arguments, "--from", self.path)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("failed", result.stdout)
        self.assertEqual(result.stdout.splitlines()[-1], alone)

    def test_trainer(self) -> None:
        """Of a trainer's state: what it made or confirmed itself, best first."""
        folder = self.folder / "trainer"
        folder.mkdir()
        with closing(sqlite3.connect(folder / "trainer.db")) as database:
            database.executescript(f"{SCHEMA}{JOBS}{SITES} PRAGMA user_version={SCHEMA_VERSION};")
            made = [self.made(number) for number in range(4)]
            for one, verdict, level in zip(
                made, ("confirmed", "refuted", "confirmed", None), (0.1, 0.9, 0.5, None), strict=True
            ):
                body = msgspec.json.encode(one).decode()
                row = (one.digest, "AI_2", body, verdict, level)
                database.execute("INSERT INTO components VALUES (?, ?, ?, ?, ?)", row)
            database.commit()
        expected = [(made[2].id, "AI_2"), (made[0].id, "AI_2")]
        self.assertEqual(self.found(folder), expected)
        self.assertEqual(self.found(folder / "trainer.db"), expected)
        with closing(sqlite3.connect(folder / "trainer.db")) as database:
            database.execute("PRAGMA user_version=99")
        with self.assertRaises(click.ClickException) as caught:
            self.found(folder)
        self.assertIn("schema version 99", caught.exception.message)


@implementer(ISiteTrainer)
class FindingTrainer(ScriptedLocalTrainer):
    """Finds C{component} on a private trace."""

    hasPrivate = True

    def __init__(self, component: Component) -> None:
        super().__init__()
        self.component = component

    def ownTraces(self) -> list[OwnTrace]:
        return []

    def tryOn(self, own: OwnTrace, component: Component) -> Deferred[Trial | None]:
        return succeed(None)

    def buildPrivately(self, goal: Goal) -> Deferred[Component | None]:
        return succeed(self.component)


class PrivateTests(TrainerTestCase):
    """A find on a private trace, from the trainer's round to the verdict of the command."""

    def begin(self) -> Any:
        self.trace = beginning(Path(self.mktemp()))
        scenario = workbench.scenario(self.trace, {"capacity": 30})
        # Of what is known here the best over train and validation.
        source = TWO_QUEUES.bake(TWO_QUEUES.known[0])
        self.found = makeComponent(scenario, Candidate(source), submit(scenario, source, trusted=True))
        self.found.id = "AI_1-found"
        self.local: Any = FindingTrainer(self.found)
        return super().begin()

    @inlineCallbacks
    def test_recommended(self) -> Any:
        """It is recommended to its owner, by name, from the folder of the trainer, which runs; and told to nobody."""
        yield Deferred.fromCoroutine(self.trainer.privateRounds.run())
        out = self.state.path / "use.c"
        # What ships would be found better, or the same: it is not what this is about.
        with mock.patch.object(training, "chooseGenerator", return_value=None):
            result = CliRunner().invoke(
                main,
                [
                    *("recommend", "file_system", "--trace", str(self.trace), "--capacity", "30", "--seconds", "600"),
                    *("--from", str(self.trainer.folder), "--out", str(out), "--json"),
                ],
            )
        self.assertEqual(result.exit_code, 0, result.output)
        (told,) = json.loads(result.stdout)
        self.assertEqual((told["shared"], told["failed"], told["kind"]), (1, 0, "shared by private"))
        self.assertEqual(told["level"], self.found.development_level)
        self.assertRegex(told["verdict"], r"^use use\.c \(shared by private\): 0\.\d+ ")
        self.assertEqual(out.read_text(), self.found.implementation)
        self.assertEqual((yield self.storedOutbox()), [])
