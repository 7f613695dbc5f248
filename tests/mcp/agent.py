"""A scripted agent: the SDK's client, its calls in a transcript, and jobs polled until they are done."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.client import Client

from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.workbench.file_system import workbench

__all__ = ["CAPACITY", "GOOD", "SOUND", "TASK", "Agent", "Refused", "until"]

TASK = "file_system/compiler-59-blocks"
CAPACITY = 59

SOUND = workbench.baselineSource("fifo")
"""A policy that runs, and that is no better than the hand-made ones."""

GOOD = TWO_QUEUES.bake((0.02, 1.9, 4, 0, 0, 0, 6, 0, 0, 0, 0, 0))
"""One that passes the guard on `TASK`: the template, with numbers that tuning it found; they are marked."""


class Refused(Exception):
    """A tool's result that is an error; its text is what the agent reads."""


class Agent:
    """
    @ivar transcript: calls with their answers, in lines.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.transcript: list[str] = []

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Result of a tool; of one that gives a job, the job's. @raise Refused: it is an error."""
        answer = await self.raw(tool, **arguments)
        while isinstance(answer, dict) and answer.get("state") in ("waiting", "running"):
            answer = await self.raw("get_job", job=answer["job"])
        if isinstance(answer, dict) and "job" in answer:
            return answer["result"]
        return answer["result"] if isinstance(answer, dict) and set(answer) == {"result"} else answer

    async def raw(self, tool: str, **arguments: Any) -> Any:
        """The very answer of one call."""
        began = time.monotonic()
        result = await self._client.call_tool(tool, arguments)
        shown = {key: value if len(str(value)) < 60 else f"{str(value)[:57]}…" for key, value in arguments.items()}
        text = " ".join(getattr(result.content[0], "text", "").split()) if result.content else ""
        asked = f"{tool}({json.dumps(shown)}) -> "
        if self.transcript and self.transcript[-1].startswith(asked):
            self.transcript.pop()  # of what is asked again and again the last answer is worth reading
        self.transcript.append(f"{asked}{time.monotonic() - began:.2f} s: {text[:240]}")
        if result.is_error:
            raise Refused(getattr(result.content[0], "text", ""))
        return result.structured_content


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 90.0) -> Any:
    """First thing that C{look} finds which is not empty."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise AssertionError("it does not happen")
        await asyncio.sleep(0.5)
    return found
