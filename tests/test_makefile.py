"""When the Makefile installs, and what CI makes, with programs that only write down what they are asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

PYTHON = """\
#!/bin/sh
# Notes what it is called with; `-m venv` makes a folder of programs that do the same.
here=$(dirname "$0")
case "$*" in
    -V) echo "Python $VERSION" ;;
    *version_info*) test "$VERSION" != 3.10.1 ;;
    *ensurepip*) test -z "$NO_VENV" ;;
    "-m venv"*)
        echo venv >> "$LOG"
        rm -rf .venv
        mkdir -p .venv/bin
        for name in python kernelnet ruff mypy pydoctor; do cp "$0" ".venv/bin/$name"; done ;;
    "-m pip"*)
        echo "install ${*##* }" >> "$LOG"
        test -z "$NO_INDEX" ;;
    *) echo "$(basename "$0")${*:+ $*}" >> "$LOG" ;;
esac
"""


LINT = ["ruff check", "ruff format --check", "mypy"]
"""What C{make lint} runs."""

DOCS = [
    "python -m sphinx --quiet --nitpicky --fail-on-warning --keep-going docs build/docs",
    "pydoctor --html-output=build/docs/api",
]
"""What C{make docs} runs."""

PYTEST = "python -m pytest -n auto --dist loadscope --no-loadscope-reorder"
"""What C{make test} runs."""


class MakefileTests(SynchronousTestCase):
    def setUp(self) -> None:
        if shutil.which("make") is None:
            raise SkipTest("make is not installed")
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.tree = self.base / "tree"
        self.tree.mkdir()
        for name in ("Makefile", "setup.cfg", "pyproject.toml"):
            shutil.copy(ROOT / name, self.tree / name)
        for name in ("python3", "python3.99"):
            (self.base / name).write_text(PYTHON)
            (self.base / name).chmod(0o755)
        self.log = self.base / "log"

    def made(self, *arguments: str, **environment: str) -> list[str]:
        """What C{make} with these arguments did."""
        ran = self.make(*arguments, **environment)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        return self.noted()

    def noted(self) -> list[str]:
        notes = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return notes

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {
            k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("PYTHON", "ARGS", "MFLAGS")
        }
        path = f"{self.base}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["make", *arguments],
            cwd=self.tree,
            env={**clean, "PATH": path, "LOG": str(self.log), "VERSION": "3.12.1", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def later(self, name: str) -> None:
        """As if a pull had brought another version of the file."""
        stamps = [p.stat().st_mtime for p in (self.tree / ".venv").glob(".*")]
        os.utime(self.tree / name, (max(stamps) + 10,) * 2)

    def test_demo(self) -> None:
        """C{make demo} makes a venv, installs what a trainer needs, runs the demo; the second time it just runs it."""
        self.assertEqual(self.made("demo"), ["venv", "install .[trainer]", "kernelnet demo"])
        self.assertEqual(self.made("demo", "ARGS=--minutes 1"), ["kernelnet demo --minutes 1"])

    def test_clusterDemo(self) -> None:
        """C{make cluster-demo} installs the client of PostgreSQL, too, and starts two hubs and six trainers."""
        demo = "kernelnet demo --nodes 2 --trainers 6"
        self.assertEqual(self.made("cluster-demo"), ["venv", "install .[trainer,postgres]", demo])
        self.assertEqual(self.made("cluster-demo", "ARGS=--minutes 1"), [f"{demo} --minutes 1"])
        self.assertEqual(self.made("demo"), ["kernelnet demo"])

    def test_default(self) -> None:
        """C{make} alone is C{make demo}."""
        self.assertEqual(self.made()[-1], "kernelnet demo")

    def test_test(self) -> None:
        """C{make test} installs the tests' extra once and runs them."""
        self.assertEqual(self.made("test"), ["venv", "install .[test]", PYTEST])
        self.assertEqual(self.made("test", "ARGS=-x"), [f"{PYTEST} -x"])

    def test_check(self) -> None:
        """C{make check} runs linter, types, documentation, tests, fuzzing; its extra has all that the others need."""
        checks = [*LINT, *DOCS, PYTEST]
        checks += [
            f"python -m tests.fuzz.run {target} 8 .fuzz/{target}" for target in ("decoder", "expression", "handshake")
        ]
        self.assertEqual(self.made("check"), ["venv", "install .[dev]", *checks])
        self.assertEqual(self.made("check"), checks)
        self.assertEqual(self.made("test"), [PYTEST])
        self.assertEqual(self.made("lint"), LINT)
        self.assertEqual(self.made("docs"), DOCS)
        self.assertEqual(self.made("demo"), ["kernelnet demo"])

    def test_docs(self) -> None:
        """C{make docs} installs Sphinx and pydoctor once, and takes a warning for an error."""
        self.assertEqual(self.made("docs"), ["venv", "install .[docs]", *DOCS])
        self.assertEqual(self.made("docs"), DOCS)

    def test_dist(self) -> None:
        """C{make dist} builds into an empty dist/, with what the venv has."""
        (self.tree / "dist").mkdir()
        (self.tree / "dist" / "old.whl").touch()
        self.assertEqual(self.made("dist")[2:], ["python -m build --no-isolation --outdir dist"])
        self.assertFalse((self.tree / "dist").exists())

    def test_bench(self) -> None:
        """C{make bench} measures the hub, with dashboards and without, then the evaluation."""
        scripts = ("run.py --quick", "dashboard.py --quick", "evaluation.py")
        ran = [f"python benchmarks/{script}" for script in scripts]
        self.assertEqual(self.made("bench", "ARGS=--quick"), ["venv", "install .[test]", *ran])

    def test_more(self) -> None:
        """After C{make demo} the tests' extra is installed into the same venv."""
        self.made("demo")
        self.assertEqual(self.made("test")[0], "install .[test]")

    def test_newDependencies(self) -> None:
        """A newer setup.cfg or pyproject.toml, as a pull brings it, is installed again into the same venv, once."""
        self.made("check")
        for name in ("setup.cfg", "pyproject.toml"):
            self.later(name)
            self.assertEqual(self.made("demo")[0], "install .[trainer]")
            os.utime(self.tree / name, (0, 0))

    def test_failedInstall(self) -> None:
        """An install that failed is tried again the next time."""
        self.assertNotEqual(self.make("demo", NO_INDEX="1").returncode, 0)
        self.assertEqual(self.noted(), ["venv", "install .[trainer]"])
        self.assertEqual(self.made("demo"), ["install .[trainer]", "kernelnet demo"])

    def test_python(self) -> None:
        """PYTHON= chooses the interpreter, as an argument or in the environment; without it what is there stays."""
        self.made("demo")
        self.assertEqual(self.made("demo", "PYTHON=python3.99")[0], "venv")
        self.assertEqual(self.made("demo", "PYTHON=python3.99"), ["kernelnet demo"])
        self.assertEqual(self.made("demo", PYTHON="python3.99"), ["kernelnet demo"])
        self.assertEqual(self.made("demo"), ["kernelnet demo"])

    def test_interpreterGone(self) -> None:
        """A venv whose interpreter has gone is made again."""
        self.made("demo")
        (self.tree / ".venv" / "bin" / "python").unlink()
        self.assertEqual(self.made("demo"), ["venv", "install .[trainer]", "kernelnet demo"])

    def test_moved(self) -> None:
        """A venv that was moved with its checkout is made again: its programs name the old place."""
        self.made("demo")
        self.tree = self.tree.rename(self.base / "moved")
        self.assertEqual(self.made("demo")[:2], ["venv", "install .[trainer]"])

    def test_oldPython(self) -> None:
        """An interpreter that is too old is refused in a clear line, with what to do."""
        ran = self.make("demo", VERSION="3.10.1")
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn(
            "needs Python 3.11 or newer; python3 is Python 3.10.1. Name one that is: make PYTHON=", ran.stderr
        )
        self.assertFalse((self.tree / ".venv").exists())

    def test_noPython(self) -> None:
        """So is one that does not exist."""
        self.assertIn("nosuchpython is missing", self.make("demo", "PYTHON=nosuchpython").stderr)

    def test_noVenv(self) -> None:
        """A Python without venv is refused with the package to install."""
        ran = self.make("demo", NO_VENV="1")
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("apt-get install python3-venv", ran.stderr)
        self.assertFalse((self.tree / ".venv").exists())

    def test_clean(self) -> None:
        """C{make clean} removes what was made, also where nothing was."""
        self.made("demo")
        (self.tree / "build").mkdir()
        self.made("clean")
        self.made("clean")
        self.assertEqual(sorted(p.name for p in self.tree.iterdir()), ["Makefile", "pyproject.toml", "setup.cfg"])


class CiTests(SynchronousTestCase):
    """C{.ci/run}, with programs that only write down what they are asked for."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        script = self.base / "tree" / ".ci" / "run"
        script.parent.mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "run", script)
        programs = self.base / "programs"
        programs.mkdir()
        for name in ("apt-get", "chromedriver", "chromium", "git", "make", "python3", "sqlite3", "strace"):
            program = programs / name
            program.write_text('#!/bin/sh\necho "$(basename "$0") $*" >> "$LOG"; test "$*" != "$REFUSED"\n')
            program.chmod(0o755)
        self.log = self.base / "log"
        self.environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "LOG": str(self.log)}

    def made(self, refused: str = "") -> tuple[int, list[str]]:
        """Its exit code, and what it made; of that C{refused} fails."""
        script = self.base / "tree" / ".ci" / "run"
        environment = {**self.environment, "REFUSED": refused}
        ran = subprocess.run(["bash", script], env=environment, capture_output=True, timeout=60, check=False)
        lines = self.log.read_text().splitlines()
        return ran.returncode, [line for line in lines if line.startswith("make ")]

    def test_checks(self) -> None:
        """All that C{make check} checks, once, the tests by README's command; the slowest twenty are named."""
        checks = ["make lint", "make docs", "make test ARGS=--durations=20", "make fuzz FUZZ=8"]
        self.assertEqual(self.made(), (0, checks))

    def test_failed(self) -> None:
        """What fails ends it, and is told."""
        code, made = self.made(refused="test ARGS=--durations=20")
        self.assertNotEqual(code, 0)
        self.assertEqual(made[-1], "make test ARGS=--durations=20")
