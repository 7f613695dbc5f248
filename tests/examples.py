"""What the tests of C{examples/} need: a fresh venv with one of these packages, installed by pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.test_packaging import NO_INDEX

__all__ = ["EXAMPLES", "ExampleTestCase"]

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


class ExampleTestCase(SynchronousTestCase):
    """@ivar folder: an empty one."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def run_(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        """@return: what it printed; it has to end with one of these exit codes."""
        result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.folder)
        if result.returncode not in codes:
            self.fail(result.stdout + result.stderr)
        return result.stdout

    def kernelnet(self, python: str, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        return self.run_(python, "-c", f"from kernelnet.cli import main; main({list(arguments)!r})", codes=codes)

    def install(self, example: str) -> str:
        """
        Copy an example to C{folder}/example, and install it into a fresh venv.

        @return: the venv's Python.
        """
        if subprocess.run([sys.executable, "-m", "pip", "--version"], check=False, capture_output=True).returncode:
            raise SkipTest("there is no pip here")
        home = self.folder / "venv"
        venv.create(home, symlinks=True)
        python = str(home / "bin" / "python")
        own = self.run_(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        # Kernelnet and what it needs come from where these tests run; only the build backend comes from an index.
        Path(own, "kernelnet.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
        left = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dropin.cache")
        shutil.copytree(EXAMPLES / example, self.folder / "example", ignore=left)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "1", "--python", python]
        try:
            self.run_(*pip, "install", "--quiet", "--no-deps", str(self.folder / "example"))
        except self.failureException as failure:
            if NO_INDEX.search(str(failure)):
                raise SkipTest("the package index, which has the build backend, can't be reached") from None
            raise
        self.assertEqual(list(Path(own, "twisted").rglob("__init__.py")), [])
        return python
