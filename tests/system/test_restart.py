"""The hub is killed in mid-stream: trainers come back by themselves, and what was acked is there once, in order."""

import json
import sqlite3
from contextlib import closing

from tests.system.support import SystemTestCase, steadyPort


class RestartTests(SystemTestCase):
    def test_ackedOnceInOrder(self) -> None:
        """Over ten kills under load no acked message is lost, doubled or out of order, in the log and at a reader."""
        hub = self.startHub(steadyPort())
        tokens = {aiId: self.issueToken(aiId) for aiId in ("WRITER", "READER")}
        acked: dict[str, int] = {}
        read: list[tuple[int, str]] = []
        cursor: dict[str, object] = {}
        names = [f"m{i:05d}" for i in range(20_000)]
        for _ in range(10):
            if acked:
                hub = self.startHub(self.port)
            writer, reader = self.client("WRITER", tokens["WRITER"]), self.client("READER", tokens["READER"])
            sync = reader.hello(protocol=2, **cursor)
            cursor = {"log_id": sync["log_id"], "resume_after": cursor.get("resume_after", 0)}
            writer.hello(protocol=2)
            for name in [n for n in names if n not in acked][:600]:
                pattern = {"id": name, "type": "loop", "confidence": 0.5, "data": {}}
                writer.send("pattern_share", {"pattern": pattern}, id_=name)
            goal = len(acked) + 150
            while len(acked) < goal:
                for name, seq in writer.receive("ack")["payload"]["acked"]:
                    self.assertEqual(acked.setdefault(name, seq), seq)
            # some of what is under way to the reader is cut off by the kill
            reader.receive("pattern_share")
            hub.kill()
            read += [(m["seq"], m["message_id"]) for m in reader.seen if "seq" in m]
            cursor["resume_after"] = read[-1][0]
        self.startHub(self.port)
        reader = self.client("READER", tokens["READER"])
        reader.hello(protocol=2, **cursor)
        last = max(acked.values())
        while not read or read[-1][0] < last:
            message = reader.receive("pattern_share")
            read.append((message["seq"], message["message_id"]))
        heard = [name for _, name in read]
        self.assertEqual(len(heard), len(set(heard)), "twice at the reader")
        self.assertEqual(read, sorted(read), "out of order at the reader")
        self.assertEqual(heard, sorted(heard), "out of the writer's order")
        self.assertLessEqual(set(acked.items()), {(name, seq) for seq, name in read}, "acked, but lost")
        with closing(sqlite3.connect(self.state.database)) as database:
            stored = database.execute("SELECT message_id FROM events WHERE sender_id = 'WRITER'").fetchall()
        self.assertEqual(len(stored), len(set(stored)))

    def test_trainersComeBack(self) -> None:
        """A trainer whose hub was killed connects again by itself, and what it said meanwhile arrives."""
        hub = self.startHub(steadyPort())
        trainer = self.trainer("AI_1", "--seed", "1")
        trainer.waitFor("Enrolled as AI_1")
        hub.kill()
        trainer.waitFor("Lost the hub")
        hub = self.startHub(self.port)
        trainer.waitFor("Connected to the hub", 2)
        hub.waitFor("shared by AI_1")
        trainer.stop()
        with closing(sqlite3.connect(self.state.trainer("AI_1") / "trainer.db")) as database:
            self.assertEqual(database.execute("SELECT COUNT(*) FROM outbox").fetchall(), [(0,)])
        progress = json.loads((self.state.trainer("AI_1") / "progress.json").read_text())
        self.assertEqual(progress["unacked"], 0)
        with closing(sqlite3.connect(self.state.database)) as database:
            ids = database.execute("SELECT message_id FROM events WHERE sender_id = 'AI_1'").fetchall()
        self.assertGreater(len(ids), 0)
        self.assertEqual(len(ids), len(set(ids)))
