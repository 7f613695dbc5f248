"""What all commands have in common: JSON, exit codes, and what the shell completes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest, mock

import click
from click.shell_completion import ShellComplete

from kernelnet.cli import bench, doctor, main, status
from kernelnet.cli.arguments import Mistake
from kernelnet.cli.sessions import sessions
from kernelnet.workbench.file_system import workbench
from tests.cli.support import CliTestCase
from tests.hub.support import HubTestCase
from tests.hub.views.test_components import claiming

MODULE: Any = sys.modules["kernelnet.cli.main"]
EXIT_CODES = Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.rst"

NO_DATA = {
    "demo": "it plays, for people",
    "record": "standard output is the recorded command's",
    "bench plot": "its result is a picture",
    "deploy trace": "standard output is the command's",
    "deploy unload": "it says what it did",
    "mcp": "standard output is the protocol's",
    "cluster drain": "it says what it did",
    "components export": "its result is a C file; components show --json has the source",
}


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


class CommandTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        self.path.chmod(0o700)

    def test_json(self) -> None:
        """Every command that prints data can print it as JSON."""
        lacking = {
            name for name, command in commands() if not any("--json" in parameter.opts for parameter in command.params)
        }
        self.assertEqual(lacking, set(NO_DATA))

    def test_jsonOfTokens(self) -> None:
        """What a program needs of a token, a certificate and the list of generators is in the JSON."""
        self.hub.stop()
        where = ("--state", self.path)
        issued = json.loads(self.succeed("tokens", "issue", "AI_5", "--token", "--json", *where))
        self.assertEqual(issued["ai_id"], "AI_5")
        self.assertTrue(issued["token"])
        rotated = json.loads(self.succeed("tokens", "rotate", "AI_5", "--token", "--json", *where))
        self.assertNotEqual(rotated["token"], issued["token"])
        self.assertEqual(json.loads(self.succeed("tokens", "revoke", "AI_5", "--json", *where))["ai_id"], "AI_5")
        found = json.loads(self.succeed("generators", "--json"))
        self.assertIn("search", [generator["name"] for generator in found["generators"]])

    def test_owners(self) -> None:
        """An owner is named with a token or later, is listed, and is taken away; what makes no sense is refused."""
        self.hub.stop()
        where = ("--state", self.path)
        self.succeed("tokens", "issue", "AI_5", "--token", "--owner", "alice", *where)
        self.succeed("tokens", "issue", "AI_6", "--token", *where)

        def owners() -> dict[str, str | None]:
            found = json.loads(self.succeed("tokens", "list", "--json", *where))
            return {token["ai_id"]: token["owner"] for token in found if token["ai_id"] in ("AI_5", "AI_6")}

        self.assertEqual(owners(), {"AI_5": "alice", "AI_6": None})
        doctor = json.loads(self.call("doctor", "--json", *where).stdout)["checks"]
        (found,) = [check for check in doctor if check["check"] == "owners"]
        self.assertEqual((found["state"], "AI_6" in found["text"], "AI_5" in found["text"]), ("note", True, False))
        self.assertIn("AI_6 belongs to bob", self.succeed("tokens", "owner", "AI_6", "bob", *where))
        self.assertIn("counts alone", self.succeed("tokens", "owner", "AI_5", "--none", *where))
        self.assertEqual(owners(), {"AI_5": None, "AI_6": "bob"})
        self.refused(2, "bad owner 'a b'", "tokens", "owner", "AI_5", "a b", *where)
        self.refused(2, "either the owner's NAME or --none", "tokens", "owner", "AI_5", *where)
        self.refused(2, "a viewer has no vote", "tokens", "issue", "x", "--role", "viewer", "--owner", "bob", *where)
        self.refused(1, "tokens issue AI_7 --owner bob", "tokens", "owner", "AI_7", "bob", *where)

    # -- exit codes

    def test_documented(self) -> None:
        """The codes that the program has are those of the table for people."""
        table = EXIT_CODES.read_text().partition("twistd")[0]
        documented = {int(code) for code in re.findall(r"^(\d+) ", table, re.MULTILINE)}
        codes = {0, click.ClickException.exit_code, click.UsageError.exit_code, Mistake.exit_code}
        self.assertEqual(codes | {bench.REFUSED, MODULE.INTERRUPTED}, documented)

    def test_mistakes(self) -> None:
        """Whatever is wrong with the command line itself is exit code 2."""
        where = ("--state", self.path)
        mistakes: list[tuple[str | Path, ...]] = [
            ("No such command", "nonsense"),
            ("No such option", "ais", "--nonsense"),
            ("bad ai_id '../x'", "tokens", "issue", "../x", *where),
            ("bad duration 'soon'", "tokens", "issue", "AI_1", "--expires", "soon", *where),
            ("is not one of", "components", "list", "--sort", "nonsense", *where),
            ("unknown workbench", "bench", "run", "nonsense"),
            ("--watch needs a terminal", "status", "--watch", *where),
            ("no program called", "record", "--", "no-such-program"),
        ]
        for words, *arguments in mistakes:
            with mock.patch.object(status, "ask", return_value={}):
                self.refused(2, str(words), *arguments)

    def test_failures(self) -> None:
        """Whatever is right and can't be done is exit code 1."""
        self.hub.stop()
        where, nowhere = ("--state", self.path), ("--state", self.folder / "nowhere")
        failures: list[tuple[str | Path, ...]] = [
            ("no hub is running", "status", *where),
            ("no hub is running", "dashboard", *where),
            ("no hub has ever run", "tokens", "list", *nowhere),
            ("no component 'x'", "components", "show", "x", *where),
            ("no file", "restore", self.folder / "nothing.db", *where),
            ("there already", "backup", self.trace, *where),
            ("is no backup", "restore", self.trace, *where),
        ]
        for words, *arguments in failures:
            self.refused(1, str(words), *arguments)

    def test_interrupted(self) -> None:
        """Ctrl-C is 130 and one word, whatever is being done."""

        def interrupted(state: object, tell: object) -> None:
            raise KeyboardInterrupt

        self.patch(doctor, "CHECKS", (interrupted,))
        result = self.call("doctor", "--state", self.path)
        self.assertEqual((result.exit_code, result.stdout, result.stderr), (130, "", "stopped\n"))

    def test_fullDisk(self) -> None:
        """Where standard output can't be written there is one line, whatever prints it: help, plain lines, tables."""
        full = Path("/dev/full")
        if not full.exists():
            raise SkipTest("this machine has no /dev/full")
        for arguments in (["--help"], ["workbenches"], ["components", "list", "--state", str(self.path)]):
            with full.open("wb") as stream:
                program = [sys.executable, "-c", "from kernelnet.cli import main; main()", *arguments]
                done = subprocess.run(program, stdout=stream, stderr=subprocess.PIPE, text=True, check=False)
            said = "Error: can't write to standard output: No space left on device\n"
            self.assertEqual((done.returncode, done.stderr), (1, said), arguments)

    def test_help(self) -> None:
        """No help has the markup of docstrings."""
        for name, command in [*commands(), ("sessions", sessions)]:
            context = click.Context(command, info_name=name)
            self.assertNotRegex(command.get_help(context), r"[CLIB]\{|@\w+:?", name)

    def test_revoked(self) -> None:
        """Nothing is revoked twice; whose name is a viewer's is told how that one's token is."""
        where = ("--state", self.path)
        self.hub.stop()
        self.succeed("tokens", "issue", "grafana", "--role", "viewer", *where)
        self.refused(1, "a viewer's: --role viewer", "tokens", "revoke", "grafana", *where)
        self.succeed("tokens", "revoke", "grafana", "--role", "viewer", *where)
        self.refused(1, "no token that could be revoked", "tokens", "revoke", "grafana", "--role", "viewer", *where)

    def test_restoreOfNothing(self) -> None:
        """A mistyped name leaves no beginnings of a hub behind."""
        nowhere = self.folder / "new"
        self.refused(1, "no file", "restore", self.folder / "nothing.db", "--state", nowhere)
        self.assertFalse(nowhere.exists())

    # -- completion

    def completed(self, *arguments: str | Path) -> list[str]:
        """What the shell offers for the last of these."""
        *before, incomplete = map(str, arguments)
        found = ShellComplete(main, {}, "kernelnet", "_KERNELNET_COMPLETE").get_completions(before, incomplete)
        return [item.value for item in found]

    def test_completed(self) -> None:
        """Workbenches, generators, and the ids that the hub's database has; what is no plain word is not offered."""
        author = self.hub.connect("AI_1")
        for name in ("lru-1", "lru-2", "$(reboot)", "a\nb", "*"):
            author.send("os_component_share", claiming(name, 0.5))
        where = ("--state", self.path)
        self.assertEqual(self.completed("bench", "run", "file"), ["file_system"])
        self.assertIn("network_stack", self.completed("components", "list", "--workbench", ""))
        self.assertIn("search", self.completed("bench", "train", workbench.name, "--generator", "se"))
        self.assertEqual(self.completed("components", "show", *where, "lru"), ["lru-2", "lru-1"])
        self.assertEqual(self.completed("components", "diff", *where, "lru-1", ""), ["lru-2", "lru-1"])
        self.assertEqual(self.completed("tokens", "revoke", *where, "AI"), ["AI_1"])

    def test_completesNothing(self) -> None:
        """Where no hub ever was, or its database is damaged, nothing is offered and nothing is said."""
        self.assertEqual(self.completed("components", "show", "--state", self.folder / "nowhere", ""), [])
        bad = self.folder / "bad"
        bad.mkdir()
        (bad / "hub_data.db").write_bytes(b"x" * 5000)
        self.assertEqual(self.completed("components", "show", "--state", bad, ""), [])
        self.assertEqual(sorted(os.listdir(bad)), ["hub_data.db"])
