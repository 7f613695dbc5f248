"""C{kernelnet mcp} as its clients start it: over pipes, and over HTTP with and without its token."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.mcp.agent import TASK, Agent
from tests.system.support import Process, SystemTestCase

_PROGRAM = str(Path(sys.executable).with_name("kernelnet"))


class ProcessTests(SystemTestCase):
    def arguments(self, *more: str) -> list[str]:
        return ["mcp", "--local", "--state", str(self.state.path), "--workbench", "file_system", *more]

    def test_pipes(self) -> None:
        """Over pipes, clients of either protocol are served; the process ends with its client, and leaves its lock."""

        async def main() -> None:
            server = StdioServerParameters(command=_PROGRAM, args=self.arguments(), env=dict(os.environ))
            for mode in ("auto", "legacy"):
                async with Client(stdio_client(server), mode=mode) as client:
                    agent = Agent(client)
                    found = await agent.call("measure", task=TASK, source="lru")
                    self.assertEqual(found["train"]["level"], 0)

        asyncio.run(main())

    def test_http(self) -> None:
        """Over HTTP who has the token is served; no token, another one, another host or origin is refused."""
        process = Process([_PROGRAM, *self.arguments("--http", "0")], self.folder, dict(os.environ))
        self.addCleanup(process.close)
        told = process.waitFor("bearer token in")
        url, path = told.split(",")[0], Path(told.rsplit(" ", 1)[1])
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertNotIn(path.read_text().strip(), "".join(process.lines))
        good = {"Authorization": f"Bearer {path.read_text().strip()}"}

        async def main() -> None:
            async with httpx2.AsyncClient(headers=good, timeout=60) as http:
                async with Client(streamable_http_client(url, http_client=http)) as client:
                    found = await Agent(client).call("measure", task=TASK, source="lru")
                    self.assertEqual(found["train"]["level"], 0)
                body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
                accept = {"Accept": "application/json, text/event-stream"}
                for code, more in (
                    (401, {"Authorization": ""}),
                    (401, {"Authorization": "Bearer " + "x" * 43}),
                    (421, {"Host": "evil.example"}),
                    (403, {"Origin": "http://evil.example"}),
                ):
                    answer = await http.post(url, json=body, headers={**accept, **more})
                    self.assertEqual(answer.status_code, code, more)

        asyncio.run(main())
        process.process.send_signal(signal.SIGTERM)
        self.assertEqual(process.process.wait(20), 128 + signal.SIGTERM)

    def test_mistakes(self) -> None:
        """A wrong command line, and a second process for the same id, are one line each."""
        for arguments, words in (
            (["--hub", "localhost:1"], "--local is without a hub"),
            (["--workbench", "nope"], "unknown workbench 'nope'"),
            (["--id", "no id"], "ai_id"),
        ):
            found = subprocess.run([_PROGRAM, *self.arguments(*arguments)], capture_output=True, text=True, check=False)
            self.assertNotEqual(found.returncode, 0)
            self.assertIn(words, found.stderr)
            self.assertNotIn("Traceback", found.stderr)
        first = Process([_PROGRAM, *self.arguments("--http", "0")], self.folder, dict(os.environ))
        self.addCleanup(first.close)
        first.waitFor("bearer token in")
        second = subprocess.run([_PROGRAM, *self.arguments()], capture_output=True, text=True, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another process is using", second.stderr)

    def test_skill(self) -> None:
        """The skill that ships is printed for clients that take such a file."""
        found = subprocess.run([_PROGRAM, "mcp", "--skill"], capture_output=True, text=True, check=True)
        self.assertTrue(found.stdout.startswith("---\nname: kernelnet\n"))
