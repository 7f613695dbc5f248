"""
Change one comparison, number or condition after the other, and see whether a test notices::

    python -m tests.mutation.run SECONDS FOLDER [MODULE …]

FOLDER keeps a copy of the tree, in which the changes are made, and a session for each module: what was tried stays
tried, so that the next run goes on.  A module whose text or tests have changed begins anew.  At the end, or when the
time is over, the survivors are printed: a file, a line, and what was changed there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome

ROOT = Path(__file__).resolve().parents[2]

BOUNDS = {
    # those with bounds first, each with the tests that hold them
    "kernelnet/untrusted.py": "tests/test_untrusted.py",
    "kernelnet/line_protocol.py": "tests/test_line_protocol.py",
    "kernelnet/trainer/storage/bounded_table.py": "tests/trainer/storage/test_bounded_table.py",
    "kernelnet/hub/connection/limits.py": "tests/hub/connection/test_limits.py",
    "kernelnet/trainer/storage/known_component.py": "tests/trainer/storage",
    "kernelnet/trainer/storage/knowledge_base.py": "tests/trainer/storage",
    "kernelnet/trainer/storage/outbox.py": "tests/trainer/storage",
    "kernelnet/trainer/work/job_queue.py": "tests/trainer/work/test_job_queue.py",
    "kernelnet/trainer/work/feature_requests.py": "tests/trainer/work/test_feature_requests.py",
    "kernelnet/hub/connection/rate_limits.py": "tests/hub/connection",
    "kernelnet/wire.py": "tests/test_wire.py tests/trainer/connection/test_reconnect.py",
    "kernelnet/trainer/messaging/hub_sync.py": "tests/trainer/messaging",
    "kernelnet/trainer/messaging/dispatcher.py": "tests/trainer/messaging",
    "kernelnet/trainer/collaboration/sessions.py": "tests/trainer/collaboration",
    "kernelnet/hub/routing/collaboration_sessions.py": "tests/hub/routing",
    "kernelnet/hub/views/projections.py": "tests/hub/views",
    "kernelnet/hub/routing/payload_bounds.py": "tests/hub/routing/test_payload_bounds.py",
    "kernelnet/hub/connection/admission.py": "tests/hub/connection",
    "kernelnet/hub/connection/search_history.py": "tests/hub/connection/test_search_history.py",
    "kernelnet/hub/storage/fair_queue.py": "tests/hub/storage/test_fair_queue.py",
    "kernelnet/hub/storage/group_commit.py": "tests/hub/storage/test_group_commit.py",
    "kernelnet/hub/storage/retention_policy.py": "tests/hub/storage/test_retention.py",
    "kernelnet/hub/storage/high_water.py": "tests/hub/storage/test_copied_back.py",
    "kernelnet/hub/connection/fan_out.py": "tests/hub/connection/test_fan_out.py",
}

OPERATORS = (
    "core/NumberReplacer",
    "core/AddNot",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    *(
        f"core/ReplaceComparisonOperator_{change}"
        for change in [
            "Lt_LtE",
            "LtE_Lt",
            "Gt_GtE",
            "GtE_Gt",
            "Eq_NotEq",
            "NotEq_Eq",
            "Is_IsNot",
            "IsNot_Is",
            "In_NotIn",
        ]
    ),
)
"""One step past each bound; that a comparison is replaced by one that is wrong everywhere says little more."""

PATIENCE = 60.0
"""Seconds that the tests of one change may take; who takes longer has noticed it."""

_CHANGED = re.compile(r"[+-](?![+-]{2})")
"""A line of a diff that was taken out or put in."""

CONFIG = """\
[cosmic-ray]
module-path = "{module}"
timeout = {patience}
excluded-modules = []
test-command = "{python} -m pytest -q -x -n0 -p no:cacheprovider {tests}"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = ["^(?!({operators})$)"]
"""


def testsOf(module: str) -> str:
    """The tests that hold a module: those that are named, else those of its folder."""
    return BOUNDS.get(module) or str(Path("tests", *Path(module).parts[1:-1]))


def modules() -> list[str]:
    """Those with bounds, then all others of hub and trainer."""
    found = [
        str(path.relative_to(ROOT)) for end in ("hub", "trainer") for path in (ROOT / "kernelnet" / end).rglob("*.py")
    ]
    rest = sorted(module for module in found if not module.endswith("__init__.py") and module not in BOUNDS)
    return [*BOUNDS, *rest]


def copied(folder: Path) -> Path:
    """A fresh copy of all that git knows, or would: a change that was cut short is gone with the old one."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def texts(module: str) -> bytes:
    """Digest of a module and of its tests."""
    paths = [ROOT / module]
    for name in testsOf(module).split():
        paths += sorted((ROOT / name).rglob("*.py")) if (ROOT / name).is_dir() else [ROOT / name]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest().encode()


def begun(module: str, folder: Path, tree: Path) -> tuple[Path, Path]:
    """Session and configuration of a module; made if there is none yet, or if it is of other texts."""
    name = module.removesuffix(".py").replace("/", ".")
    session, config, seen = (folder / f"{name}{end}" for end in (".sqlite", ".toml", ".seen"))
    if not session.exists() or not seen.exists() or seen.read_bytes() != texts(module):
        session.unlink(missing_ok=True)
        config.write_text(
            CONFIG.format(
                module=module,
                python=sys.executable,
                tests=testsOf(module),
                patience=PATIENCE,
                operators="|".join(OPERATORS),
            )
        )
        commands = [
            ["cosmic-ray", "init", str(config), str(session)],
            ["cr-filter-operators", str(session), str(config)],
        ]
        for command in commands:
            subprocess.run([Path(sys.executable).with_name(command[0]), *command[1:]], cwd=tree, check=True)
        seen.write_bytes(texts(module))
    return session, config


def run(module: str, folder: Path, tree: Path, until: float) -> bool:
    """Try what of a module was not tried yet.  @return: whether the time sufficed."""
    session, config = begun(module, folder, tree)
    program = Path(sys.executable).with_name("cosmic-ray")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen([program, "exec", str(config), str(session)], cwd=tree, env=environment) as process:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.terminate()
            return False
    return True


def report(sessions: Iterable[Path]) -> list[str]:
    """Survivors, and how many were tried."""
    lines = []
    tried = noticed = 0
    for session in sessions:
        with use_db(str(session), WorkDB.Mode.open) as database:
            results = dict(database.results)
            for item in database.work_items:
                result = results.get(item.job_id)
                if result is None or result.worker_outcome is WorkerOutcome.SKIPPED:
                    continue
                tried += 1
                if result.test_outcome is not TestOutcome.SURVIVED:
                    noticed += 1
                    continue
                for each in item.mutations:
                    changed = [line for line in (result.diff or "").splitlines() if _CHANGED.match(line)]
                    where = f"{each.module_path}:{each.start_pos[0]}"
                    lines.append(f"{where}: {' -> '.join(line[1:].strip() for line in changed)}")
    return [*lines, f"{noticed} of {tried} changes were noticed; {tried - noticed} survived"]


def main(seconds: float, folder: Path, wanted: list[str]) -> None:
    until = time.monotonic() + seconds
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")  # held until the process ends: another's changes would be in our copy
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"another run uses {folder}: wait for its end, or name another folder") from None
    tree = copied(folder.resolve())
    for module in wanted or modules():
        sys.stderr.write(f"{module}: {testsOf(module)}\n")
        if not run(module, folder.resolve(), tree, until):
            sys.stderr.write("the time is over; the next run goes on here\n")
            break
    sys.stdout.write("\n".join(report(sorted(folder.glob("*.sqlite")))) + "\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
