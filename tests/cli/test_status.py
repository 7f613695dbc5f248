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


class StatusTests(CliTestCase):
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
