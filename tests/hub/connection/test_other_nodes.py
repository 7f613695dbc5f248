"""Several hubs on one database of a server: one log in one order, each AI in one place, one directory."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from twisted.internet.defer import maybeDeferred, succeed
from twisted.internet.task import Clock

from kernelnet.artifacts import ModelCosts
from kernelnet.hub.admin.status import COUNT_EVERY
from kernelnet.hub.auth.token_commands import tokenCommand
from kernelnet.hub.composition import SWEEP_EVERY
from kernelnet.hub.connection.payload_shelf import PayloadShelf
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.hub.storage.engine import Standing
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.postgres import PostgresBlobs, PostgresEngine, backup, connect
from kernelnet.hub.storage.postgres import log as logs
from kernelnet.hub.storage.postgres.cluster import CHANNEL, POLL, PostgresCluster
from kernelnet.hub.storage.postgres.connection import Connection, setUpReader
from kernelnet.hub.storage.postgres.ears import NotifyEars, listening
from kernelnet.hub.storage.postgres.link import Link
from kernelnet.hub.storage.postgres.nodes import LEASE, About
from kernelnet.hub.web.api import Sources, answerTo
from kernelnet.hub.web.metrics import Learned, render
from kernelnet.payloads import PART
from tests.hub.databases import HubDatabase, OnPostgres, PostgresPool
from tests.hub.support import Client, Hub, HubTestCase, captureLog

PATTERN = {"id": "p", "type": "cache", "description": "d", "confidence": 0.5}


class NodeDatabase(OnPostgres):
    """The database of another one, for a hub of another name."""

    def __init__(self, folder: Path, url: str, name: str) -> None:
        folder.mkdir()
        self.folder, self.url, self.node = folder, url, name
        self.standing: Callable[[], Standing | None] = lambda: None

    def _pools(self) -> tuple[PostgresPool, PostgresPool]:
        def reader() -> Connection:
            connection = connect(self.url)
            setUpReader(connection)
            return connection

        self.reader = PostgresPool(reader(), reader)
        self.writer = PostgresPool(connect(self.url), lambda: connect(self.url))
        return self.writer, self.reader

    def engine(self) -> PostgresEngine:
        return PostgresEngine(self.url, self.folder, self._pools, self.node, lambda: self.standing())  # noqa: PLW0108


class Node(Hub):
    """A hub that is one of several; what it hears it hears with its next tick."""

    cluster: PostgresCluster

    def __init__(self, database: NodeDatabase, clock: Clock, payloads: PayloadShelf | None = None) -> None:
        self.pool = PostgresPool(connect(database.url), lambda: connect(database.url))

        def make(log: EventLog, clock: Clock) -> PostgresCluster:
            self.ears = NotifyEars(lambda: succeed(listening(database.url, CHANNEL)), None)
            about = About(database.node, f"{database.node}:6000", clock.seconds(), "1")
            database.standing = lambda: log.standing
            return PostgresCluster(Link(self.pool, lambda: log.standing), self.ears, clock, about, lambda: log.standing)

        super().__init__(database, clock, payloads=payloads, makeCluster=make)


class NodesTestCase(HubTestCase):
    databaseType: type[HubDatabase] = OnPostgres

    def setUp(self) -> None:
        super().setUp()
        self.hub.kill()
        self.hubs.clear()
        self.clock = Clock()
        self.one, self.two = self.node("one"), self.node("two")
        self.settle()

    def tearDown(self) -> None:
        for node in self.hubs:
            node.kill()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def node(self, name: str) -> Node:
        assert isinstance(self.database, OnPostgres)
        node = Node(NodeDatabase(self.path / name, self.database.url, name), self.clock)
        self.hubs.append(node)
        return node

    def execute(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Do something in the database behind all hubs' backs."""
        assert isinstance(self.database, OnPostgres)
        with psycopg.connect(self.database.url, autocommit=True) as other:
            done = other.execute(sql.encode(), parameters)
            return done.fetchall() if done.description else []

    def settle(self) -> None:
        """Everybody hears all that was said, also in answer."""
        for _ in range(4):
            self.clock.advance(POLL)

    def connect(self, node: Node, aiId: str, **hello: Any) -> Client:
        client = node.connect(aiId, **hello)
        self.settle()
        client.received()
        return client


class OrderTests(NodesTestCase):
    def test_sharedLog(self) -> None:
        """All AIs get all messages in one order without a hole, whichever node took them; each is acked at once."""
        a, b = self.connect(self.one, "a"), self.connect(self.two, "b")
        watchers = [self.connect(self.one, "w1"), self.connect(self.two, "w2")]
        sent = []
        for i in range(6):
            client = (a, b)[i % 2]
            sent.append(client.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}}))
            ((acked, seq),) = client.payloads("ack")[0]["acked"]
            self.assertEqual((acked, seq), (sent[-1], i + 1))
        self.settle()
        for watcher in watchers:
            came = watcher.received("pattern_share")
            self.assertEqual([message["seq"] for message in came], [1, 2, 3, 4, 5, 6])
            self.assertEqual([message["message_id"] for message in came], sent)
        self.assertEqual((self.one.log.head, self.two.log.head), (6, 6))

    def test_manyMissed(self) -> None:
        """What was written elsewhere meanwhile is read page by page, and what was written here in its place."""
        self.patch(logs, "PAGE_ROWS", 3)
        a, b, w = self.connect(self.one, "a"), self.connect(self.two, "b"), self.connect(self.two, "w")
        with mock.patch("kernelnet.hub.storage.postgres.engine.MISSED", 5):
            for i in range(20):
                a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
            b.send("pattern_share", {"pattern": {**PATTERN, "id": "last"}})
        self.assertEqual(b.payloads("ack")[0]["acked"][0][1], 21)
        self.assertEqual(w.received("pattern_share"), [])
        self.settle()
        self.assertEqual([message["seq"] for message in w.received("pattern_share")], [*range(1, 22)])

    def test_fromFaster(self) -> None:
        """An AI that comes from a node which is further goes on where it was, and the log keeps its id."""
        a = self.connect(self.one, "a")
        logId = self.two.log.logId
        for i in range(3):
            a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
        self.assertEqual(self.two.log.head, 0)
        with mock.patch("kernelnet.hub.storage.postgres.engine.MISSED", 0):
            w = self.two.resume("w", 2)
        answer, *missed = w.received("training_sync", "pattern_share")
        self.assertTrue(answer["payload"]["resumed"])
        self.assertEqual((answer["payload"]["seq"], answer["payload"]["log_id"]), (2, logId))
        self.assertEqual([message["seq"] for message in missed], [3])

    def test_repeatedElsewhere(self) -> None:
        """A message that was sent to one node and again to another is one message."""
        a = self.connect(self.one, "a")
        message = a.message("pattern_share", {"pattern": PATTERN})
        a.line(message)
        a.leave()
        again = self.connect(self.two, "a")
        again.line(message)
        self.assertEqual(again.payloads("ack")[0]["acked"], [[message["message_id"], 1]])
        self.assertEqual(self.one.log.head, 1)


class WhoIsWhereTests(NodesTestCase):
    def test_takeover(self) -> None:
        """An AI that comes to another node is served there, and its older connection ends."""
        older = self.connect(self.one, "a")
        newer = self.two.connect("a")
        self.settle()
        self.assertEqual(older.errors(), ["taken_over"])
        self.assertTrue(older.closing)
        older.leave()
        self.settle()
        self.assertFalse(newer.closing)
        self.assertEqual([*self.one.cluster.elsewhere], ["a"])
        self.assertEqual([*self.two.cluster.elsewhere], [])

    def test_simultaneous(self) -> None:
        """Of two connections that come at once one stays, whoever hears of the other first."""
        clients = [self.one.connect("a"), self.two.connect("a")]
        self.settle()
        self.assertEqual([client.closing for client in clients], [True, False])
        for client, node in zip(clients, (self.one, self.two), strict=True):
            if client.closing:
                client.leave()
            node.cluster._ears.hear()
        self.settle()
        self.assertEqual([client.closing for client in clients], [True, False])

    def test_told(self) -> None:
        """Who comes and goes is told to those on other nodes, too, and who is here to who comes."""
        a = self.connect(self.one, "a", specialization="kernel")
        b = self.two.connect("b")
        self.settle()
        news = a.payloads("training_sync")
        self.assertTrue(any(told["ai_info"].get("b", {}).get("connected", True) for told in news), news)
        late = self.two.client("late")
        late.hello(2)
        (answer,) = late.payloads("training_sync")
        self.assertEqual(sorted(answer["active_ais"]), ["a", "b", "late"])
        self.assertEqual(answer["ai_info"]["a"]["specialization"], "kernel")
        b.leave()
        self.settle()
        news = a.payloads("training_sync")
        self.assertFalse(news[-1]["ai_info"]["b"]["connected"])

    def test_deadNode(self) -> None:
        """Who was connected to a node that died counts as away once its lease is over; a partner's time begins."""
        a = self.connect(self.one, "a")
        self.connect(self.two, "b")
        self.assertIn("b", self.one.cluster.elsewhere)
        self.two.cluster.stop()
        self.execute("UPDATE nodes SET lease_until = 1 WHERE name = 'two'")
        self.settle()
        self.assertEqual([*self.one.cluster.elsewhere], [])
        self.assertFalse(a.payloads("training_sync")[-1]["ai_info"]["b"]["connected"])
        self.assertIn("b", self.one.absence._since)

    def test_lostLease(self) -> None:
        """A node whose lease had run out, such as one that was frozen, says again who is connected to it."""
        self.connect(self.one, "a")
        self.execute("UPDATE nodes SET lease_until = 1 WHERE name = 'one'")
        self.execute("DELETE FROM presence")
        self.two.cluster.elsewhere.clear()
        self.clock.advance(LEASE)
        self.settle()
        self.assertEqual([*self.two.cluster.elsewhere], ["a"])

    def test_zombie(self) -> None:
        """A connection to a node that was frozen doesn't come before the one that its AI has elsewhere since then."""
        older = self.connect(self.one, "a")
        self.one.cluster._job.stop()  # it stands still
        self.execute("UPDATE nodes SET lease_until = 1 WHERE name = 'one'")
        self.settle()
        newer = self.connect(self.two, "a")
        self.assertFalse(older.closing)
        self.one.cluster._job.start(POLL)
        self.settle()
        self.assertEqual((older.closing, newer.closing), (True, False))
        self.assertEqual(self.execute("SELECT node FROM presence"), [("two",)])

    def test_retention(self) -> None:
        """Before the log's beginning is removed all nodes know that it can't be read any more."""
        a, slow = self.connect(self.one, "a"), self.connect(self.two, "slow")
        slow.pause()
        for i in range(3):
            a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
        self.settle()
        self.assertGreater(self.one._announceFirst(3), 2 * POLL)
        self.settle()
        self.assertEqual(self.two.log.first, 3)
        slow.resume()
        self.assertTrue(slow.closing)
        self.assertEqual(slow.received("pattern_share"), [])

    def test_removedMeanwhile(self) -> None:
        """Where what comes next was removed while a node heard nothing, nobody there passes over it in silence."""
        a, w = self.connect(self.one, "a"), self.connect(self.two, "w")
        with mock.patch.object(self.two.cluster, "follow"):
            for i in range(3):
                a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
            self.one.transact(lambda transaction: transaction.marks.remove(2, 9))
        self.settle()
        self.assertEqual((self.two.log.head, self.two.log.first), (3, 3))
        self.assertTrue(w.closing)
        self.assertEqual(w.received("pattern_share"), [])

    def test_deaf(self) -> None:
        """A node that lost the connection it hears by knows all again once it has another one."""
        connection = self.one.ears._connection
        assert connection is not None
        self.execute("SELECT pg_terminate_backend(%s)", connection.info.backend_pid)
        self.connect(self.two, "b", specialization="new")
        self.settle()
        self.assertEqual([*self.one.cluster.elsewhere], ["b"])
        self.assertEqual(self.one.directory.ais["b"].hello.specialization, "new")

    def test_oneLeads(self) -> None:
        """One node alone does what one shall do; when it is gone another does."""
        self.assertEqual((self.one.cluster.leads, self.two.cluster.leads), (True, False))
        self.one.cluster.stop()
        self.settle()
        self.assertEqual(self.two.cluster.leads, True)


class AccountTests(NodesTestCase):
    def test_allNodes(self) -> None:
        """Each node tells of all: who is connected to which, their sums, and by how much each is behind."""
        a = self.connect(self.one, "a", specialization="kernel")
        self.connect(self.two, "b")
        for i in range(5):
            a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
        self.clock.advance(COUNT_EVERY - self.clock.seconds() % COUNT_EVERY)  # they have just counted
        self.settle()
        for node, other in ((self.one, self.two), (self.two, self.one)):
            told = self.successResultOf(node.status.fullStatus())
            self.assertEqual({aiId: ai["node"] for aiId, ai in told["ais"].items()}, {"a": "one", "b": "two"})
            self.assertEqual(told["ais"]["a"]["specialization"], "kernel")
            self.assertEqual((told["node"], told["here"], told["connections"]), (node.cluster.name, 1, 1))
            self.assertEqual([one["node"] for one in told["nodes"]], ["one", "two"])
            for one in told["nodes"]:
                self.assertEqual((one["state"], one["ais"], one["connections"], one["position"]), ("alive", 1, 1, 5))
            self.assertEqual((told["total"]["nodes"], told["total"]["ais"], told["total"]["connections"]), (2, 2, 2))
            rates = {one["node"]: one["messages_per_second"] for one in told["nodes"]}
            self.assertGreater(rates["one"], rates["two"])
            self.assertEqual(told["total"]["messages_per_second"], sum(rates.values()))
            described = self.successResultOf(answerTo(self.sources(node), ("ais",), {}))["ais"]
            self.assertEqual(
                {ai["id"]: (ai["connected"], ai["node"]) for ai in described}, {"a": (True, "one"), "b": (True, "two")}
            )
            self.assertEqual(self.successResultOf(answerTo(self.sources(node), ("overview",), {}))["connected"], 2)
            self.assertIn(f'kernelnet_node_ais{{node="{other.cluster.name}"}} 1.0', self.metrics(told))

    def test_behind(self) -> None:
        """A node that does not follow tells by how much it is behind; one that ends is away, and counts no more."""
        a = self.connect(self.one, "a")
        # Its own periodic work has just been done: with what it commits comes all that was missed.
        self.clock.advance(SWEEP_EVERY - self.clock.seconds() % SWEEP_EVERY)
        with mock.patch.object(self.two.cluster, "follow"), mock.patch.object(self.two.cluster._ears, "hear"):
            for i in range(3):
                a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
            self.settle()
            (_, two) = self.one.status.nodes()
            self.assertEqual((two["position"], two["behind"]), (0, 3))
        self.settle()
        (_, two) = self.one.status.nodes()
        self.assertEqual((two["position"], two["behind"]), (3, 0))
        self.two.cluster.stop()
        self.execute("UPDATE nodes SET lease_until = 1 WHERE name = 'two'")
        self.settle()
        told = self.successResultOf(self.one.status.fullStatus())
        (_, two) = told["nodes"]
        self.assertEqual((two["state"], two["connections"], two["position"]), ("away", None, 3))
        self.assertEqual(told["total"]["nodes"], 1)
        self.assertIn('kernelnet_node_up{node="two"} 0.0', self.metrics(told))

    def test_silentFirst(self) -> None:
        """A node that the database has not answered yet may be drained, and says that it knows nothing of it."""
        log, about = self.one.log, About("new", "", 1.0, "1")
        link = Link(self.one.pool, lambda: log.standing)
        cluster = PostgresCluster(link, self.one.ears, self.clock, about, lambda: log.standing)
        self.assertEqual((cluster.silence, cluster.leads), (math.inf, False))
        self.clock.advance(LEASE)
        self.assertEqual(cluster.silence, math.inf)
        self.settle()
        self.assertLess(self.one.cluster.silence, LEASE)

    def test_strangeWords(self) -> None:
        """A node whose account nobody can read is there all the same."""
        self.two.cluster.stop()
        self.execute("UPDATE nodes SET status = %s, lease_until = lease_until + 99 WHERE name = 'two'", '{"log": 7}')
        self.settle()
        (_, two) = self.one.status.nodes()
        self.assertEqual((two["state"], two["connections"], two["behind"]), ("alive", None, None))

    def sources(self, node: Node) -> Sources:
        return node.dashboard(self.clock, ("127.0.0.1", 0)).sources

    def metrics(self, told: dict[str, Any]) -> str:
        learned = Learned({}, None, 0, 0, ModelCosts(0, 0, 0, None))
        return render(told, learned, startedAt=0, streams=0, slow=0, commits=self.one.log.commits).decode()


class DirectoryTests(NodesTestCase):
    def test_enrolledElsewhere(self) -> None:
        """A target that another node has enrolled just now is known; one that nobody has is not."""
        a = self.connect(self.one, "a")
        self.two.issue("new")
        self.assertFalse(self.one.directory.isKnown("new"))
        a.send("pattern_share", {"pattern": PATTERN}, target="new")
        self.assertEqual(len(a.payloads("ack")), 1)
        a.send("pattern_share", {"pattern": {**PATTERN, "id": "q"}}, target="nobody")
        self.assertEqual(a.errors(), ["unknown_target"])
        self.settle()
        self.assertTrue(self.one.directory.isKnown("new"))

    def test_revoked(self) -> None:
        """Who is locked out by one node is cut off by the one that it is connected to."""
        client = self.connect(self.two, "a")
        self.one.transact(tokenCommand({"command": "tokens revoke", "ai_id": "a"}))
        self.settle()
        self.assertEqual(client.errors(), ["bad_credentials"])
        self.assertNotIn("a", self.two.directory.ais)

    def test_rotated(self) -> None:
        """A token that one node rotates reaches its AI by the one that it is connected to, and works at both."""
        client = self.connect(self.two, "a")
        self.one.transact(tokenCommand({"command": "tokens rotate", "ai_id": "a"}))
        self.one.cluster.tell(rotated=["a"])
        self.settle()
        (token,) = [told["credential"] for told in client.payloads("training_sync") if "credential" in told]
        other = Client(self.one, "a")
        other.authenticate(token)
        self.assertFalse(other.closing)

    def test_otherLog(self) -> None:
        """Where another node has gone back to a backup, everybody comes anew, to what is there now."""
        client = self.connect(self.two, "a")
        self.one.engine.renew(0)
        self.settle()
        self.settle()
        self.assertTrue(client.closing)
        client.leave()
        self.settle()
        self.assertFalse(self.two.connections.suspended)
        self.assertNotEqual(self.two.log.logId, "")
        self.assertEqual(self.execute("SELECT value FROM meta WHERE key = 'log_id'"), [(self.two.log.logId,)])


class PayloadTests(NodesTestCase):
    def node(self, name: str) -> Node:
        assert isinstance(self.database, OnPostgres)
        store = PostgresBlobs(self.database.url, self.clock.seconds)
        self.addCleanup(store.close)
        shelf = Shelf(store, BlobBounds(), self.clock.seconds, lambda: 10**12)
        run: Any = maybeDeferred
        payloads = PayloadShelf(shelf, run, lambda aiId: None, self.clock)
        node = Node(NodeDatabase(self.path / name, self.database.url, name), self.clock, payloads)
        self.hubs.append(node)
        return node

    def ask(self, client: Client, step: str, **fields: Any) -> dict[str, Any]:
        client.send("payload", {"step": step, **fields})
        self.settle()
        (answer,) = client.payloads("payload")
        return dict(answer)

    def test_elsewhere(self) -> None:
        """A blob that was sent to one node, and begun at the other, is found and read at that one."""
        data = bytes(PART) + b"x"
        digest = hashlib.sha256(data).hexdigest()
        begin = {"digest": digest, "size": len(data), "trace_digest": "cd" * 32}
        a = self.connect(self.two, "a")
        self.ask(a, "begin", **begin)
        self.ask(a, "part", digest=digest, part=0, data=base64.b64encode(data[:PART]).decode())
        a = self.connect(self.one, "a")
        self.assertEqual(self.ask(a, "begin", **begin)["have"], PART)
        self.ask(a, "part", digest=digest, part=1, data=base64.b64encode(b"x").decode())
        self.assertTrue(self.ask(a, "end", digest=digest)["whole"])
        b = self.connect(self.two, "b")
        (offer,) = self.ask(b, "find", trace_digest="cd" * 32)["offers"]
        self.assertEqual((offer["digest"], offer["author"]), (digest, "a"))
        got = b"".join(base64.b64decode(self.ask(b, "get", digest=digest, part=n)["data"]) for n in range(2))
        self.assertEqual(got, data)


class RestoreTests(NodesTestCase):
    def test_underLoad(self) -> None:
        """
        The database goes back to a backup while nodes take messages: what they acknowledge from then on is in what is
        there now, once, everybody's connection ends within some looks, and who was further is told so.
        """
        a, b = self.connect(self.one, "a"), self.connect(self.two, "b")
        for i in range(3):
            a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
        assert isinstance(self.database, OnPostgres)
        url, file = self.database.url, self.path / "backup.db"
        backup.backUp(url, file)
        for i in range(3, 6):
            a.send("pattern_share", {"pattern": {**PATTERN, "id": f"p{i}"}})
        self.settle()
        before = self.two.log.logId
        made = backup.Prepared(url, self.path, file)
        self.addCleanup(made.remove)
        a.received()
        with connect(url) as connection:
            backup.replace(connection, made.path)
        acked: list[str] = []
        gone: list[str] = []
        for i in range(12):
            for client in (a, b, a, b):
                client.send("pattern_share", {"pattern": {**PATTERN, "id": f"after{i}"}})
                acked += [name for answer in client.payloads("ack") for name, _ in answer["acked"]]
                if client.closing and client.aiId not in gone:
                    gone.append(client.aiId)
                    client.leave()
            self.clock.advance(POLL)
        self.settle()
        self.assertEqual(sorted(gone), ["a", "b"])
        self.assertGreater(len(acked), 2)
        logged = self.execute("SELECT seq, message_id FROM events WHERE seq > 3 ORDER BY seq")
        self.assertEqual(logged, [*enumerate(acked, 4)])
        self.assertNotEqual(self.two.log.logId, before)
        self.assertEqual(self.one.log.logId, self.two.log.logId)
        self.assertEqual(self.one.log.head, self.two.log.head)
        again = self.two.client("b")
        again.hello(2, log_id=before, resume_after=6)
        self.assertFalse(again.payloads("training_sync")[0]["resumed"])


class DrainTests(NodesTestCase):
    def drain(self, wanted: bool) -> None:
        self.execute("UPDATE nodes SET draining = %s WHERE name = 'one'", int(wanted))
        self.settle()

    def test_drained(self) -> None:
        """Its AIs are sent away within seconds, what they sent being acked; it takes nobody until that is undone."""
        a, b = self.connect(self.one, "a"), self.connect(self.two, "b")
        sent = a.send("pattern_share", {"pattern": PATTERN})
        self.drain(True)
        answers = a.received("ack", "error")
        self.assertEqual(answers[0]["payload"]["acked"], [[sent, 1]])
        self.assertEqual([one["payload"]["code"] for one in answers[1:]], ["shutting_down"])
        self.assertTrue(a.closing)
        a.leave()
        self.assertEqual(self.one.connections.byId.keys(), set())
        self.assertTrue(self.one.connections.suspended)
        self.assertEqual([m["seq"] for m in b.received("pattern_share")], [1])
        b.send("pattern_share", {"pattern": {**PATTERN, "id": "q"}})
        self.settle()
        self.assertEqual(self.one.log.head, 2)
        self.drain(False)
        self.assertFalse(self.one.connections.suspended)
        again = self.one.resume("a", 1)
        self.settle()
        self.assertEqual([m["seq"] for m in again.received("pattern_share")], [2])

    def test_tooOld(self) -> None:
        """A node that the tables are too new for serves nobody, and says why; others go on."""
        said = captureLog(self)
        a, b = self.connect(self.one, "a"), self.connect(self.two, "b")
        self.one.cluster._about = self.one.cluster._about._replace(schema=10**6)
        self.execute("UPDATE meta SET value = '1000000' WHERE key = 'min_node_version'")
        self.settle()
        self.assertEqual((a.closing, b.closing), (False, True))
        self.assertEqual(b.errors(), ["shutting_down"])
        (line,) = [line for line in said if "too old for the database" in line]
        self.assertIn("upgrade it", line)
        self.assertEqual(len(a.payloads("ack", "error")), 0)
        a.send("pattern_share", {"pattern": PATTERN})
        self.assertEqual(len(a.payloads("ack")), 1)

    def test_ends(self) -> None:
        """A drained node ends in order, as any does."""
        self.drain(True)
        self.successResultOf(self.one.stop())
