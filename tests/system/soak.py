"""
The soak: real processes over TLS, killed with SIGKILL at random moments under load, and then the count of what was
promised: nothing acked is lost, nothing comes twice, everything comes in order, by sender and by ``seq``.

``make soak``, or ``python -m tests.system.soak --hub-kills 50 --trainer-kills 25 --both-kills 25 --seed 1``.  The last
line of its output is the verdict; the exit code is not 0 when anything was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from kernelnet.hub.admin import control_client
from kernelnet.hub.storage.integrity import silent
from kernelnet.hub.storage.offline import databaseOf
from kernelnet.hub.storage.postgres import connect
from kernelnet.identity import StateDirectory
from tests.postgres import Pair, Server, pair, server
from tests.system.support import PATIENCE, Process, RawClient, Twistd, steadyPort

WINDOW = 200
"""Messages that a producer has under way."""
SLOW = 5
"""The same while many read."""
PAUSE = 0.2
"""Seconds that a producer waits after each answer, then."""
LOAD = 100
"""So many acks must have come since the last kill before the next one."""
FROZEN = 4.0
"""Seconds."""
ROOT = Path(__file__).parents[2]


class Peer(threading.Thread):
    """
    A version 2 client that connects again for as long as the soak goes on.

    @ivar problems: what it saw that must not be.
    @ivar port: of the hub that it came to last.
    """

    def __init__(self, soak: Soak, aiId: str) -> None:
        super().__init__(name=aiId, daemon=True)
        self.soak = soak
        self.aiId = aiId
        self.token = control_client.call(soak.state, {"command": "tokens issue", "ai_id": aiId})["token"]
        self.problems: list[str] = []
        self.port = 0
        self.finished = threading.Event()
        self.cursor: dict[str, Any] = {}
        self.first = 0

    def run(self) -> None:
        while not self.finished.is_set():
            try:
                self.port = self.soak.anyPort()
                with closing(RawClient(self.soak.state, self.port, self.aiId, self.token)) as client:
                    sync = client.hello(protocol=2, **self.cursor)
                    while "log_id" not in sync:  # news of who came or left may overtake the answer
                        sync = client.receive("training_sync")["payload"]
                    if self.cursor and not sync["resumed"]:
                        self.problems.append(f"{self.aiId} could not resume at {self.cursor}")
                    if not self.cursor:
                        self.first = sync["seq"]
                        self.cursor = {"log_id": sync["log_id"], "resume_after": self.first}
                    self.talk(client)
            except (OSError, EOFError, AssertionError, ValueError):
                time.sleep(0.05)  # the hub is down; so is the line that it was writing

    def talk(self, client: RawClient) -> None:
        raise NotImplementedError


class Producer(Peer):
    """Sends numbered patterns, keeps them until their ack, and sends those without one again, in order."""

    def __init__(self, soak: Soak, aiId: str) -> None:
        super().__init__(soak, aiId)
        self.acked: dict[str, int] = {}
        self._unacked: OrderedDict[str, bytes] = OrderedDict()
        self._number = 0

    def talk(self, client: RawClient) -> None:
        client.sendLines(self._unacked.values())
        while not (self.soak.ending.is_set() and not self._unacked):
            fresh = []
            while len(self._unacked) < self.soak.window and not self.soak.ending.is_set():
                self._number += 1
                name = f"{self.aiId}-{self._number:07}"
                pattern = {"id": name, "type": "loop", "confidence": 0.5, "data": {"number": self._number}}
                line = json.dumps(client.message("pattern_share", {"pattern": pattern}, id_=name)).encode()
                self._unacked[name] = line
                fresh.append(line)
            client.sendLines(fresh)
            message = client.next()
            if message["message_type"] == "ack":
                for name, seq in message["payload"]["acked"]:
                    self._unacked.pop(name, None)
                    if self.acked.setdefault(name, seq) != seq:
                        self.problems.append(f"{name} was acked as {self.acked[name]} and as {seq}")
                self.soak.note(len(message["payload"]["acked"]))
                time.sleep(self.soak.pause)
            elif message["message_type"] == "error":
                return  # come back, and send all that is unacked again
        self.finished.set()


class Consumer(Peer):
    """Writes down all that comes, and resumes after the last of it."""

    def __init__(self, soak: Soak, aiId: str) -> None:
        super().__init__(soak, aiId)
        self.heard: list[tuple[int, str]] = []
        self.news = threading.Condition()

    def talk(self, client: RawClient) -> None:
        while True:
            message = client.next()
            if "seq" in message:
                with self.news:
                    self.heard.append((message["seq"], message["message_id"]))
                    self.cursor["resume_after"] = message["seq"]
                    self.news.notify_all()

    def waitFor(self, seq: int) -> None:
        with self.news:
            self.news.wait_for(lambda: self.heard and self.heard[-1][0] >= seq, PATIENCE)


class Soak:
    """One run: a hub, its trainers, producers and one consumer."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        *,
        producers: int = 3,
        trainers: int = 2,
        server: Server | Pair | None = None,
        nodes: int = 1,
        watchers: int = 0,
    ) -> None:
        """
        @param server: has the hub's database; C{None}: a file has it.
        @param nodes: number of hubs on that database.
        @param watchers: number of connections that only read; with them producers say little.
        """
        self.window, self.pause = (SLOW, PAUSE) if watchers else (WINDOW, 0.0)
        self.server = server
        self.url = server.database() if server is not None else None
        self.folder = folder
        self.states = [StateDirectory(folder / f"state{i or ''}") for i in range(nodes)]
        self.state = self.states[0]
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self.acks = 0
        self._news = threading.Condition()
        self.ports = [steadyPort() for _ in range(nodes)]
        self._turns = count()
        self.kills = {"hub": 0, "trainers": 0, "servers": 0, "fail-overs": 0, "frozen": 0}
        self.stalled = 0
        self._closing: list[Process] = []
        try:
            self._start(producers, trainers, watchers)
        except BaseException:
            for process in self._closing:
                process.close()
            raise

    def _start(self, producers: int, trainers: int, watchers: int) -> None:
        self.hubs = [self.startHub(0)]
        for i, state in enumerate(self.states[1:], 1):
            # What nodes have in common: the CA, and the join token.
            state.path.mkdir(mode=0o700)
            for file in (self.state.caCertificate, self.state.caKey, self.state.joinToken):
                shutil.copy2(file, state.path)
            self.hubs.append(self.startHub(i))
        self.watchers = self.startWatchers(watchers) if watchers else None
        self.consumer = Consumer(self, "CONSUMER")
        self.producers = [Producer(self, f"P{i}") for i in range(producers)]
        self.trainers = {f"T{i}": self.startTrainer(f"T{i}") for i in range(trainers)}
        for process in self.trainers.values():
            process.waitFor("Connected to the hub")
        self.consumer.start()
        while not self.consumer.cursor:
            time.sleep(0.01)
        for producer in self.producers:
            producer.start()

    def note(self, acks: int) -> None:
        with self._news:
            self.acks += acks
            self._news.notify_all()

    def anyPort(self) -> int:
        """The port of a hub, each time another one's."""
        return self.ports[next(self._turns) % len(self.ports)]

    def startHub(self, i: int) -> Twistd:
        state = self.states[i].path
        database = ("--database", self.url, "--node", f"n{i}") if self.url else ()
        pid = ("--pidfile", str(state / "hub.pid"))
        hub = Twistd(*pid, "kernelhub", "--port", str(self.ports[i]), "--state", str(state), *database, cwd=self.folder)
        self._closing.append(hub)
        hub.waitFor("[Ll]istening on")
        return hub

    def startTrainer(self, aiId: str) -> Process:
        hubs = [word for port in self.ports for word in ("--hub", f"localhost:{port}")]
        arguments = ("--id", aiId, *hubs, "--state", str(self.state.path))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "tests.system.soak_trainer", *arguments]
        process = Process(command, cwd=self.folder, env=environment)
        self._closing.append(process)
        return process

    def startWatchers(self, number: int) -> Process:
        """They all are connected when it returns."""
        file = self.folder / "tokens"
        call = control_client.call
        ids = [f"W{i}" for i in range(number)]
        tokens = [call(self.state, {"command": "tokens issue", "ai_id": aiId})["token"] for aiId in ids]
        file.write_text("".join(f"{aiId} {token}\n" for aiId, token in zip(ids, tokens, strict=True)), "utf-8")
        command = [sys.executable, "-m", "tests.system.watchers", str(self.state.path), str(file)]
        process = Process(
            [*command, *map(str, self.ports)], cwd=self.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        self._closing.append(process)
        process.waitFor(f'"connected": {number},', patience=10 * PATIENCE)
        return process

    # --- killing

    def run(
        self,
        hub: int,
        trainers: int,
        both: int,
        *,
        servers: int = 0,
        failOvers: int = 0,
        frozen: int = 0,
        say: Callable[[str], object] = lambda line: None,
    ) -> None:
        """
        Kill so often, each time under load.

        @param frozen: number of times that a hub stands still for `FROZEN` seconds, while others go on.
        """
        plan = ["hub"] * hub + ["trainers"] * trainers + ["hub, trainers"] * both
        plan += ["servers"] * servers + ["fail-overs"] * failOvers + ["frozen"] * frozen
        self.random.shuffle(plan)
        for i, what in enumerate(plan, 1):
            with self._news:
                goal = self.acks + LOAD
                if not self._news.wait_for(lambda goal=goal: self.acks >= goal, PATIENCE):  # type: ignore[misc]
                    said = [line for hub in self.hubs for line in hub.lines[-20:]]
                    raise AssertionError("no acks come any more:\n" + "\n".join(said))
            time.sleep(self.random.uniform(0, 0.8))
            victim = self.random.choice(sorted(self.trainers) or [""])
            which = self.random.randrange(len(self.hubs))
            if what == "frozen":
                # Some producer is with another.
                served = [producer.port for producer in self.producers]
                self._freeze(min(range(len(self.ports)), key=lambda i: served.count(self.ports[i])))
            if "hub" in what:
                self.hubs[which].kill()
                self.kills["hub"] += 1
            if "trainers" in what:
                self.trainers[victim].kill()
                self.kills["trainers"] += 1
                self.trainers[victim] = self.startTrainer(victim)
            if what == "servers":
                assert self.server is not None
                self.server.kill()
                self.kills["servers"] += 1
                time.sleep(self.random.uniform(0, 0.8))
                self.server.start()
            if what == "fail-overs":
                self._failOver()
            if "hub" in what:
                self.hubs[which] = self.startHub(which)
            say(
                f"{i} of {len(plan)}: {self.kills['frozen']} frozen; {self.kills['hub']} hubs, "
                f"{self.kills['trainers']} trainers and {self.kills['servers']} servers killed, "
                f"{self.kills['fail-overs']} fail-overs, {self.acks} acks"
            )

    def _failOver(self) -> None:
        """The primary is killed for good, its standby takes over, and gets a standby of its own."""
        assert isinstance(self.server, Pair)
        self.server.kill()
        self.kills["fail-overs"] += 1
        time.sleep(self.random.uniform(0, 0.8))
        self.server.failOver()
        time.sleep(self.random.uniform(0, 0.8))
        self.server.restore()

    def _freeze(self, which: int) -> None:
        """Have a hub stand still; the others take messages meanwhile."""
        os.kill(self.hubs[which].process.pid, signal.SIGSTOP)
        self.kills["frozen"] += 1
        # What was under way to it, and a lock that it may hold, take a part of that time.
        time.sleep(FROZEN * 0.9)
        with self._news:
            goal = self.acks + 1
            if len(self.hubs) > 1:
                goesOn = self._news.wait_for(lambda: self.acks >= goal, FROZEN)
        os.kill(self.hubs[which].process.pid, signal.SIGCONT)
        if len(self.hubs) > 1 and not goesOn:
            self.stalled += 1

    # --- counting

    def finish(self) -> Verdict:
        """Let all that was sent arrive, and count."""
        self.ending.set()
        for process in self.trainers.values():
            process.waitFor("Connected to the hub|unacked=")
            process.process.send_signal(signal.SIGUSR1)
        for producer in self.producers:
            if not producer.finished.wait(PATIENCE):
                raise AssertionError(f"{producer.aiId} never got all its acks")
        for process in self.trainers.values():
            self._drained(process, 0)
        log = self._log()
        self.consumer.waitFor(log[-1][0])
        watched = self._watched(log[-1][0])
        for aiId, process in self.trainers.items():
            self._drained(process, max(seq for seq, sender, _, _ in log if sender != aiId))
        self.close()
        databaseOf(self.state.path).examine(silent)
        verdict = self._count(log)
        self._countWatched(verdict, watched, [seq for seq, _, _, _ in log])
        return verdict

    def _watched(self, upTo: int) -> list[list[int]]:
        """The account that each watcher gives once all have heard everything up to C{upTo}; see `watchers`."""
        if self.watchers is None:
            return []
        told: dict[str, Any] = {}
        deadline = time.monotonic() + PATIENCE
        for index in count(len(self.watchers.lines)):
            told = json.loads(self.watchers.line(index))
            if all(last >= upTo for _, last, *_ in told["heard"]) or time.monotonic() > deadline:
                break
        return list(told["heard"])

    def _countWatched(self, verdict: Verdict, watched: list[list[int]], log: list[int]) -> None:
        for first, last, heard, wrong, strange in watched:
            expected = sum(seq > first for seq in log)
            verdict.watched += heard
            verdict.lost += max(0, expected - heard + wrong)
            verdict.duplicated += wrong
            if last < log[-1]:
                verdict.problems.append(f"a watcher has heard up to {last} of {log[-1]}")
            if strange:
                verdict.problems.append(f"a watcher could not go on where it was {strange} times")
        verdict.watchers = len(watched)

    def _drained(self, process: Process, cursor: int) -> None:
        """Its outbox is empty for good, and it has heard everything up to C{cursor}."""
        deadline = time.monotonic() + PATIENCE
        best = -1
        for index in count(len(process.lines)):
            if time.monotonic() > deadline:
                break
            match = re.match(r"unacked=(\d+) cursor=(\d+)", process.line(index))
            if match and int(match[1]) == 0 and int(match[2]) >= cursor:
                return
            if match and int(match[2]) > best:  # as long as it gets on it is given time
                best, deadline = int(match[2]), time.monotonic() + PATIENCE
        said = [line for line in process.lines if not line.startswith("unacked=")][-20:] + process.lines[-1:]
        said += [line for hub in self.hubs for line in hub.lines[-30:]]
        raise AssertionError(f"a trainer does not catch up with {cursor}:\n" + "\n".join(said))

    def _log(self) -> list[tuple[int, str, str, str]]:
        """(seq, sender, message id, name) of each pattern in the hub's log."""
        if self.url is not None:
            with connect(self.url) as server:
                return server.execute(
                    "SELECT seq, sender_id, message_id, convert_from(body, 'UTF8')::jsonb #>> '{payload,pattern,id}'"
                    " FROM events WHERE message_type = 'pattern_share' ORDER BY seq"
                ).fetchall()
        with closing(sqlite3.connect(self.state.database)) as connection:
            return connection.execute(
                "SELECT seq, sender_id, message_id, json_extract(CAST(body AS TEXT), '$.payload.pattern.id')"
                " FROM events WHERE message_type = 'pattern_share' ORDER BY seq"
            ).fetchall()

    def _count(self, log: list[tuple[int, str, str, str]]) -> Verdict:
        verdict = Verdict(dict(self.kills))
        if self.stalled:
            verdict.problems.append(f"{self.stalled} times nobody went on while one hub stood still")
        place = {messageId: seq for seq, _, messageId, _ in log}
        names = [name for _, _, _, name in log]
        verdict.duplicated += len(names) - len(set(names))
        for producer in self.producers:
            verdict.acked += len(producer.acked)
            verdict.lost += sum(place.get(name) != seq for name, seq in producer.acked.items())
            verdict.problems += producer.problems
        bySender: dict[str, list[str]] = {}
        for _, sender, _, name in log:
            bySender.setdefault(sender, []).append(name)
        verdict.outOfOrder += sum(_disorder(found) for found in bySender.values())
        verdict.heard(self.consumer.heard, [(seq, id_) for seq, _, id_, _ in log if seq > self.consumer.first])
        verdict.problems += self.consumer.problems
        for aiId in self.trainers:
            with closing(sqlite3.connect(self.state.trainer(aiId) / "trainer.db")) as connection:
                said = [f"{aiId}-{n:07}" for (n,) in connection.execute("SELECT number FROM said ORDER BY number")]
                heard = connection.execute("SELECT seq, message_id FROM heard ORDER BY position").fetchall()
            verdict.acked += len(said)
            verdict.lost += len(set(said) - set(names))
            # it came while others were talking already
            verdict.heard(heard, [(seq, id_) for seq, sender, id_, _ in log if sender != aiId and seq >= heard[0][0]])
        return verdict

    def close(self) -> None:
        self.ending.set()
        self.consumer.finished.set()
        for process in self._closing:
            process.close()


class Verdict:
    """What the soak counted."""

    def __init__(self, kills: dict[str, int]) -> None:
        self.kills = kills
        self.acked = self.lost = self.duplicated = self.outOfOrder = self.watchers = self.watched = 0
        self.problems: list[str] = []

    def heard(self, heard: list[tuple[int, str]], expected: list[tuple[int, str]]) -> None:
        """What one reader heard, against what it should have: all of it once, by C{seq}."""
        self.lost += len(set(expected) - set(heard))
        self.duplicated += len(heard) - len(set(heard))
        self.outOfOrder += _disorder([seq for seq, _ in heard])

    @property
    def isGood(self) -> bool:
        return self.acked > 0 and not (self.lost or self.duplicated or self.outOfOrder or self.problems)

    def __str__(self) -> str:
        return "\n".join(
            [
                *self.problems[:20],
                f"hub killed {self.kills['hub']} times, trainers {self.kills['trainers']} times, "
                f"database server {self.kills['servers']} times, failed over {self.kills['fail-overs']} times, "
                f"hub frozen {self.kills['frozen']} times",
                f"messages acked {self.acked}, lost {self.lost}, duplicated {self.duplicated}, "
                f"out of order {self.outOfOrder}",
                *([f"{self.watchers} watchers heard {self.watched}"] if self.watchers else []),
            ]
        )


def _disorder(values: Iterable[Any]) -> int:
    """How often a value does not come after the one before it."""
    found = list(values)
    return sum(b < a for a, b in pairwise(found))


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill hubs and trainers under load, and count what was promised.")
    parser.add_argument("--hub-kills", type=int, default=50)
    parser.add_argument("--trainer-kills", type=int, default=25)
    parser.add_argument("--both-kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None, help="of the random moments [a random one]")
    parser.add_argument("--postgres", action="store_true", help="have the database on a server, which is killed, too")
    parser.add_argument("--server-kills", type=int, default=25, help="of that server")
    parser.add_argument(
        "--fail-overs", type=int, default=0, help="to a synchronous standby, which that server has then"
    )
    parser.add_argument("--nodes", type=int, default=1, help="number of hubs on that server's database")
    parser.add_argument("--watchers", type=int, default=0, help="number of connections that only read and count")
    parser.add_argument("--freezes", type=int, default=0, help="of hubs, for some seconds each")
    options = parser.parse_args()
    if (options.nodes > 1 or options.fail_overs) and not options.postgres:
        parser.error("several hubs, and fail-overs, need a database on a server: --postgres")
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    sys.stdout.write(f"seed {seed}\n")

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="kernelnet-soak-") as folder:
        database = None
        if options.postgres:
            database = pair() if options.fail_overs else server()
        many = {"trainers": 0, "watchers": options.watchers} if options.watchers else {}
        soak = Soak(Path(folder), seed, server=database, nodes=options.nodes, **many)
        try:
            servers = options.server_kills if options.postgres else 0
            soak.run(
                options.hub_kills,
                options.trainer_kills,
                options.both_kills,
                servers=servers,
                failOvers=options.fail_overs,
                frozen=options.freezes,
                say=say,
            )
            verdict = soak.finish()
        finally:
            soak.close()
    say(str(verdict))
    sys.exit(0 if verdict.isGood else 1)


if __name__ == "__main__":
    main()
