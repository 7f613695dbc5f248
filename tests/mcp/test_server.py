"""Tests of the tools that need no hub, by the SDK's client in memory."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp.client import Client
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.mcp.folder import AgentFolder
from kernelnet.mcp.jobs import Jobs
from kernelnet.mcp.measurements import _luck
from kernelnet.mcp.server import makeServer
from kernelnet.mcp.submission import MOST_AN_HOUR
from kernelnet.mcp.tasks import TaskList
from kernelnet.mcp.workshop import Workshop
from kernelnet.workbench.file_system import workbench
from tests.mcp.agent import CAPACITY, GOOD, LUCKY, LUCKY_TASK, SOUND, TASK, Agent, Refused

_ENDLESS = SOUND.replace("u32 victim = hand;", "u32 victim = hand; for (volatile u32 i = 0; i < 100000; i++);")
_OUTSIDE = SOUND.replace("return victim;", "return victim == 7 ? capacity : victim;")


class ServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.assertIn("return victim == 7", _OUTSIDE)
        self.assertIn("volatile", _ENDLESS)
        folder = tempfile.TemporaryDirectory(prefix="kernelnet-test-")
        self.addCleanup(folder.cleanup)
        self.outside = Path(folder.name)
        self.now = 1_000_000.0
        self.folder = AgentFolder(self.outside / "agent", clock=lambda: self.now)
        self.workshop = Workshop(TaskList([workbench]), self.folder, "agent")

    def withAgent(self, work: Callable[[Agent], Awaitable[None]], mode: str = "auto") -> None:
        """Do some work as an agent."""

        async def main() -> None:
            async with Client(makeServer(self.workshop, Jobs()), mode=mode) as client:
                await work(Agent(client))

        asyncio.run(main())

    def refusal(self, pattern: str, tool: str, **arguments: Any) -> None:
        """A call that is an error, whose text the agent learns from."""

        async def work(agent: Agent) -> None:
            with self.assertRaisesRegex(Refused, pattern):
                await agent.call(tool, **arguments)

        self.withAgent(work)

    def test_tools(self) -> None:
        """Tools have the names of the design, descriptions, output schemas and hints, in a fixed order."""

        async def main() -> None:
            async with Client(makeServer(self.workshop, Jobs())) as client:
                tools = (await client.list_tools()).tools
                expected = "list_tasks get_task statistics get_job cancel_job compile measure compare explain_failure"
                expected += " tune submit train_part export"
                self.assertEqual([tool.name for tool in tools], expected.split())
                for tool in tools:
                    assert tool.description and tool.output_schema and tool.annotations, tool.name
                    self.assertEqual(tool.annotations.open_world_hint, False)

        asyncio.run(main())

    def test_olderClients(self) -> None:
        """A client of the protocol with a handshake is served as well."""

        async def work(agent: Agent) -> None:
            tasks = await agent.call("list_tasks")
            self.assertEqual(tasks[0]["task"], TASK)

        self.withAgent(work, "legacy")

    def test_task(self) -> None:
        """A task tells limits, levels with an idea each, two sources, statistics of train, and nothing of held-out."""

        async def work(agent: Agent) -> None:
            facts = await agent.call("get_task", task=TASK)
            self.assertIn("kn_victim", facts["header"])
            self.assertRegex(facts["fuel"], r"about \d+ units an event .* lru takes")
            self.assertRegex(facts["memory"], "64 MiB")
            self.assertEqual(sum(bool(each["source"]) for each in facts["baselines"]), 2)
            levels = [each["train_level"] for each in facts["baselines"]]
            self.assertEqual(levels, sorted(levels, reverse=True))
            self.assertTrue(all(each["idea"] for each in facts["baselines"]))
            self.assertEqual(facts["events"].keys(), {"train", "validation"})
            self.assertEqual(facts["statistics"]["requests"], facts["events"]["train"])
            short = await agent.call("get_task", task=TASK, sources=["arc"], header=False)
            self.assertEqual([each["name"] for each in short["baselines"] if each["source"]], ["arc"])
            self.assertEqual(short["header"], "")

        self.withAgent(work)

    def test_mistakes(self) -> None:
        """Mistakes name what would be right: a task, a policy, a draft, a target, a marked number."""
        self.refusal("no task 'x'; there are: file_system/compiler-59-blocks", "get_task", task="x")
        self.refusal("there are: fifo, lru", "get_task", task=TASK, sources=["nope"])
        self.refusal("no policy: give the whole C source", "measure", task=TASK, source="hello")
        self.refusal("give the whole source", "measure", task=TASK, source="draft-0123456789ab")
        self.refusal("there are: bpf-tcp, c, libcachesim", "export", task=TASK, source="lru", target="exe")
        self.refusal("marks no numbers: put them", "tune", task=TASK, source=SOUND)
        self.refusal("marked are: SMALL_SHARE", "tune", task=TASK, source=GOOD, fixed=["SMALL"])
        self.refusal("there is no job 'x'", "get_job", job="x")

    def test_compile(self) -> None:
        """The compiler's message reaches the agent, and a source can't read files of this machine."""
        self.refusal("component.c:.*error", "compile", task=TASK, source=SOUND.replace("hand", "ha nd"))
        secret = self.outside / "secret.h"
        secret.write_text("int secret;\n")
        self.refusal("error", "compile", task=TASK, source=f'#include "{secret}"\n{SOUND}')
        self.refusal(
            "exports no kn_victim", "compile", task=TASK, source=SOUND.replace("u32 kn_victim", "static u32 v")
        )

    def test_measure(self) -> None:
        """A measurement has windows beside the best hand-made policy, fuel beside its limit, and a spread."""

        async def work(agent: Agent) -> None:
            found = await agent.call("measure", task=TASK, source=GOOD)
            self.assertGreater(found["validation"]["level"], found["validation"]["its_level"])
            self.assertEqual(len(found["windows"]), 16)
            self.assertLess(found["fuel"]["used"], found["fuel"]["limit"])
            self.assertEqual(len(found["spread"]["levels"]), 4)
            self.assertNotIn("held", str(found))
            again = await agent.call("measure", task=TASK, source=found["draft"])
            self.assertEqual({**again, "run_seconds": 0}, {**found, "run_seconds": 0})

        self.withAgent(work)

    def test_compare(self) -> None:
        """Two policies are compared in pairs of windows: one is better beyond noise, or there is no difference."""

        async def work(agent: Agent) -> None:
            found = await agent.call("compare", task=TASK, a=GOOD, b="lru")
            self.assertGreater(found["interval"][0], 0)
            self.assertIn("better", found["words"])
            self.assertNotIn("luck", found["words"])
            same = await agent.call("compare", task=TASK, a="lru", b="lru", split="train")
            self.assertEqual(same["mean_gain_of_a"], 0)
            self.assertIn("no difference", same["words"])

        self.withAgent(work)

    def test_refusedAsLuck(self) -> None:
        """Of a gain that the guard refuses as luck a comparison warns before it is submitted."""

        async def work(agent: Agent) -> None:
            found = await agent.call("compare", task=LUCKY_TASK, a=LUCKY, b="s3fifo")
            self.assertGreater(found["interval"][0], 0)
            self.assertIn("the guard would take it for luck", found["words"])
            refused = await agent.call("submit", task=LUCKY_TASK, source=LUCKY, hypothesis="it is luck, I think")
            # So little is it that already on a quarter of the variants there is nothing of it.
            self.assertRegex(refused["why"], "refused: .* than the hand-made policy s3fifo .* on 2 of 8 variants")

        self.withAgent(work)

    def test_account(self) -> None:
        """What an agent measures and tunes is counted by task, with the best levels, as a search's is."""
        self.assertEqual(self.workshop.account.told(), {})

        async def work(agent: Agent) -> None:
            good = await agent.call("measure", task=TASK, source=GOOD)
            await agent.call("measure", task=TASK, source="lru")
            told = self.workshop.account.told()
            self.assertEqual(told["scenario"]["settings"], {"capacity": CAPACITY})
            levels = {split: good[split]["level"] for split in ("train", "validation")}
            self.assertEqual(told["search"], {"evaluations": 2, **levels})
            tuned = await agent.call("tune", task=TASK, source=GOOD, seconds=60, evaluations=20)
            self.assertEqual(self.workshop.account.told()["search"]["evaluations"], 2 + tuned["evaluations"])

        self.withAgent(work)

    def test_failures(self) -> None:
        """A failure is explained: kind, event, function, and where the fuel went."""

        async def work(agent: Agent) -> None:
            with self.assertRaisesRegex(Refused, "OutOfFuel.*explain_failure of draft-"):
                await agent.call("measure", task=TASK, source=_ENDLESS)
            slow = await agent.call("explain_failure", task=TASK, source=_ENDLESS)
            self.assertEqual((slow["kind"], slow["functions"][0]), ("OutOfFuel", "kn_victim"))
            self.assertGreater(slow["fuel_by_function"]["kn_victim"], 0.9)
            broken = await agent.call("explain_failure", task=TASK, source=_OUTSIDE)
            self.assertEqual(broken["kind"], "ContractBroken")
            self.assertIn(f"request {broken['event']}", broken["error"])
            self.assertFalse((await agent.call("explain_failure", task=TASK, source=SOUND))["fails"])

        self.withAgent(work)

    def test_tune(self) -> None:
        """Tuning finds better numbers by the search, keeps the fixed ones, and says how much depends on each."""

        async def work(agent: Agent) -> None:
            start = GOOD.replace("#define SMALL_SHARE 0.02", "#define SMALL_SHARE 0.6")
            for objective in ("mean", "worst_window"):
                found = await agent.call(
                    "tune",
                    task=TASK,
                    source=start,
                    seconds=60,
                    evaluations=60,
                    fixed=["GHOST_SHARE"],
                    objective=objective,
                )
                self.assertGreater(found["after"]["train"], found["before"]["train"])
                names = [each["name"] for each in found["numbers"]]
                self.assertNotIn("GHOST_SHARE", names)
                self.assertIn("#define GHOST_SHARE 1.9 ", found["source"])
                self.assertIsNotNone(found["numbers"][names.index("SMALL_SHARE")]["higher"])
                measured = await agent.call("measure", task=TASK, source=found["draft"])
                self.assertEqual(measured["train"]["level"], found["after"]["train"])

        self.withAgent(work)

    def test_jobs(self) -> None:
        """Tuning that takes long is a job, whose progress can be asked for, and which can be cancelled."""

        async def work(agent: Agent) -> None:
            began = time.monotonic()
            first = await agent.raw("tune", task=TASK, source=GOOD, seconds=300)
            self.assertLess(time.monotonic() - began, 30)
            self.assertEqual(first["state"], "running")
            ended = await agent.raw("cancel_job", job=first["job"])
            while ended["state"] == "running":
                ended = await agent.raw("get_job", job=first["job"])
            self.assertEqual(ended["state"], "cancelled")

        self.withAgent(work)

    def test_submission(self) -> None:
        """What is worse is refused with how; what is better becomes a component, which is the next one's rival."""

        async def work(agent: Agent) -> None:
            refused = await agent.call("submit", task=TASK, source=SOUND, hypothesis="first in, first out")
            self.assertRegex(refused["why"], "no better on validation .* hand-made policy")
            self.assertEqual((refused["held_out_level"], refused["digest"]), (None, ""))
            hypotheses = ["newcomers prove themselves"]
            accepted = await agent.call("submit", task=TASK, source=GOOD, hypothesis=hypotheses[0])
            self.assertTrue(accepted["accepted"])
            self.assertAlmostEqual(accepted["held_out_level"] * 100, round(accepted["held_out_level"] * 100))
            again = await agent.call("submit", task=TASK, source=f"{GOOD}\n", hypothesis="the same once more")
            self.assertRegex(again["why"], f"known already, {accepted['component']}; the submission doesn't count")
            self.assertEqual(again["submissions_left"], accepted["submissions_left"])
            kept = self.folder.components()
            self.assertEqual([component.description for component in kept], ["newcomers prove themselves"])
            self.assertEqual([component.manifest.hypothesis for component in kept if component.manifest], hypotheses)
            with self.assertRaisesRegex(Refused, "built_on: 0 components .* have the digest '0123456'"):
                await agent.call("submit", task=TASK, source=GOOD, hypothesis="a better one", built_on=["0123456"])
            self.assertEqual(self.workshop.parents([accepted["digest"][:8]]), (accepted["digest"],))
            facts = await agent.call("get_task", task=TASK, header=False)
            self.assertEqual(facts["best_known"][0]["digest"], accepted["digest"])

        self.withAgent(work)

    def test_limit(self) -> None:
        """Submissions for a task are limited by the hour, also over restarts; the ledger is no agent's to lose."""

        async def work(agent: Agent) -> None:
            for _ in range(MOST_AN_HOUR):
                await agent.call("submit", task=TASK, source=SOUND, hypothesis="again and again")
            self.workshop = Workshop(TaskList([workbench]), AgentFolder(self.folder.path, lambda: self.now), "agent")

        async def more(agent: Agent) -> None:
            with self.assertRaisesRegex(Refused, "6 submissions an hour"):
                await agent.call("submit", task=TASK, source=SOUND, hypothesis="and once more")
            self.now += 3601
            await agent.call("submit", task=TASK, source=SOUND, hypothesis="after an hour")

        self.withAgent(work)
        self.withAgent(more)
        (self.folder.path / "ledger.json").write_text("{")
        self.refusal("must mend or remove it", "submit", task=TASK, source=SOUND, hypothesis="it is lost")

    def test_files(self) -> None:
        """The training part, and nothing behind it, and exports are written into the agent's folder, nowhere else."""

        async def work(agent: Agent) -> None:
            written = await agent.call("train_part", task=TASK)
            lines = Path(written["files"][0]).read_text().splitlines()
            self.assertEqual(len(lines) - 1, workbench.scenario(workbench.traces()[0]).events["train"])
            exported = await agent.call("export", task=TASK, source="lru", target="c")
            for path in (written["files"][0], exported["folder"]):
                self.assertTrue(Path(path).is_relative_to(self.folder.path))
            self.assertIn("manifest.json", exported["files"])

        self.withAgent(work)
        self.assertEqual(os.listdir(self.outside), ["agent"])

    def test_guidance(self) -> None:
        """Headers, policies and the skill can be read; a prompt has the task's facts; a wrong name is told."""

        async def main() -> None:
            async with Client(makeServer(self.workshop, Jobs())) as client:
                for uri, word in (
                    ("kernelnet://skill", "Writing policies"),
                    ("kernelnet://header/file_system", "kn_victim"),
                    ("kernelnet://baseline/file_system/arc", "Megiddo"),
                ):
                    self.assertIn(word, getattr((await client.read_resource(uri)).contents[0], "text", ""))
                with self.assertRaisesRegex(Exception, "there are: fifo, lru"):
                    await client.read_resource("kernelnet://baseline/file_system/nope")
                prompt = await client.get_prompt("write_policy", {"task": TASK})
                self.assertIn("lirs", getattr(prompt.messages[0].content, "text", ""))

        asyncio.run(main())

    def test_luck(self) -> None:
        """A gain that one variant alone has is called luck; one that all have isn't."""
        self.assertIn("take it for luck", _luck([0.1, 0.0, 0.0, 0.01]))
        self.assertEqual(_luck([0.1, 0.11, 0.1, 0.09]), "")
        self.assertEqual(_luck([0.1]), "")
