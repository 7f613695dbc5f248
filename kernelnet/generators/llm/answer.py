"""A model's answer, and the C source in it."""

from __future__ import annotations

import re

from msgspec import Struct

from kernelnet.untrusted import plain

__all__ = ["MAX_SOURCE", "Answer", "CallFailed", "Message", "NoSource", "hypothesisOf", "sourceIn"]

MAX_SOURCE = 64 * 1024
"""Bytes of a source that is looked at."""

Message = dict[str, str]
"""C{role} and C{content}."""

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_HYPOTHESIS = re.compile(r"\bHYPOTHESIS:\s*(.+?)\s*(?:\*/|\n\s*\n|\n\s*\*?\s*\n|$)", re.DOTALL)


class CallFailed(Exception):
    """
    No answer came of a call; the text is one line.

    @ivar again: seconds after which it may be sent again; C{None}: that would not help.
    @ivar isCharged: it may cost something all the same.
    """

    def __init__(self, reason: str, again: float | None = None, isCharged: bool = True) -> None:
        super().__init__(reason)
        self.again = again
        self.isCharged = isCharged


class Answer(Struct, frozen=True):
    """
    @ivar text: the model's.
    @ivar model: who answered, as the server says.
    @ivar usage: tokens of question and answer; C{None}: it didn't say, or no numbers.
    @ivar isWhole: the model came to an end, and was not cut off.
    @ivar seconds: that it took.
    """

    text: str
    model: str
    usage: tuple[int, int] | None
    isWhole: bool
    seconds: float


class NoSource(Exception):
    """There is no source in an answer; says what is there instead, for the model to read."""


def sourceIn(text: str, isWhole: bool) -> str:
    """
    The longest fenced block of an answer.

    @param isWhole: the answer wasn't cut off.
    @raise NoSource: there is none, or it is too large.
    """
    blocks = _FENCE.findall(text)
    if not blocks:
        if not isWhole:
            raise NoSource("the answer was cut off before its code block ended: write a shorter one")
        raise NoSource("the answer has no fenced code block: write one whole C file between ```c and ```")
    source = max(blocks, key=len)
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE:
        raise NoSource(f"the source has more than {MAX_SOURCE} bytes")
    return str(source)


def hypothesisOf(source: str) -> str:
    """The line that a source says it is about; empty: it doesn't."""
    found = _HYPOTHESIS.search(source[:8192])
    if found is None:
        return ""
    return plain(" ".join(line.strip(" \t*/") for line in found[1].splitlines()), 160)
