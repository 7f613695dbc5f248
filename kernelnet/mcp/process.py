"""
C{kernelnet mcp} as a process: one agent, with a hub or without, over its client's pipes or over HTTP.

The SDK lives in an asyncio loop, the trainer in Twisted's reactor.  With a hub both are the same one thread, by
Twisted's asyncio reactor: so tools look at what the trainer knows without any lock, and
`kernelnet.asyncio_bridge.inReactor` is all that lets one await the other.  (The bridge's other way, a reactor in a
thread of its own, would have every look at the trainer cross threads.)  Without a hub there is no reactor.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile

from kernelnet.asyncio_bridge import inReactor
from kernelnet.identity import JoinString, StateDirectory
from kernelnet.interfaces import IComponentGenerator
from kernelnet.learning.local_trainer import DEFAULT_GENERATOR
from kernelnet.learning.tasks import benchesFor
from kernelnet.mcp import http
from kernelnet.mcp.folder import AgentFolder
from kernelnet.mcp.jobs import Jobs
from kernelnet.mcp.peer import Peer
from kernelnet.mcp.server import makeServer
from kernelnet.mcp.submission import GENERATOR
from kernelnet.mcp.tasks import TaskList
from kernelnet.mcp.workshop import Workshop
from kernelnet.plugins import find
from kernelnet.trainer.connection.addresses import Address
from kernelnet.trainer.connection.config import TrainerConfig

if TYPE_CHECKING:
    from kernelnet.mcp.trainer import AgentTrainer

__all__ = ["AgentProcess", "AgentSettings"]

_LOG_BYTES = 1 << 20


@dataclass(frozen=True)
class AgentSettings:
    """
    Choices of the command line.

    @ivar hubs: empty: there is no hub.
    @ivar port: of HTTP; C{None}: standard input and output.
    """

    aiId: str
    state: StateDirectory
    hubs: tuple[Address, ...] = ()
    specialization: str = "general"
    workbenches: tuple[str, ...] = ()
    traces: tuple[Path, ...] = ()
    join: JoinString | None = None
    tokenFile: Path | None = None
    caFile: Path | None = None
    port: int | None = None
    clientCertificate: Path | None = field(default=None)
    clientKey: Path | None = field(default=None)


class AgentProcess:
    """
    One agent's process; made and run once, in the main thread.

    @raise IdentityError: its state can't be used, or its port is taken.
    """

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        settings.state.open()
        home = settings.state.trainer(settings.aiId)
        if not settings.hubs:  # with a hub its trainer has the lock
            settings.state.lock(f"trainers/{settings.aiId}/lock")
        self._folder = AgentFolder(home / "agent")
        self._bound: socket.socket | None = None
        options: dict[str, Any] = {}
        if settings.port is not None:
            tokens = home / "mcp-token"
            token = http.tokenIn(tokens)
            self._bound = http.listening(settings.port)
            port = self._bound.getsockname()[1]
            options = {"auth": http.authSettings(port), "token_verifier": http.Tokens(token)}
            click.echo(f"http://127.0.0.1:{port}/mcp, with the bearer token in {tokens}", err=True)
        benches = benchesFor(settings.specialization, bool(settings.traces), settings.workbenches)
        self._benches = [bench.name for bench in benches]
        self._workshop = Workshop(TaskList(benches, settings.traces), self._folder, settings.aiId)
        self._jobs = Jobs()
        self._options = options
        log: Any = LogFile("mcp.log", str(home), rotateLength=_LOG_BYTES, maxRotatedFiles=2)
        self._log = log
        globalLogBeginner.beginLoggingTo([textFileLogObserver(log)], redirectStandardIO=False)

    def run(self) -> int:
        """@return: the exit code: 0 when the client has gone, 1 if the trainer failed, 128 and a signal's number."""
        if not self._settings.hubs:
            return asyncio.run(self._serve(None))
        from twisted.internet import asyncioreactor

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
        from twisted.internet import reactor as installed

        from kernelnet.daemon import steadyTime

        reactor: Any = installed
        steadyTime(reactor)
        codes: list[int] = []

        async def main() -> None:
            try:
                codes.append(await self._serve(self._trainer(reactor)))
            finally:
                reactor.stop()

        tasks: list[asyncio.Task[None]] = []  # a loop alone does not keep its tasks
        reactor.callWhenRunning(lambda: tasks.append(loop.create_task(main())))
        reactor.run(installSignalHandlers=False)
        return codes[0] if codes else 1

    def _trainer(self, reactor: Any) -> AgentTrainer:
        from kernelnet.mcp.trainer import AgentLearning, AgentTrainer

        it = self._settings
        local = AgentLearning(
            it.specialization,
            it.traces,
            find(IComponentGenerator, DEFAULT_GENERATOR, "generator"),
            None,
            it.aiId,
            workbenches=self._benches,
        )
        local.told = self._workshop.account.told
        config = TrainerConfig(
            aiId=it.aiId,
            state=it.state,
            specialization=it.specialization,
            capabilities=("agent",),
            hubs=it.hubs,
            tokenFile=it.tokenFile,
            join=it.join,
            caFile=it.caFile,
            clientCertificate=it.clientCertificate,
            clientKey=it.clientKey,
        )
        return AgentTrainer(config, local, reactor, generator=GENERATOR)

    async def _serve(self, trainer: AgentTrainer | None) -> int:
        stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def stop(code: int) -> None:
            if not stopped.done():
                stopped.set_result(code)

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, 128 + number)
        peer = None
        if trainer is not None:
            peer = Peer(trainer, self._workshop.guard.wasTold)
            self._workshop.refresh = lambda: setattr(self._workshop, "confirmed", peer.confirmed())

            def failed(failure: Failure) -> None:
                click.echo(f"kernelnet mcp: {failure.value}", err=True)
                stop(1)

            trainer.ended.addCallbacks(lambda _: stop(0), failed)
            trainer.startService()
        server = makeServer(self._workshop, self._jobs, peer, **self._options)
        work = server.run_stdio_async() if self._bound is None else http.serve(server, self._bound)
        serving = asyncio.ensure_future(work)
        both: list[asyncio.Future[Any]] = [serving, stopped]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        self._jobs.cancelAll()
        if trainer is not None:
            await inReactor(lambda: _stopped(trainer))
        self._log.flush()
        if not stopped.done():
            try:
                serving.result()
            except* BrokenPipeError:  # a client that has gone is no failure; the SDK's tasks tell it in a group
                pass
            return 0
        # The thread that reads standard input can't be woken, and would keep the process.
        sys.stderr.flush()
        os._exit(stopped.result())


async def _stopped(trainer: AgentTrainer) -> None:
    await trainer.stopService()
