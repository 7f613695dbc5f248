"""A scripted agent beside two ordinary trainers, on a real hub: C{kernelnet mcp} as its client starts it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.mcp.agent import GOOD, SOUND, TASK, Agent, Refused, until
from tests.system.support import SystemTestCase


class AgentOnHubTests(SystemTestCase):
    """Long, since two trainers learn and search meanwhile."""

    def server(self, *arguments: str) -> StdioServerParameters:
        program = str(Path(sys.executable).with_name("kernelnet"))
        where = ["--state", str(self.state.path), "--hub", f"localhost:{self.port}", "--id", "AGENT"]
        return StdioServerParameters(command=program, args=["mcp", *where, *arguments], env=dict(os.environ))

    def test_agent(self) -> None:
        """
        It is told why a policy doesn't compile, and why one is refused; its good one is confirmed by both; it verifies
        a peer's claim, and accepts an invitation and completes it.
        """
        self.startHub()
        for aiId in ("AI_1", "AI_2"):
            self.trainer(aiId, "--specialization", "process_manager", "--jobs", "1").waitFor("trains on")
        asyncio.run(self._agent())

    async def _agent(self) -> None:
        async with Client(stdio_client(self.server("--specialization", "file_system"))) as client:
            agent = Agent(client)
            try:
                await self._work(agent)
            finally:
                if out := os.environ.get("KERNELNET_TRANSCRIPT"):
                    Path(out).write_text("\n".join(agent.transcript) + "\n")

    async def _work(self, agent: Agent) -> None:
        tasks = await agent.call("list_tasks")
        self.assertIn(TASK, [task["task"] for task in tasks])
        facts = await agent.call("get_task", task=TASK)
        self.assertEqual(sum(bool(each["source"]) for each in facts["baselines"]), 2)

        with self.assertRaisesRegex(Refused, "component.c:.*error"):
            await agent.call("submit", task=TASK, source=SOUND.replace("hand", "ha nd"), hypothesis="it compiles")
        refused = await agent.call("submit", task=TASK, source=SOUND, hypothesis="first in, first out")
        self.assertFalse(refused["accepted"])
        self.assertRegex(refused["why"], "no better on validation .* than the hand-made policy")

        accepted = await agent.call("submit", task=TASK, source=GOOD, hypothesis="newcomers prove themselves first")
        self.assertTrue(accepted["accepted"], accepted)
        self.assertTrue(accepted["shared"])

        async def confirmed() -> Any:
            known = await agent.call("get_component", digest=accepted["digest"])
            return {"AI_1", "AI_2"} <= set(known["line"]["confirmed_by"])

        await until(confirmed)

        async def theirs() -> Any:
            return [each for each in await agent.call("list_components") if not each["mine"]]

        digest = (await until(theirs))[0]["digest"]
        verified = await agent.call("verify_claim", digest=digest)
        self.assertEqual(verified["verdict"], "confirmed")
        peer = await agent.call("get_component", digest=digest)
        self.assertIn("stranger", peer["source"]["untrusted"])

        async def invited() -> Any:
            return [each for each in await agent.call("list_invitations") if each["kind"] == "invitation"]

        invitation = (await until(invited))[0]
        self.assertIn("stranger", invitation["wanted"]["untrusted"])
        await agent.call("answer_invitation", id=invitation["id"], accept=True)
        other = "file_system/sqlite-55-blocks"
        tuned = await agent.call("tune", task=other, source=GOOD, seconds=60, evaluations=600, seed=1)
        done = await agent.call(
            "complete_session", id=invitation["id"], task=other, source=tuned["draft"], note="tuned for another trace"
        )
        self.assertTrue(done["shared"], done)

        async def over() -> Any:
            return not any(each["id"] == invitation["id"] for each in await agent.call("list_invitations"))

        await until(over)
        standings = await agent.call("leaderboard")
        self.assertTrue(any(each["mine"] for each in standings))
