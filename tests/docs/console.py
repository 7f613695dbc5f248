"""
What a page tells people to type, and what it promises that they will see.

A page's blocks are read from its source: ``.. code-block:: console`` has commands behind ``$`` and their output below,
where ``…`` alone in a line stands for any lines, and within one for anything; a block with a ``:name:`` is a file.
Numbers, ids and times of a promise stand for any, and so does the width of a column.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Command", "File", "Shell", "read", "rows"]

_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n((?:   :\w+:.*\n)*)\n((?:(?:   .*)?\n)+)", re.MULTILINE)
_ANY = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+\d{4})|AI_\w+-[0-9a-f]{10}|(?<![\w/.-])-?\d+(?:\.\d+)*%?|\s+|…")


@dataclass(frozen=True)
class Command:
    """
    @ivar text: what is typed.
    @ivar promise: the lines of output that the page shows.
    """

    text: str
    promise: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """A regular expression for all of the output; its group C{id} is the first component's id."""
        blocks: list[list[str]] = [[]]
        for line in self.promise:
            if line.strip() == "…":
                blocks.append([])
            else:
                named = not any("(?P<id>" in known for block in blocks for known in block)
                blocks[-1].append(_line(line, named=named) + "\n")
        first, *others = ("".join(block) for block in blocks)
        if not others:
            return first
        # Each block where it comes first: what is behind can't be helped by a later place, so nothing is tried again.
        behind = [f"(?>(?:.*\\n)*?{block})" for block in others[:-1]]
        return first + "".join(behind) + rf"(?:.*\n)*?{others[-1]}"

    @property
    def lines(self) -> list[str]:
        """A regular expression for each promised line, for who waits for them one by one."""
        return [_line(line) for line in self.promise if line.strip() != "…"]


@dataclass(frozen=True)
class File:
    """A file that the page says to write."""

    name: str
    text: str


def _line(line: str, named: bool = False) -> str:
    def any_(match: re.Match[str]) -> str:
        text = match.group()
        if text == "…":
            return r".*"
        if text.isspace():
            return r"[ \t]+"
        if text.startswith("AI_"):
            return rf"{'(?P<id>' if named else '(?:'}{text[:-10]}[0-9a-f]{{10}})"
        if "T" in text:
            return r"\S+"
        return r"-?[\d.]+%?"

    parts, end = [], 0
    for match in _ANY.finditer(line.strip()):
        parts += [re.escape(line.strip()[end : match.start()]), any_(match)]
        named = named and "(?P<id>" not in parts[-1]
        end = match.end()
    return r"[ \t]*" + "".join(parts) + re.escape(line.strip()[end:]) + r"[ \t]*"


def read(page: Path) -> list[list[Command] | File]:
    """The page's blocks in their order: each a file, or the commands of one console."""
    found: list[list[Command] | File] = []
    for language, options, body in _BLOCK.findall(page.read_text("utf-8")):
        text = re.sub(r"^   ", "", body, flags=re.MULTILINE).rstrip("\n") + "\n"
        name = re.search(r":name: (\S+)", options)
        if language == "console":
            found.append(_commands(text))
        elif name is not None:
            found.append(File(name[1], text))
    return found


def _commands(text: str) -> list[Command]:
    commands = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        typed, _, shown = part.replace("\\\n", "").partition("\n")
        commands.append(Command(re.sub(r" {2,}# .*", "", typed), tuple(shown.splitlines())))
    return commands


def rows(output: str, name: str) -> list[list[str]]:
    """The numbers in the rows of a table that begin with this name."""
    return [re.findall(r"(?<=\s)-?\d[\d.]*(?=\s)", line) for line in output.splitlines() if line.split()[:1] == [name]]


class Shell:
    """One bash, in which commands follow each other as in a terminal."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str, patience: float) -> tuple[int, str]:
        """
        @param patience: seconds after which the shell is killed, with all that it printed as the error.
        @return: exit code and output.
        """
        shell = self._process
        assert shell.stdin is not None
        assert shell.stdout is not None
        timer = threading.Timer(patience, shell.kill)
        timer.start()
        try:
            shell.stdin.write(f'{{ {command}\n}} </dev/null; code=$?; echo; echo "=-= $code"\n')
            shell.stdin.flush()
            lines: list[str] = []
            for line in shell.stdout:
                if line.startswith("=-= "):
                    return int(line[4:]), "".join(lines).removesuffix("\n")
                lines.append(line)
        finally:
            timer.cancel()
        raise AssertionError(f"{command}: not done after {patience:g} s:\n{''.join(lines)}")

    def environment(self) -> tuple[Path, dict[str, str]]:
        """Where the shell stands, and what it hands to programs."""
        _, here = self.run("pwd", 60)
        _, variables = self.run("env -0 | tr '\\0\\n' '\\n\\1'", 60)
        pairs = (line.replace("\1", "\n").partition("=") for line in variables.splitlines())
        return Path(here.strip()), {name: value for name, found, value in pairs if found}

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


def environment(home: Path, programs: Path) -> dict[str, str]:
    """As of a user who has nothing yet, but what other tests have compiled: a home of their own, and these programs."""
    others = ("PYTHON", "XDG_CONFIG", "XDG_DATA", "XDG_RUNTIME", "XDG_STATE", "VIRTUAL_ENV", "COLUMNS")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(others)}
    return {**kept, "HOME": str(home), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
