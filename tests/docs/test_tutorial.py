"""
Every command of the tutorial, in its order; what the page promises must come out.

The hub is one that was used before, so that nothing there depends on what else it holds.
"""

from __future__ import annotations

import re
import shlex
import signal
import sys
import time
from pathlib import Path

from tests.docs.console import Command, File, Shell, environment, read, rows
from tests.hub.support import Hub, aPattern
from tests.hub.views.test_components import claiming
from tests.system.support import PATIENCE, Process, SystemTestCase, steadyPort

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial" / "ten-minutes.rst"

ELSEWHERE = {
    "python3 -m venv .venv": "tests/packaging/test_sdist.py",
    ".venv/bin/pip install --quiet -e '.[trainer]'": "tests/test_packaging.py",
    ". .venv/bin/activate": "tests/packaging/test_sdist.py",
}
"""What is not run here, and the tests that do the like."""

INSTEAD = {
    "--seconds 20": "--seconds 4",
    "--port 6000": "--port {port} --dashboard 0",
    "kerneltrainer": "kerneltrainer --hub localhost:{port}",
}
"""What is run in place of what the page says: cheaper, and on ports that nobody else uses."""

SOON = ("kernelnet status", "kernelnet components list")
"""What shows a promise only when the trainers' words have arrived: asked again until it does."""


def used(folder: Path) -> None:
    """Make a hub's database in which others have more, and better, than a list shows."""
    folder.mkdir(parents=True, mode=0o700)
    hub = Hub(folder / "hub_data.db")
    author, peer = hub.connect("AI_1"), hub.connect("AI_2", specialization="security")
    for number in range(60):
        hub.clock.advance(0.5)  # or an author has used up its share of a busy machine's time
        author.send("pattern_share", aPattern(f"p{number}"))
        author.send("os_component_share", claiming(f"AI_1-{number:010x}", 0.9 + number / 1000))
        digest = hub.rows("SELECT digest FROM shared_components WHERE component_id = ?", f"AI_1-{number:010x}")[0][0]
        report = {"component_id": f"AI_1-{number:010x}", "performance": {}, "digest": digest, "verdict": "confirmed"}
        peer.send("performance_report", report)
    hub.kill()


class TutorialTests(SystemTestCase):
    def test_commands(self) -> None:
        """From an empty folder to a component that another trainer has confirmed, and back to its score."""
        home = self.folder
        used(home / ".local" / "share" / "kernelnet")
        shell = Shell(home, environment(home, Path(sys.executable).parent))
        self.addCleanup(shell.close)
        self.shell, self.values = shell, {"port": str(steadyPort())}
        outputs = {}
        for block in read(PAGE):
            if isinstance(block, File):
                here, _ = shell.environment()
                (here / block.name).parent.mkdir(parents=True, exist_ok=True)
                (here / block.name).write_text(block.text)
                continue
            for command in block:
                if command.text.startswith("twistd -n "):
                    self.started(command)
                elif command.text not in ELSEWHERE:
                    outputs[command.text.split(" --capacity")[0]] = self.ran(command)
        found = rows(outputs["kernelnet bench train file_system"], "better.c")
        again = rows(outputs["kernelnet bench run file_system --component confirmed.c"], "confirmed.c")
        self.assertEqual(len(again), 2)
        # but for the time that it took
        measured, remeasured = ([[*row[:-2], row[-1]] for row in each] for each in (found[:2], again))
        self.assertEqual(measured, remeasured)

    def typed(self, command: Command) -> str:
        text = command.text
        for what, instead in INSTEAD.items():
            text = text.replace(what, instead.format(**self.values))
        if "id" in self.values:
            text = re.sub(r"AI_me-[0-9a-f]{10}", self.values["id"], text)
        return text

    def ran(self, command: Command) -> str:
        """Run it in the shell, and hold its output against the page."""
        deadline = time.monotonic() + PATIENCE
        while True:
            code, output = self.shell.run(self.typed(command), 4 * PATIENCE)
            self.assertEqual(code, 0, f"$ {command.text}\n{output}")
            seen = re.fullmatch(command.pattern, output)
            if seen is not None:
                self.values.update(seen.groupdict())
                return output
            if not command.text.startswith(SOON) or time.monotonic() > deadline:
                self.fail(f"$ {command.text}\nprinted\n{output}\nand not\n{chr(10).join(command.promise)}")

    def started(self, command: Command) -> None:
        """Start it in a terminal of its own, and wait until it says what the page promises."""
        here, variables = self.shell.environment()
        process = Process(shlex.split(self.typed(command)), here, variables)
        self.addCleanup(process.close)
        self.addCleanup(self.stopped, process)
        for line in command.lines:
            process.waitFor(line, patience=4 * PATIENCE)

    def stopped(self, process: Process) -> None:
        """A signal ends it, and is what it ends by."""
        self.assertEqual(process.stop(), -signal.SIGTERM, "\n".join(process.lines))
