"""
Calls of each process in what C{strace} writes, with whatever options.

Before a call may stand a process (C{-f}: C{[pid 7]} on standard error, a number in a file; C{--decode-pids=comm} adds
its name), a time (C{-t}, C{-tt}, C{-ttt}, C{--timestamps}), a difference of times (C{-r}), the call's number (C{-n})
and the instruction pointer (C{-i}).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kernelnet.workbench.errors import TraceError

__all__ = ["isStrace", "straceSequences"]

_LINE = re.compile(
    # Linux knows no process above 2^22: a number of more digits is a time.
    rb"^\s*(?:\[pid +(?P<pid>[0-9]+)(?:<[^>]*>)?\] +|(?P<number>[0-9]{1,7})(?:<[^>]*>)? +)?"
    rb"(?:(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ])?[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})? +"
    rb"|[0-9]+(?:\.[0-9]+)? +)?"
    rb"(?:\(\+ *[0-9]+(?:\.[0-9]+)?\) +)?"
    rb"(?:\[ *(?:[0-9]+|[0-9a-f]{8,16}|\?+)\] +){0,2}"
    rb"(?:(?P<call>[a-z_][a-z0-9_]*)\(|(?P<other><\.\.\. |\+\+\+ |--- ))"
)
_ATTACHED = re.compile(rb"^(?:strace: )?Process (?P<pid>[0-9]+) (?P<what>attached|detached)")


def isStrace(lines: Iterable[bytes]) -> bool:
    """Whether there is a line of strace's among these."""
    return any(_LINE.match(line) or _ATTACHED.match(line) for line in lines)


def straceSequences(lines: Iterable[bytes], where: str = "") -> list[list[bytes]]:
    """
    The calls of each process, in the order of the processes' first calls.

    A call counts where it begins; signals, exits and what can't be understood are left out.  A process that comes
    after the end of another with its number is a new one.  A line without a process is of the only one that is alive,
    as strace leaves it out then; its number may appear later.

    @param where: the file, for errors.
    @raise TraceError: a line does not say of which of several processes it is.
    """
    processes = _Processes(where)
    for number, line in enumerate(lines, 1):
        attached = _ATTACHED.match(line)
        if attached is not None:
            if attached["what"] == b"attached":
                processes.attached(attached["pid"])
            else:
                processes.ended(attached["pid"])
            continue
        match = _LINE.match(line)
        if match is None:
            continue
        process = processes.named(match["pid"] or match["number"] or b"", number, isCall=bool(match["call"]))
        if match["call"]:
            processes.called(process, match["call"])
        elif match["other"] == b"+++ ":
            processes.ended(process)
    return processes.sequences


class _Processes:
    """
    Processes that are alive.

    @ivar sequences: of all that there were: their calls.
    """

    def __init__(self, where: str) -> None:
        self.sequences: list[list[bytes]] = []
        self._where = where
        self._alive: dict[bytes, list[bytes] | None] = {}
        self._attached: set[bytes] = set()

    def attached(self, process: bytes) -> None:
        """strace says that it follows it now."""
        self._alive.setdefault(process, None)
        self._attached.add(process)

    def named(self, process: bytes, line: int, *, isCall: bool) -> bytes:
        """The process that a line is of, which may not say so."""
        if process:
            if process not in self._alive and b"" in self._alive and process not in self._attached:
                # The one that was alone until now.
                self._alive[process] = self._alive.pop(b"")
            return process
        if (b"" in self._alive and len(self._alive) == 1) or not self._alive:
            return b""
        if len(self._alive) > 1:
            if not isCall:
                return b""
            wrong = f"a line without a process, where {len(self._alive)} are alive"
            raise TraceError(self._where, line, wrong, "let strace write each line's process: strace -f -o FILE …")
        return next(iter(self._alive))

    def called(self, process: bytes, call: bytes) -> None:
        calls = self._alive.get(process)
        if calls is None:
            calls = self._alive[process] = []
            self.sequences.append(calls)
        calls.append(call)

    def ended(self, process: bytes) -> None:
        """It has exited: who comes with its number is another."""
        self._alive.pop(process, None)
        self._attached.discard(process)
