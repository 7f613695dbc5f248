"""C{kernelnet status}."""

from __future__ import annotations

from typing import Any
from unittest import mock

from kernelnet.cli import status
from tests.cli.support import CliTestCase

FOUND: dict[str, Any] = {
    "port": 6000,
    "log": {"position": 7},
    "ais": {
        f"AI_{at}": {"specialization": "x\x1b[red]" * 9, "protocol": 2, "since": "2026-11-22T22:10:13.640113Z"}
        for at in range(3)
    },
    "stored": {"patterns": 2},
    "blobs": {"count": 2, "bytes": 200_000_001},
    "sessions": {},
    "messages": {"hello": 3},
}


def aNode(name: str, **fields: Any) -> dict[str, Any]:
    numbers = {"ais": 2, "connections": 3, "messages_per_second": 1234.5, "position": 7, "behind": 0}
    return {"node": name, "state": "alive", "address": "h:6000", "version": "1.0", "started": "", **numbers, **fields}


class StatusTests(CliTestCase):
    def test_nodes(self) -> None:
        """Where several hubs use one database each AI has its node, and each node a line, with dashes if it is away."""
        away = dict.fromkeys(("connections", "messages_per_second", "behind"))
        found = {
            **FOUND,
            "ais": {
                "A": {**FOUND["ais"]["AI_0"], "node": "east"},
                "B": {**FOUND["ais"]["AI_0"], "node": "west", "protocol": None},
            },
            "nodes": [aNode("east"), aNode("north", state="away", ais=0, **away), aNode("west", behind=12)],
            "total": {"nodes": 2, "ais": 4, "connections": 6, "messages_per_second": 2469.0},
        }
        with mock.patch.object(status, "ask", return_value=found):
            lines = self.succeed("status").splitlines()
        self.assertTrue(lines[3].rstrip().endswith("east") and lines[4].rstrip().endswith("west"), lines)
        self.assertEqual(lines[5], "and 2 more")
        self.assertIn("2 of 3 nodes are there: 4 AIs, 6 connections, 2469 messages/s", lines)
        self.assertRegex(lines[-3], r"^east +alive +2 +3 +1,234.5 +7 +0 ")
        self.assertRegex(lines[-2], r"^north +away +0 +- +- +7 +- ")
        self.assertRegex(lines[-1], r"^west +alive +2 +3 +1,234.5 +7 +12 ")

    def test_unknown(self) -> None:
        """A hub whose store of blobs says nothing has no number of them."""
        with mock.patch.object(status, "ask", return_value={**FOUND, "blobs": None}):
            self.assertIn("blobs: what keeps them says nothing", self.succeed("status").splitlines())

    def test_table(self) -> None:
        """Who is connected is one line each on 80 columns, whatever they call themselves; then what is held."""
        with mock.patch.object(status, "ask", return_value=FOUND):
            lines = self.onTerminal("status")
        self.assertEqual(lines[0].rstrip(), "hub at port 6000, log position 7")
        self.assertEqual([line[:4] for line in lines[3:6]], ["AI_0", "AI_1", "AI_2"])
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertNotIn("\x1b", "".join(lines))
        told = [
            "stored: 2 patterns",
            "blobs: 2, 200,000,001 bytes",
            "sessions: none",
            "messages: 3 hello",
            "limits: none",
        ]
        self.assertEqual(lines[6:], told)
