"""Tools that need no hub: tasks, drafts, measuring, tuning, jobs, submission, files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from kernelnet.artifacts import MAX_HYPOTHESIS, Component
from kernelnet.mcp.jobs import Answer, Jobs, Work
from kernelnet.mcp.measurements import Compared, Explained, Measured
from kernelnet.mcp.submission import Submitted
from kernelnet.mcp.tasks import TaskFacts, statisticsOf
from kernelnet.mcp.tools import Registry, tellingOf
from kernelnet.mcp.tuning import Objective, Tuned
from kernelnet.mcp.workshop import Compiled, Exported, TaskLine, Workshop, Written

__all__ = ["Share", "registerFiles", "registerMeasuring", "registerSubmission", "registerTasks"]

Share = Callable[[Component, float | None], Awaitable[None]]
"""Shares an accepted component, with its level on validation, with all peers."""

TaskName = Annotated[str, Field(description="a task's name, as list_tasks gives it", max_length=200)]
Source = Annotated[
    str, Field(description="the whole C source of a policy, or the name of a draft (draft-…)", max_length=70_000)
]
Policy = Annotated[
    str, Field(description="C source, or a draft's name, or the name of a hand-made policy", max_length=70_000)
]


def registerTasks(registry: Registry, workshop: Workshop, jobs: Jobs) -> None:
    """Tools that say what there is to do, and how jobs go."""

    @registry.add("List the tasks", reads=True)
    async def list_tasks(context: Context) -> Answer[list[TaskLine]]:
        """All tasks: a trace of real work at one setting of a workbench, for which a policy is wanted."""
        return await jobs.run("list_tasks", workshop.lines, tellingOf(context))

    @registry.add("Read a task", reads=True)
    async def get_task(
        task: TaskName, context: Context, sources: list[str] | None = None, header: bool = True
    ) -> Answer[TaskFacts]:
        """
        All that there is to know of a task: what counts, the C header (its ABIs), limits of fuel and memory, each
        hand-made policy with an idea and its levels, the sources of the two best (or of those named in `sources`),
        patterns and statistics of the training part. Read it before you write.
        """
        workshop.refresh()
        return await jobs.run("get_task", lambda work: workshop.facts(task, sources, header), tellingOf(context))

    @registry.add("Statistics of the training part", reads=True)
    async def statistics(task: TaskName, context: Context) -> Answer[dict[str, Any]]:
        """Figures of the training part: how soon what comes again, how rates vary, …; good ideas come from these."""
        return await jobs.run(
            "statistics", lambda work: statisticsOf(workshop.tasks.find(task).open()), tellingOf(context)
        )

    @registry.add("Ask for a job", reads=True)
    async def get_job(
        job: str, context: Context, wait_seconds: Annotated[float, Field(ge=0, le=30)] = 20
    ) -> Answer[Any]:
        """The state of a job that took longer than a call, and its result once it is done; waits for it a while."""
        found = jobs.find(job)
        await jobs.wait(found, wait_seconds, tellingOf(context))
        return found.answer()

    @registry.add("Cancel a job", again=True)
    async def cancel_job(job: str) -> Answer[Any]:
        """End a job; what it has found so far is lost."""
        found = jobs.find(job)
        found.work.cancel()
        await jobs.wait(found, 3)
        return found.answer()


def registerMeasuring(registry: Registry, workshop: Workshop, jobs: Jobs) -> None:
    """Tools that work on drafts."""

    @registry.add("Compile a policy", again=True)
    async def compile(task: TaskName, source: Source, context: Context) -> Answer[Compiled]:
        """Compile a C source; answers the name of a draft, which other tools take instead of the source."""
        return await jobs.run("compile", lambda work: workshop.compiled(task, source), tellingOf(context))

    @registry.add("Measure a policy", again=True)
    async def measure(task: TaskName, source: Policy, context: Context) -> Answer[Measured]:
        """
        Levels on train and validation, eight windows of each beside the best hand-made policy there, fuel beside its
        limit, and the spread over variants of the trace with other keys: what is smaller than that is luck.
        """
        return await jobs.run("measure", lambda work: workshop.measure(task, source, work), tellingOf(context))

    @registry.add("Compare two policies", again=True)
    async def compare(
        task: TaskName,
        a: Policy,
        b: Policy,
        context: Context,
        split: Literal["train", "validation"] = "validation",
    ) -> Answer[Compared]:
        """Two policies in pairs of windows on variants of the trace: who is better, by more than noise, and where."""
        return await jobs.run("compare", lambda work: workshop.compare(task, a, b, split, work), tellingOf(context))

    @registry.add("Explain a failure", again=True)
    async def explain_failure(task: TaskName, source: Policy, context: Context) -> Answer[Explained]:
        """Why a policy fails: at which event, in which function, and which functions its fuel went into."""
        return await jobs.run("explain", lambda work: workshop.explain(task, source, work), tellingOf(context))

    @registry.add("Tune a policy's numbers")
    async def tune(  # noqa: PLR0917
        task: TaskName,
        source: Source,
        context: Context,
        seconds: Annotated[float, Field(ge=1, le=600)] = 30,
        objective: Objective = "mean",
        fixed: Annotated[list[str] | None, Field(max_length=32)] = None,
        evaluations: Annotated[int | None, Field(ge=1, le=100_000)] = None,
        seed: Annotated[int, Field(ge=0, lt=1 << 31)] = 0,
    ) -> Answer[Tuned]:
        """
        Search the values of the numbers that the source marks (get_task says how) on train, for so many seconds.
        Objective `mean` is the mean over eight windows, `worst_window` the worst beside the best hand-made policy
        there. Answers a draft with the numbers built in, its levels before and after, how much depends on each number,
        and whether it is fitted to train. It is a job: poll get_job.
        """

        def work(it: Work) -> Tuned:
            return workshop.tune(
                task,
                source,
                it,
                seconds=seconds,
                objective=objective,
                fixed=fixed or (),
                evaluations=evaluations,
                seed=seed,
            )

        return await jobs.run("tune", work, tellingOf(context))


def registerSubmission(registry: Registry, workshop: Workshop, jobs: Jobs, share: Share | None) -> None:
    """The tool that puts a draft to the guard."""

    @registry.add("Submit a policy")
    async def submit(
        task: TaskName,
        source: Source,
        hypothesis: Annotated[str, Field(min_length=10, max_length=MAX_HYPOTHESIS)],
        context: Context,
        built_on: Annotated[list[str] | None, Field(max_length=8)] = None,
    ) -> Answer[Submitted]:
        """
        Put a policy to the guard: on variants of the trace that its own module draws it must be better on validation
        than every hand-made policy and than what is known, not by luck. What passes becomes a component, whose claim
        peers measure again. The hypothesis goes with it: what it does, and why it should be better; so do the digests
        of the components that it is built on, as its parents. Submissions are limited: compare first.
        """
        loop = asyncio.get_running_loop()
        workshop.refresh()
        parents = workshop.parents(built_on or ())

        def work(it: Work) -> Submitted:
            found = workshop.tasks.find(task)
            draft = workshop.draft(found, source)
            told, component = workshop.guard.judge(found, draft, hypothesis, it, parents=parents)
            if component is None or share is None:
                return told
            it.tell(0.9, "sharing it")
            sharing = asyncio.run_coroutine_threadsafe(_of(share(component, told.validation_level)), loop)
            sharing.result(30)
            return replace(told, shared=True)

        return await jobs.run("submit", work, tellingOf(context))


async def _of(awaitable: Awaitable[None]) -> None:
    await awaitable


def registerFiles(registry: Registry, workshop: Workshop, jobs: Jobs) -> None:
    """Tools that write into the agent's folder, and nowhere else."""

    @registry.add("Write the training part", again=True)
    async def train_part(task: TaskName, context: Context) -> Answer[Written]:
        """Write the training part of the task's trace, and nothing else of it, as a table into your folder."""
        return await jobs.run("train_part", lambda work: workshop.trainPart(task, work), tellingOf(context))

    @registry.add("Export a policy", again=True)
    async def export(
        task: TaskName,
        source: Policy,
        target: Annotated[str, Field(description="c-library, libcachesim, sqlite, …", max_length=40)],
        context: Context,
    ) -> Answer[Exported]:
        """Make of a policy what a real system runs, in your folder; kernelnet exporters lists the targets."""

        def work(it: Work) -> Exported:
            found = workshop.tasks.find(task)
            return workshop.export(target, workshop.policy(found, source).wasm, found.bench)

        return await jobs.run("export", work, tellingOf(context))
