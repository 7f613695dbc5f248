"""
Fresh installs of the base package, as a user makes them: from a checkout, and editable.

They need the package index (for Twisted and the build backend); where it can't be reached these tests are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

NO_INDEX = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Temporary failure in name resolution"
    r"|Network is unreachable|Connection refused|Failed to establish a new connection"
)


def checkout(target: Path) -> None:
    """Copy what a commit of the working tree would hold to C{target}; without git, what looks like it."""
    git = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if git.returncode == 0:
        for name in filter(None, git.stdout.split("\0")):
            if (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target / name)
    else:
        made = shutil.ignore_patterns(
            ".*", "build", "dist", "*.egg-info", "__pycache__", "dropin.cache", "*.pem", "*.key"
        )
        shutil.copytree(ROOT, target, ignore=made, dirs_exist_ok=True)


def files(root: Path, *folders: str) -> set[str]:
    """The files below these folders of a checkout, without what Python and twistd leave there."""
    found = (p for folder in folders for p in (root / folder).rglob("*") if p.is_file())
    return {str(p.relative_to(root)) for p in found if "__pycache__" not in p.parts and p.name != "dropin.cache"}


class InstallTests(SynchronousTestCase):
    """One venv with C{pip install .}, one with C{pip install -e .}, shared by all tests."""

    folder: Path
    empty: Path
    environment: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="kernelnet-packaging-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.empty = cls.folder / "empty"
        cls.empty.mkdir()
        cls.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XDG_", "VIRTUAL_ENV"))},
            "XDG_DATA_HOME": str(cls.folder / "data"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_RETRIES": "1",
        }
        arguments = {"plain": ["."], "editable": ["-e", ".", "setuptools>=77"]}
        running: dict[str, subprocess.Popen[str]] = {}
        for name, what in arguments.items():
            venv, source = cls.folder / name, cls.source(name)
            source.mkdir()
            checkout(source)
            # Neither a pip of its own nor bytecode: they take most of the time, and nothing here is about them.
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
            pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python")]
            running[name] = subprocess.Popen(
                [*pip, "install", "-q", "--no-compile", *what],
                cwd=source,
                env=cls.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        outputs = {name: (process.communicate()[0], process.returncode) for name, process in running.items()}
        for name, (output, code) in outputs.items():
            unreachable = NO_INDEX.search(output)
            if code and unreachable:
                raise SkipTest(f"the package index can't be reached: {unreachable.group()}")
            if code:
                raise AssertionError(f"pip install ({name}) ended with {code}:\n{output}")

    @classmethod
    def source(cls, name: str) -> Path:
        return cls.folder / f"source-{name}"

    def run_(self, venv: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # In an empty folder: twistd puts the working directory on the path, and would find a checkout's plugins.
        return subprocess.run(
            [self.folder / venv / "bin" / program, *arguments],
            cwd=self.empty,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def installed(self) -> set[str]:
        """What the wheel put into the plain venv, by its record."""
        code = "from importlib.metadata import files; print(*files('kernelnet'), sep='\\n')"
        listed = self.run_("plain", "python", "-c", code)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        return {name for name in listed.stdout.splitlines() if "__pycache__" not in name}

    def test_twistdLists(self) -> None:
        """C{twistd --help} lists both services, installed or editable."""
        for venv in ("plain", "editable"):
            helped = self.run_(venv, "twistd", "--help")
            self.assertEqual((helped.returncode, helped.stderr), (0, ""), venv)
            for service in ("kernelhub", "kerneltrainer"):
                self.assertTrue(re.search(rf"^\s*{service}\s", helped.stdout, re.MULTILINE), f"{venv}: {service}")

    def test_baseOnly(self) -> None:
        """The base package brings none of the trainer's extra along."""
        code = (
            "from importlib.util import find_spec; print([m for m in ('wasmtime', 'ziglang', 'numpy') if find_spec(m)])"
        )
        for venv in ("plain", "editable"):
            self.assertEqual(self.run_(venv, "python", "-c", code).stdout, "[]\n", venv)

    def test_hubNeedsNoExtra(self) -> None:
        """The hub's options can be listed with the base package only."""
        helped = self.run_("plain", "twistd", "kernelhub", "--help")
        self.assertEqual(helped.returncode, 0, helped.stderr)
        self.assertIn("--port", helped.stdout)

    def test_trainerNamesItsExtra(self) -> None:
        """C{twistd kerneltrainer} without its extra says in one line what to install, and ends with exit code 1."""
        for venv in ("plain", "editable"):
            refused = self.run_(venv, "twistd", "kerneltrainer", "--id", "AI_1")
            self.assertEqual((refused.returncode, refused.stdout), (1, ""), refused.stderr)
            self.assertEqual(len(refused.stderr.splitlines()), 1, refused.stderr)
            self.assertIn("pip install 'kernelnet[trainer]'", refused.stderr)

    def test_nothingLeftBehind(self) -> None:
        """Asking for help or being refused leaves no file in the folder the user stands in."""
        self.run_("plain", "twistd", "--help")
        self.run_("plain", "twistd", "kerneltrainer", "--id", "AI_1")
        self.assertEqual(list(self.empty.iterdir()), [])

    def test_command(self) -> None:
        """Both installs have the command C{kernelnet}."""
        for venv in ("plain", "editable"):
            self.assertTrue((self.folder / venv / "bin" / "kernelnet").is_file(), venv)

    def test_wheel(self) -> None:
        """A wheel holds every file of the package and its plugin handles, data files too, and nothing else."""
        packed = {n for n in self.installed() if ".dist-info/" not in n and not n.endswith("/bin/kernelnet")}
        expected = {n for n in files(self.source("plain"), "kernelnet", "twisted") if ".egg-info" not in n}
        self.assertEqual(packed, expected)

    def test_wheelLeavesTwistedAlone(self) -> None:
        """A wheel has no __init__ of twisted or twisted.plugins: it would overwrite Twisted's own."""
        below = {name for name in self.installed() if name.startswith("twisted/")}
        self.assertEqual(below, {"twisted/plugins/kernelnet_plugins.py"})

    def test_metadata(self) -> None:
        """The license stands in the metadata as an SPDX expression, and its text comes along."""
        code = "from importlib.metadata import metadata; print(metadata('kernelnet')['License-Expression'])"
        self.assertEqual(self.run_("plain", "python", "-c", code).stdout, "MIT\n")
        self.assertTrue([n for n in self.installed() if n.endswith(".dist-info/licenses/LICENSE")])

    def test_sourceArchive(self) -> None:
        """The source archive holds what building, testing and reading need."""
        source = self.source("editable")
        built = subprocess.run(
            [
                self.folder / "editable" / "bin" / "python",
                *("-c", "import sys, setuptools.build_meta as b; b.build_sdist(sys.argv[1])", str(self.folder)),
            ],
            cwd=source,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(built.returncode, 0, built.stderr)
        [archive] = self.folder.glob("kernelnet-*.tar.gz")
        with tarfile.open(archive) as tar:
            packed = {member.name.partition("/")[2] for member in tar if member.isfile()}
        folders = ("kernelnet", "twisted", "tests", "docs", "certs", "examples", "benchmarks", "contrib", ".ci")
        top = {"setup.cfg", "pyproject.toml", "ruff.toml", "LICENSE", "CHANGELOG.rst", "README.rst", "Makefile"}
        needed = files(source, *folders) | {name for name in top if (source / name).exists()}
        self.assertEqual({n for n in needed if ".egg-info" not in n} - packed, set())
        self.assertEqual({n for n in packed if n.endswith((".pem", ".key", ".pyc", "dropin.cache"))}, set())


class TreeTests(SynchronousTestCase):
    def test_noPluginPackage(self) -> None:
        """Neither twisted/ nor twisted/plugins/ has an __init__.py: a wheel would overwrite Twisted's own."""
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py*")), [])

    def test_pluginHandlesAreLight(self) -> None:
        """Listing the plugins, which any twistd does, installs no reactor and loads neither hub nor sandbox."""
        code = (
            "import sys, runpy; runpy.run_path('twisted/plugins/kernelnet_plugins.py');"
            "heavy = ('twisted.internet.reactor', 'kernelnet.hub', 'wasmtime', 'numpy', 'ziglang');"
            "print([m for m in heavy if m in sys.modules])"
        )
        ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((ran.stdout, ran.stderr), ("[]\n", ""))
