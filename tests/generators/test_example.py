"""The example of a third party's generator: installed by pip, found, used, and its own tests run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.test_packaging import NO_INDEX

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "kernelnet-random-generator"


class ExampleTests(SynchronousTestCase):
    def run_(self, *command: str) -> str:
        result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.folder)
        if result.returncode:
            self.fail(result.stdout + result.stderr)
        return result.stdout

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def test_installed(self) -> None:
        """In a fresh venv, pip installs it, and kernelnet finds it and gets a working policy from it."""
        if subprocess.run([sys.executable, "-m", "pip", "--version"], check=False, capture_output=True).returncode:
            raise SkipTest("there is no pip here")
        home = self.folder / "venv"
        venv.create(home, symlinks=True)
        python = str(home / "bin" / "python")
        own = self.run_(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        # Kernelnet and what it needs come from where these tests run; only the build backend comes from an index.
        Path(own, "kernelnet.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
        shutil.copytree(EXAMPLE, self.folder / "example")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "1", "--python", python]
        try:
            self.run_(*pip, "install", "--quiet", "--no-deps", str(self.folder / "example"))
        except self.failureException as failure:
            if NO_INDEX.search(str(failure)):
                raise SkipTest("the package index, which has the build backend, can't be reached") from None
            raise
        self.assertEqual(list(Path(own, "twisted").rglob("__init__.py")), [])
        self.run_(python, "-m", "unittest", "discover", "example/tests")
        listed = self.run_(python, "-c", "from kernelnet.cli import main; main(['generators'])")
        self.assertRegex(listed, r"random .*\n.*search ")

    def test_noInit(self) -> None:
        """It has no __init__.py that would take the place of Twisted's own."""
        self.assertEqual(list((EXAMPLE / "twisted").rglob("__init__.py")), [])
