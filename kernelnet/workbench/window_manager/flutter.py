"""
Flutter's C{PointerData}, as applications and tests write it down as JSON (U{https://api.flutter.dev/flutter/dart-ui/PointerData-class.html}).

Objects may stand anywhere, such as in a list by frames; what counts is their C{timeStamp} (microseconds; also
C{timeStampMicroseconds}), C{physicalX} and C{physicalY} (pixels), and C{change}, a number or a word of
C{PointerChange}. Of several pointers at a time the first one counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from kernelnet.workbench.account import MAX_FIRST
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import pieces
from kernelnet.workbench.window_manager.movement import FARTHEST, Samples

__all__ = ["CHANGES", "readFlutter"]

MAX_BYTES = 64 << 20
"""Decompressed: such a file is read as a whole."""

CHANGES = ("cancel", "add", "remove", "hover", "down", "move", "up")
"""Of C{PointerChange}, in its order."""

_THERE = ("hover", "down", "move", "up")
_GONE = ("cancel", "remove", "up")
_RIGHT = "a pointer's event should have timeStamp, physicalX, physicalY and change, as Flutter's PointerData"


def readFlutter(path: Path, samples: Samples) -> None:
    """@raise TraceError: it is no JSON, or has none of these objects, or one with a wrong value."""
    text = bytearray()
    for piece in pieces(path):
        text += piece
        if len(text) > MAX_BYTES:
            raise TraceError(path, None, f"more than {MAX_BYTES >> 20} MiB of JSON", "use a part of it")
    try:
        whole = msgspec.json.decode(bytes(text))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise TraceError(path, None, f"no JSON: {str(error)[:100]}", _RIGHT) from None
    account = samples.account
    account.format = "Flutter's PointerData, as JSON"
    found, pointer = 0, None
    for event in _events(whole):
        found += 1
        change = _change(path, found, event.get("change"))
        time = _number(path, found, event, "timeStamp" if "timeStamp" in event else "timeStampMicroseconds", 1e15)
        x, y = (_number(path, found, event, name, FARTHEST) for name in ("physicalX", "physicalY"))
        which = (event.get("device", 0), event.get("pointerIdentifier", 0))
        if pointer is not None and which != pointer and change in ("move", "up", "cancel", "remove"):
            account.skipped["events of a second pointer"] += 1
            continue
        if change in ("add", "down") and pointer not in (None, which):
            account.skipped["events of a second pointer"] += 1
            continue
        if change in _THERE:
            if samples.time is not None and time < samples.time:
                raise TraceError(path, None, f"event {found}: time goes back to {time:g} us", "it should go on")
            samples.at(round(time), x, y)
            if len(account.first) < MAX_FIRST:
                account.first.append((f"event {found}", f"{change} at {time:.0f} us: {x:g} right, {y:g} down"))
            pointer = which if change in ("down", "move") else pointer
        if change in _GONE:
            samples.lift()
            pointer = None
    if not found:
        raise TraceError(path, None, "no events of a pointer in it", _RIGHT)
    account.figures["events"] = found


def _events(whole: Any) -> Iterator[dict[str, Any]]:
    """All objects that say where a pointer is, in their order; no deeper nested than a decoder allows."""
    waiting = [whole]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "physicalX" in value or "physicalY" in value:
                yield value
            else:
                waiting.extend(reversed(list(value.values())))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def _change(path: Path, number: int, value: Any) -> str:
    if isinstance(value, str) and value.rpartition(".")[2] in CHANGES:
        return value.rpartition(".")[2]
    if isinstance(value, int) and not isinstance(value, bool):
        # Those behind are of touchpads' gestures, which move no pointer.
        return CHANGES[value] if 0 <= value < len(CHANGES) else "add"
    raise TraceError(
        path, None, f"event {number}: change is {str(value)[:40]!r}", f"it should be 0 to 6, or {', '.join(CHANGES)}"
    )


def _number(path: Path, number: int, event: dict[str, Any], name: str, most: float) -> float:
    value = event.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or abs(value) > most:
        raise TraceError(
            path, None, f"event {number}: {name} is {str(value)[:40]!r}", f"it should be a number; {_RIGHT}"
        )
    return float(value)
