"""
Pictures of the dashboard for the documentation, from a real run: a hub and three trainers on the traces that ship.

C{make screenshots} writes C{docs/pictures/dashboard-<view>-<light or dark>.png}.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from tests.system.browser import startBrowser

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
TRAINERS = {"AI_1": "file_system", "AI_2": "performance", "AI_3": "process_manager"}
CONFIRMED, COMPLETED = 6, 2
"""So many components and sessions are waited for."""
TALLEST = 1200
"""Pixels of a picture."""


@contextmanager
def run(folder: Path, minutes: float) -> Iterator[StateDirectory]:
    """A hub and its trainers."""
    state = StateDirectory(folder / "state")
    twistd = str(Path(sys.executable).with_name("twistd"))
    with ExitStack() as stack:

        def start(*arguments: str) -> None:
            with (folder / "log").open("ab") as log:
                process = subprocess.Popen(
                    [twistd, "-n", *arguments, "--state", str(state.path)], cwd=folder, stdout=log
                )
            stack.callback(process.wait)
            stack.callback(process.terminate)

        start("kernelhub", "--port", "0", "--dashboard", "0")
        deadline = time.monotonic() + 60
        while True:
            try:
                port = control_client.call(state, {"command": "status"})["port"]
                break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        for aiId, specialization in TRAINERS.items():
            where = ["--hub", f"localhost:{port}", "--minutes", str(minutes)]
            start("kerneltrainer", "--id", aiId, "--specialization", specialization, *where)
        yield state


class Photographer:
    """Takes pictures of the views of one hub."""

    def __init__(self, browser: Any, state: StateDirectory, target: Path, width: int) -> None:
        self._browser, self._target, self._width = browser, target, width
        link = control_client.call(state, {"command": "dashboard"})["url"]
        self._base = link.partition("signin")[0]
        browser.set_window_size(width, 900)
        browser.get(link)

    def ask(self, path: str) -> Any:
        """What the API says, through the browser's session."""
        script = "const done = arguments[1]; fetch(arguments[0]).then((a) => a.text()).then(done)"
        return json.loads(self._browser.execute_async_script(script, path))

    def wait(self, minutes: float) -> None:
        """Until there is something to see."""
        deadline = time.monotonic() + minutes * 60
        while True:
            status = self.ask("/api/status")
            told = (status["stored"]["confirmed_components"], status["sessions"].get("completed", 0))
            sys.stdout.write(f"  {len(status['ais'])} AIs, {told[0]} confirmed, {told[1]} sessions completed\n")
            if (told[0] >= CONFIRMED and told[1] >= COMPLETED) or time.monotonic() > deadline:
                return
            time.sleep(10)

    def component(self) -> str:
        """The address of the component that tells most: confirmed, and with a parent to compare it with."""
        found = self.ask("/api/components?verdict=confirmed&limit=50")["components"]
        for component in found:
            whole = self.ask(f"/api/components/{component['digest']}")
            for parent in whole["lineage"]:
                if parent["id"] is not None:
                    return f"component/{component['digest']}/{parent['digest']}"
        return f"component/{found[0]['digest']}" if found else "components"

    def task(self) -> str:
        """The address of the task on which most was confirmed."""
        tasks = self.ask("/api/progress")["tasks"]
        if not tasks:
            return "overview"
        most = max(tasks, key=lambda task: (len(task["steps"]), task["confirmed"]))
        settings = json.dumps(sorted(map(list, most["settings"].items())), separators=(",", ":"))
        return "/".join(
            ["task", *(quote(part, safe="") for part in (most["workbench"], most["trace_digest"], settings))]
        )

    def untilOneWorks(self, seconds: float) -> None:
        """Until a collaboration is under way."""
        deadline = time.monotonic() + seconds
        while not self.ask("/api/sessions?state=active")["sessions"] and time.monotonic() < deadline:
            time.sleep(0.5)

    def take(self, name: str, address: str) -> None:
        self._browser.get(f"{self._base}#/{address}")
        for theme in ("light", "dark"):
            feature = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            self._browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
            self._browser.set_window_size(self._width, 900)
            time.sleep(4)
            size = self._browser.execute_script(
                "return [window.outerHeight - window.innerHeight, document.documentElement.scrollHeight]"
            )
            self._browser.set_window_size(self._width, size[0] + min(size[1], TALLEST))
            time.sleep(2)
            picture = Image.open(io.BytesIO(self._browser.get_screenshot_as_png())).convert("RGB")
            file = self._target / f"dashboard-{name}-{theme}.png"
            # A page has few colours, most of them shades at the edges of letters: a palette makes a third of it.
            picture.quantize(colors=256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
                file, optimize=True
            )
            sys.stdout.write(
                f"  {file.name}: {picture.width} × {picture.height}, {file.stat().st_size / 1000:.0f} KB\n"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of the dashboard, from a real run.")
    parser.add_argument("--minutes", type=float, default=8.0, help="how long there may be nothing to see")
    parser.add_argument("--target", type=Path, default=PICTURES)
    parser.add_argument("--width", type=int, default=1280)
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    options.target.mkdir(parents=True, exist_ok=True)
    os.environ.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory(prefix="kernelnet-pictures-") as folder:
        browser = startBrowser(Path(folder))
        try:
            with run(Path(folder), options.minutes + 10) as state:
                photographer = Photographer(browser, state, options.target, options.width)
                photographer.wait(options.minutes)
                photographer.take("overview", "overview")
                photographer.take("task", photographer.task())
                for name in ("progress", "components", "sessions", "traffic"):
                    photographer.take(name, name)
                photographer.take("component", photographer.component())
                photographer.untilOneWorks(120)
                photographer.take("network", "network")
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
