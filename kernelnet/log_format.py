"""
``--log-format json`` of both services: each log event as one JSON object in a line, for collectors.

==============  ==============================================================================
``time``        RFC 3339, UTC
``level``       debug, info, warn, error, critical
``logger``      where in the program, such as C{kernelnet.hub}
``message``     as it would stand in the log for people
``traceback``   of a failure
==============  ==============================================================================
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from twisted.logger import FileLogObserver, LogEvent, LogLevel, formatEvent
from twisted.python import usage
from twisted.python.logfile import LogFile

from kernelnet.daemon import refuse

__all__ = ["OPTIONS", "asJson", "chooseFormat", "makeObserver"]

OPTIONS = [["log-format", None, "text", "text, or json: each log event as an object in a line"]]
_FORMATS = ("text", "json")


def asJson(event: LogEvent) -> str:
    """A log event as a line."""
    level = event.get("log_level", LogLevel.info)
    shown = {
        "time": datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(timespec="microseconds"),
        "level": level.name if level is not None else "info",
        "logger": str(event.get("log_namespace", "-")),
        "message": formatEvent(event),
    }
    failure = event.get("log_failure")
    if failure is not None:
        shown["message"] = shown["message"] or failure.getErrorMessage()
        shown["traceback"] = failure.getTraceback()
    text = json.dumps(shown, ensure_ascii=False, default=str) + "\n"
    # such as of a file name that is no UTF-8: the line would be lost
    return text.encode("utf-8", "replace").decode("utf-8")


def chooseFormat(service: str, options: usage.Options) -> None:
    """
    Have twistd log as C{options} say; call it in C{postOptions}, after the log file has its place.

    Ends the process with one line if they say something that there isn't, or if C{--logger} says otherwise.
    """
    chosen, parent = options["log-format"], getattr(options, "parent", None)
    if chosen not in _FORMATS:
        refuse(service, f"--log-format takes {' or '.join(_FORMATS)}, not {chosen!r}")
    if chosen == "text" or parent is None:
        return
    if parent["logger"]:
        refuse(service, "give either --log-format json or twistd's own --logger")
    # By name, since that is how twistd takes one; by then it has settled where the log goes.
    parent["logger"] = f"{__name__}.makeObserver"
    _twistd.append(parent)


_twistd: list[Any] = []
"""The options of the twistd that runs in this process; the last ones count."""


def makeObserver() -> FileLogObserver:
    """Make the observer with which twistd begins to log."""
    path = _twistd[-1]["logfile"]
    # As twistd does it: a daemon's log file is rotated when it grows.
    file: Any = sys.stdout if not path or path == "-" else LogFile.fromFullPath(path)
    return FileLogObserver(file, asJson)
