"""What a source archive installs: everything that the commands need, without the checkout and without an index."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.test_packaging import checkout


class ArchiveTests(SynchronousTestCase):
    """
    Builds a source archive, and installs it into a venv of its own.

    What kernelnet depends on, and pip, come from the packages of whoever runs the tests, by a C{.pth} file: no index
    is asked.
    """

    folder: Path
    empty: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="kernelnet-archive-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.empty = cls.folder / "empty"
        cls.empty.mkdir()
        source = cls.folder / "source"
        source.mkdir()
        checkout(source)
        cls.done(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", str(cls.folder), str(source))
        [archive] = cls.folder.glob("kernelnet-*.tar.gz")
        shutil.rmtree(source)
        venv = cls.folder / "venv"
        cls.done(sys.executable, "-m", "venv", "--without-pip", str(venv))
        [packages] = venv.glob("lib/python*/site-packages")
        # An editable install of the checkout must not come along: its finder and its .pth stay where they are, since a
        # .pth in a folder that is only on the path isn't read.
        (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
        install = (str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        cls.done(*install, "--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed", str(archive))

    @classmethod
    def done(cls, *command: str) -> str:
        """What the command prints; that it ends well."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XDG_", "VIRTUAL_ENV"))}
        ran = subprocess.run(
            command,
            cwd=cls.empty,
            env={**environment, "XDG_DATA_HOME": str(cls.folder / "data")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        if ran.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stdout}")
        return ran.stdout

    def program(self, name: str, *arguments: str) -> str:
        return self.done(str(self.folder / "venv" / "bin" / name), *arguments)

    def test_where(self) -> None:
        """It is the installed package that these tests are about, and no checkout."""
        where = self.program("python", "-c", "import kernelnet; print(kernelnet.__file__)")
        self.assertTrue(where.startswith(str(self.folder / "venv")), where)

    def test_version(self) -> None:
        """The command is there, and has a version."""
        self.assertTrue(re.fullmatch(r"kernelnet, version [\d.]+\n", self.program("kernelnet", "--version")))

    def test_plugins(self) -> None:
        """twistd lists both services."""
        listed = self.program("python", "-c", "from twisted.scripts.twistd import run; run()", "--help")
        for service in ("kernelhub", "kerneltrainer"):
            self.assertTrue(re.search(rf"^\s*{service}\s", listed, re.MULTILINE), listed)

    def test_workbenches(self) -> None:
        """Each bench compiles its driver, reads a trace that ships with it, and measures."""
        for name, less in (
            ("audio", ()),
            ("file_system", ("--capacity", "100")),
            ("graphics", ()),
            ("network_stack", ()),
            ("process_manager", ()),
            ("security", ()),
            ("window_manager", ()),
        ):
            told = self.program("kernelnet", "bench", "run", name, *less)
            self.assertIn("reference", told, name)

    def test_hub(self) -> None:
        """The hub's schema, from which it makes a database, and the dashboard's pages are there."""
        code = (
            "from importlib.resources import files; import kernelnet.hub.web as w;"
            "print(*sorted(p.name for p in files(w).joinpath('static').iterdir()))"
        )
        names = self.program("python", "-c", code).split()
        self.assertIn("index.html", names)
        self.assertIn("openapi.yaml", names)
        code = (
            "from pathlib import Path; from kernelnet.hub.storage import sqlite;"
            "sqlite.prepare(Path('hub_data.db')); print(Path('hub_data.db').stat().st_size > 0)"
        )
        self.assertEqual(self.program("python", "-c", code), "True\n")
