"""Every command of README.rst, by hand and of its table, in an empty home; and its lines of Python."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.docs.console import Shell, environment, read
from tests.system.support import PATIENCE, Process, SystemTestCase, steadyPort

README = Path(__file__).resolve().parents[2] / "README.rst"

ELSEWHERE = {
    "make demo": "tests/test_makefile.py, tests/system/test_demo.py",
    "make test": "tests/test_makefile.py",
}
"""What is not run here, and the tests that run it."""

ROWS: dict[str, list[str]] = {
    "kernelnet demo": [],  # tests/system/test_demo.py
    "kernelnet status [--json|--watch]": ["kernelnet status --json"],  # --watch wants a terminal
    "kernelnet dashboard": ["kernelnet dashboard"],
    "kernelnet components list|show|export": [
        "kernelnet components list",
        "kernelnet components show {id}",
        "kernelnet components export {id}",
    ],
    "kernelnet report": ["kernelnet report"],
    "kernelnet recommend --trace FILE": ["kernelnet recommend security --alone"],
    "kernelnet traces share FILE --id ID": [],  # tests/cli/test_traces.py
    "kernelnet leaderboard": ["kernelnet leaderboard", "kernelnet ais", "kernelnet patterns", "kernelnet sessions"],
    "kernelnet exporters": ["kernelnet exporters"],
    "kernelnet deploy measure DIR": [],  # tests/deploy/sqlite/test_measurement.py
    "kernelnet deploy trace DIR -- COMMAND": [],  # tests/cli/test_deploy.py
    "kernelnet generators": ["kernelnet generators"],
    "kernelnet workbenches": ["kernelnet workbenches"],
    "kernelnet bench inspect FILE…": ["seq 200 >few.txt; kernelnet bench inspect few.txt"],
    "kernelnet bench run NAME": [],  # tests/docs/test_tutorial.py
    "kernelnet bench train NAME --out F.c": ["kernelnet bench train security --seconds 1 --out F.c --keep-refused"],
    "kernelnet bench plot NAME --out F.png": ["kernelnet bench plot security --out F.png"],
    "kernelnet record -- COMMAND": [],  # tests/cli/test_record.py
    "kernelnet mcp [--local]": ["kernelnet mcp --local </dev/null"],
    "kernelnet tokens issue ID": ["kernelnet tokens issue AI_8", "kernelnet tokens issue AI_9 --token"],
    "kernelnet tokens list|rotate|revoke": [
        "kernelnet tokens list",
        "kernelnet tokens rotate AI_9",
        "kernelnet tokens revoke AI_9",
    ],
    "kernelnet tokens owner ID NAME": ["kernelnet tokens owner AI_8 alice"],
    "kernelnet certs show|renew": ["kernelnet certs show", "kernelnet certs renew"],
    "kernelnet verify FILE --ca ca.pem": [],  # tests/cli/test_attestations.py
    "kernelnet backup|restore FILE": ["kernelnet backup copy.db", "kernelnet restore copy.db", "kernelnet doctor"],
    "kernelnet migrate --from A --to B": ["kernelnet migrate --from copy.db --to moved.db"],
    "twistd kernelhub --help": ["twistd kernelhub --help"],
    "twistd kerneltrainer --help": ["twistd kerneltrainer --help"],
}
"""The commands of the table, and what is run for each."""

REFUSED = {"kernelnet bench train": 3, "kernelnet doctor": 1}
"""Codes by which a command may end besides 0: a second of search may find nothing, a machine may have little room."""


class ReadmeTests(SystemTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.shell = Shell(self.folder, environment(self.folder, Path(sys.executable).parent))
        self.addCleanup(self.shell.close)
        self.port = steadyPort()

    def typed(self, text: str) -> str:
        """On a port that nobody else uses."""
        text = text.replace("--port 6000", f"--port {self.port} --dashboard 0")
        return re.sub(r"kerneltrainer (?=--id)", f"kerneltrainer --hub localhost:{self.port} ", text)

    def start(self, command: str) -> Process:
        here, variables = self.shell.environment()
        process = Process(shlex.split(self.typed(command)), here, variables)
        self.addCleanup(process.close)
        return process

    def test_commands(self) -> None:
        """By hand: a hub, trainers, and what asks them; then each row of the table."""
        commands = [command.text for block in read(README) if isinstance(block, list) for command in block]
        self.assertEqual([command for command in commands if command.startswith("make ")], list(ELSEWHERE))
        hub = self.start(commands[2])
        hub.waitFor("Listening on")
        trainers = [self.start(command) for command in commands[3:] if command.startswith("twistd ")]
        for command in commands[3:]:
            if not command.startswith("twistd "):
                self.ran(command)
        # All that is left needs the hub, and what one trainer has shared.
        for trainer in trainers[:-1]:
            trainer.stop()
        built = trainers[-1].waitFor(r"Built AI_\d-", patience=4 * PATIENCE)
        trainers[-1].stop()
        found = re.search(r"AI_\d-[0-9a-f]{10}", built)
        assert found is not None
        self.assertEqual(re.findall(r"^``((?:kernelnet|twistd) .+?)`` ", README.read_text(), re.MULTILINE), list(ROWS))
        for row in ROWS.values():
            for command in row:
                self.ran(command.format(id=found.group()))
        self.python()

    def ran(self, command: str) -> None:
        code, output = self.shell.run(command, 2 * PATIENCE)
        fine = {0, *(allowed for name, allowed in REFUSED.items() if command.startswith(name))}
        self.assertIn(code, fine, f"$ {command}\n{output}")
        self.assertNotIn("Traceback", output)

    def python(self) -> None:
        """The lines of Python, with the hub that runs, and shorter."""
        [code] = re.findall(
            r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", README.read_text("utf-8"), re.MULTILINE
        )
        text = re.sub(r"^   ", "", code, flags=re.MULTILINE)
        self.assertIn("duration_minutes=1)", text)
        text = text.replace("duration_minutes=1)", "duration_minutes=0.05)").replace("6000", str(self.port))
        text = "import kernelnet.learning.demo\nkernelnet.learning.demo.DEMO_SECONDS = 1.0\n" + text
        here, variables = self.shell.environment()
        ran = subprocess.run(
            [sys.executable, "-c", text],
            cwd=here,
            env=variables,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(len(ran.stdout.splitlines()), 2, ran.stdout)
