"""
Make one bound after the other a thousand times larger, and see whether a test notices::

    python -m tests.mutation.bounds FOLDER [MODULE …]

A bound is a number by a name in capitals: of a module, of a class, or of a call there (`Bounds(connections=…)`).  Its
tests are those that say its name or mirror its module, then those of the module's folder, on SQLite alone; at last the
one that compares it with the reference.  FOLDER keeps a copy of the tree, in which the changes are made.  Each bound is
printed with what noticed, or C{NOT HELD}.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.bounds import ROOT, Bound, bounds
from tests.mutation.run import copied, modules, testsOf

FACTOR = 1000

TABLE = "tests/docs/test_reference.py::TableTests::test_bounds"
"""Holds all that limits.rst tells by name; last, since it says nothing of what a bound is good for."""

PATIENCE = 120
"""Seconds that the tests of one bound may take; who takes longer has noticed it."""


def stages(bound: Bound) -> list[list[str]]:
    """Which tests are run one after the other, until one notices: the nearest first."""
    path = Path(bound.module)
    mirrored = Path("tests", *path.parts[1:-1], f"test_{path.name}")
    word = re.compile(rf"\b{bound.name.partition('.')[0]}\b")
    named = [
        str(test.relative_to(ROOT))
        for folder in ("hub", "trainer")
        for test in (ROOT / "tests" / folder).rglob("test_*.py")
        if word.search(test.read_text())
    ]
    near = dict.fromkeys([*([str(mirrored)] if (ROOT / mirrored).exists() else []), *named])
    folder = [name for name in testsOf(bound.module).split() if (ROOT / name).exists()]
    return [stage for stage in ([*near], folder, [TABLE]) if stage]


def noticed(tests: list[str], tree: Path) -> str:
    """The first test that fails; empty: none does."""
    options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "-k", "not ostgres and not OnMemory"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"over {PATIENCE} s"
    if run.returncode in (0, 5):
        return ""
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].partition(" - ")[0] if failed else (run.stdout + run.stderr)[-300:]


def enlarged(text: bytes, bound: Bound) -> bytes:
    before, value, behind = text[: bound.begin], text[bound.begin : bound.end], text[bound.end :]
    return b"%s%d * (%s)%s" % (before, FACTOR, value, behind)


def main(folder: Path, wanted: list[str]) -> None:
    tree = copied(folder.resolve())
    missing = 0
    for module in wanted or modules():
        for bound in bounds(module):
            path = tree / module
            text = path.read_bytes()
            path.write_bytes(
                text[: bound.begin]
                + f"{FACTOR} * ({text[bound.begin : bound.end].decode()})".encode()
                + text[bound.end :]
            )
            why = next((found for stage in stages(bound) if (found := noticed(stage, tree))), "")
            path.write_bytes(text)
            missing += not why
            sys.stdout.write(f"{module} {bound.name}: {why or 'NOT HELD'}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{missing} bounds are not held\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
