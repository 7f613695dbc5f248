"""
Fuzz what strangers' bytes reach, guided by coverage::

    python -m tests.fuzz.run TARGET SECONDS [FOLDER]

FOLDER keeps the inputs that reached something new, for the next run, and what failed (C{crash-…}).  Without atheris,
which is for CPython on Linux, it says so and ends with exit code 77.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

NO_FUZZER = 77


def main(target: str, seconds: int, folder: Path) -> None:
    try:
        import atheris
    except ImportError as e:
        sys.stderr.write(f"no fuzzing here: {e}\n")
        raise SystemExit(NO_FUZZER) from None
    with atheris.instrument_imports(include=["kernelnet"]):
        from tests.fuzz import targets
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(targets.corpus(target)):
        (folder / f"seed-{i}").write_bytes(data)
    dictionary = folder / "words"
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in sorted(targets.words()))
    dictionary.write_text("".join(f'"{word}"\n' for word in escaped))
    atheris.Setup(
        [
            sys.argv[0],
            str(folder),
            f"-max_total_time={seconds}",
            f"-dict={dictionary}",
            f"-artifact_prefix={folder}/",
            "-max_len=8192",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            "-verbosity=1",
        ],
        targets.TARGETS[target],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if len(sys.argv) > 3:
        main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    else:
        with TemporaryDirectory(prefix="kernelnet-fuzz-") as scratch:
            main(sys.argv[1], int(sys.argv[2]), Path(scratch))
