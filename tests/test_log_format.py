"""Logs for programs: each event one JSON object in a line, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import LogLevel
from twisted.python import usage
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.log_format import OPTIONS, asJson, chooseFormat


class Twistd(usage.Options):
    optParameters = [["logfile", "l", None, ""], ["logger", None, None, ""]]
    optFlags = [["nodaemon", "n", ""]]


class Service(usage.Options):
    optParameters = OPTIONS


class EventTests(SynchronousTestCase):
    def shown(self, **event: Any) -> dict[str, Any]:
        line = asJson(event)
        self.assertEqual((line.count("\n"), line[-1]), (1, "\n"))
        found: dict[str, Any] = json.loads(line)
        return found

    def test_event(self) -> None:
        """Time, level, where from, and the words that people would read."""
        event = {"log_time": 1.5, "log_level": LogLevel.warn, "log_namespace": "kernelnet.hub"}
        self.assertEqual(
            self.shown(**event, log_format="{who} left", who="AI_1\nAI_2"),
            {
                "time": "1970-01-01T00:00:01.500000+00:00",
                "level": "warn",
                "logger": "kernelnet.hub",
                "message": "AI_1\nAI_2 left",
            },
        )

    def test_failure(self) -> None:
        """A failure has its traceback in the same line."""
        try:
            raise ValueError("bad")
        except ValueError:
            found = self.shown(log_failure=Failure(), log_format="it failed", log_time=0.0)
        self.assertIn("ValueError: bad", found["traceback"])
        self.assertEqual(found["message"], "it failed")

    def test_bare(self) -> None:
        """What is in no event of ours needs not be there."""
        self.assertEqual(self.shown()["level"], "info")

    def test_undecodable(self) -> None:
        """A file name that is no UTF-8 doesn't cost the line."""
        line = asJson({"log_format": "can't read {path}", "path": "a\udcff"})
        self.assertEqual(json.loads(line.encode("utf-8"))["message"], "can't read a?")


class ChoiceTests(SynchronousTestCase):
    def chosen(self, *arguments: str, twistd: tuple[str, ...] = ()) -> Any:
        parent, options = Twistd(), Service()
        parent.parseOptions(twistd)
        options.parent = parent
        options.parseOptions(arguments)
        chooseFormat("kernelhub", options)
        return parent["logger"]

    def test_choice(self) -> None:
        """Text is twistd's own way; JSON is an observer of ours; anything else, or both ways at once, is refused."""
        self.assertIsNone(self.chosen())
        self.assertTrue(callable(namedAny(self.chosen("--log-format", "json"))))
        for arguments, twistd in ((("--log-format", "xml"), ()), (("--log-format", "json"), ("--logger", "a.b"))):
            refusal = self.assertRaises(SystemExit, self.chosen, *arguments, twistd=twistd)
            self.assertEqual(str(refusal.code).count("\n"), 0)
