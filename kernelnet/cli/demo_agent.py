"""
The demo's agent: a script in the place of a language model, which uses C{kernelnet mcp} as any client does.

It runs as a process of its own, and writes each step with what came of it as a line of JSON.  What it submits is a
policy of two queues, which a person would write, too; its numbers are found by the tool C{tune}.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.mcp.client import Refused, ScriptedAgent
from kernelnet.workbench.file_system import workbench

__all__ = ["HYPOTHESIS", "AgentScript", "main"]

HYPOTHESIS = (
    "Most newcomers are asked for once: they prove themselves in a small queue first, and who comes back soon after"
    " it was dropped goes to the main one at once."
)

TUNING = {"evaluations": 200, "seconds": 25}
"""Search of a policy's numbers; by evaluations, so that it finds the same on a busy machine."""

COMPLETING = 20.0
"""Seconds that must be left for an invitation that is accepted."""

_TRIED = 3
"""Number of tasks that a policy is submitted for, until one takes it."""

_LOOK_EVERY = 0.3

_SETTLES = 1.0
"""Seconds after which the hub has said whose a session is."""

_GUESS = TWO_QUEUES.bake(TWO_QUEUES.known[0])
_WORSE = workbench.baselineSource("fifo")
_BROKEN = _WORSE.replace("u32 kn_victim", "u23 kn_victim")


class AgentScript:
    """
    The script.

    @param tell: is given each step, and what came of it.
    @param left: seconds until it must have ended.
    """

    def __init__(self, agent: ScriptedAgent, tell: Callable[[str, str], None], left: Callable[[], float]) -> None:
        self._agent = agent
        self._tell = tell
        self._left = left
        self._done: set[str] = set()
        self._best = _GUESS

    async def run(self) -> None:
        """All of it, as far as there is time."""
        agent = self._agent
        tasks = [task["task"] for task in await agent.call("list_tasks")]
        self._tell("lists tasks", f"{len(tasks)}, such as {tasks[0]}")
        facts = await agent.call("get_task", task=tasks[0])
        best = max(facts["baselines"], key=lambda each: each["train_level"])
        sources = sum(bool(each["source"]) for each in facts["baselines"])
        words = f"{len(facts['baselines'])} hand-made policies, {sources} with source; best on train: {best['name']}"
        self._tell("reads baselines", f"{words}, level {best['train_level']:.3f}")
        await self._fails(tasks[0])
        digest = await self._submits(tasks)
        await self._meanwhile(tasks, digest)

    async def _fails(self, task: str) -> None:
        try:
            await self._agent.call("submit", task=task, source=_BROKEN, hypothesis="a slip of the pen")
        except Refused as error:
            line = next((line for line in str(error).splitlines() if "error" in line), str(error))
            self._tell("submits one that doesn't compile", line.partition("component.c:")[2].strip())
        told = await self._agent.call("submit", task=task, source=_WORSE, hypothesis="first in, first out")
        self._tell("submits one that is worse", told["why"])

    async def _submits(self, tasks: Iterable[str]) -> str:
        """@return: digest of the component that came of it; empty: none did."""
        for task in list(tasks)[:_TRIED]:
            self._done.add(task)
            tuned = await self._agent.call("tune", task=task, source=_GUESS, **TUNING)
            told = await self._agent.call("submit", task=task, source=tuned["draft"], hypothesis=HYPOTHESIS)
            if told["accepted"]:
                words = f"accepted for {task}: {told['component']}, validation {told['validation_level']:.3f}"
                self._best = tuned["draft"]
                self._tell(f"submits one that it tuned ({tuned['evaluations']} evaluations)", words)
                return str(told["digest"])
            self._tell("submits one that it tuned", f"{task}: {told['why']}")
        return ""

    async def _meanwhile(self, tasks: list[str], digest: str) -> None:
        """Do what depends on peers, in the order in which it comes: their claims, their verdicts, their invitations."""
        waiting = {"verify": self._verifies, "work": lambda: self._works(tasks)}
        if digest:
            waiting["confirmed"] = lambda: self._isConfirmed(digest)
        while waiting and self._left() > COMPLETING:
            for name, look in list(waiting.items()):
                if await look():
                    del waiting[name]
            await asyncio.sleep(_LOOK_EVERY)
        for name, what in (
            ("verify", "verifies a peer's claim"),
            ("confirmed", "has its own claim verified"),
            ("work", "accepts an invitation"),
        ):
            if name in waiting:
                self._tell(what, "nothing came in time")

    async def _verifies(self) -> bool:
        theirs = [each for each in await self._agent.call("list_components") if not each["mine"]]
        if not theirs:
            return False
        verified = await self._agent.call("verify_claim", digest=theirs[0]["digest"])
        self._tell("verifies a peer's claim", f"{theirs[0]['digest'][:12]} of {theirs[0]['by']}: {verified['verdict']}")
        return True

    async def _isConfirmed(self, digest: str) -> bool:
        by = (await self._agent.call("get_component", digest=digest))["line"]["confirmed_by"]
        if by:
            self._tell("has its own claim verified", f"confirmed by {', '.join(by)}")
        return bool(by)

    async def _works(self, tasks: Sequence[str]) -> bool:
        """Whether an invitation was accepted that nobody had taken, and is done with."""
        for one in await self._agent.call("list_invitations"):
            if one["kind"] != "invitation":
                continue
            if one["type"] == "performance_optimization":
                await self._declines(one["id"])
                continue
            try:
                await self._agent.call("answer_invitation", id=one["id"], accept=True)
            except Refused:  # a peer was quicker
                continue
            if await self._runs(one["id"]):
                self._tell("accepts an invitation", f"{one['type'].replace('_', ' ')} with {one['by']}")
                await self._completes(one["id"], tasks)
                return True
        return False

    async def _declines(self, id_: str) -> None:
        with contextlib.suppress(Refused):  # it is over
            reason = "this script makes policies better, and none cheaper"
            await self._agent.call("answer_invitation", id=id_, accept=False, reason=reason)

    async def _completes(self, id_: str, tasks: Sequence[str]) -> None:
        await self._agent.call("add_note", id=id_, text=f"I try this: {HYPOTHESIS}")
        self._tell("writes a note in the session", HYPOTHESIS)
        why = "no task was left for which it might pass the guard"
        for task in [task for task in tasks if task not in self._done]:
            if self._left() < COMPLETING / 2:
                why = "there was no time for more"
                break
            self._done.add(task)
            tuned = await self._agent.call("tune", task=task, source=self._best, seed=1, **TUNING)
            told = await self._agent.call(
                "complete_session", id=id_, task=task, source=tuned["draft"], note=HYPOTHESIS[:200]
            )
            if told["shared"]:
                self._tell("completes the session", f"for {task}: {told['component']}")
                return
            why = told["why"]
            self._tell("submits for the session", f"{task}: {why}")
        await self._agent.call("complete_session", id=id_, note=why[:300])
        self._tell("gives the session up", why)

    async def _runs(self, id_: str) -> bool:
        """Whether the hub says that a session is ours: who accepted it first has it."""
        await asyncio.sleep(_SETTLES)
        return any(
            each["id"] == id_ and each["kind"] == "session" for each in await self._agent.call("list_invitations")
        )


def main(arguments: list[str] | None = None) -> int:
    """The process.  @return: its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--steps", type=Path, required=True, help="file for what it did, a line of JSON each")
    parser.add_argument("mcp", nargs="+", help="the command that serves it")
    options = parser.parse_args(arguments)
    began = time.monotonic()

    def tell(what: str, came: str) -> None:
        step = {"at": round(time.monotonic() - began, 1), "what": what, "came": " ".join(came.split())[:400]}
        with open(options.steps, "a", opener=partial(os.open, mode=0o600)) as file:
            file.write(f"{json.dumps(step)}\n")

    asyncio.run(_serve(options.mcp, tell, lambda: options.seconds - (time.monotonic() - began)))
    return 0


async def _serve(command: list[str], tell: Callable[[str, str], None], left: Callable[[], float]) -> None:
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(stdio_client(server)) as client:
        try:
            await AgentScript(ScriptedAgent(client), tell, left).run()
        except Refused as error:
            tell("is refused", str(error))


if __name__ == "__main__":
    sys.exit(main())
