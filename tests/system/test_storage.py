"""Backups, damage and what to do about it: ``kernelnet backup``, ``restore`` and ``doctor`` with real hubs."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.system.support import PATIENCE, RawClient, SystemTestCase


def pattern(name: str, size: int = 10) -> dict[str, Any]:
    return {"pattern": {"id": name, "type": "loop", "confidence": 0.5, "data": "x" * size}}


class StorageTests(SystemTestCase):
    def kernelnet(self, *arguments: str, code: int = 0) -> str:
        """Run the command; its output, once it has ended with C{code}."""
        program = Path(sys.executable).with_name("kernelnet")
        done = subprocess.run(
            [str(program), *arguments, "--state", str(self.state.path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, code, done.stdout)
        self.assertNotIn("Traceback", done.stdout)
        return done.stdout

    def say(self, client: RawClient, *names: str) -> list[int]:
        """Share patterns; the C{seq} of each."""
        seqs = []
        for name in names:
            client.send("pattern_share", pattern(name), id_=name)
            ((_, seq),) = client.receive("ack")["payload"]["acked"]
            seqs.append(seq)
        return seqs

    def count(self) -> int:
        with closing(sqlite3.connect(self.state.database)) as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM events").fetchone()
        return int(count)

    def test_whileItRuns(self) -> None:
        """A hub is backed up and restored while it runs: clients find a new log that holds what the backup held."""
        self.startHub()
        copy = self.folder / "copy.db"
        token = self.issueToken("AI_1")
        client = self.client("AI_1", token)
        sync = client.hello(protocol=2)
        self.assertEqual(self.say(client, "a", "b"), [1, 2])
        self.assertIn("2 messages, checked", self.kernelnet("backup", str(copy)))
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.assertIn("is there already", self.kernelnet("backup", str(copy), code=1))
        self.assertEqual(self.say(client, "c", "d"), [3, 4])
        later = self.issueToken("AI_2")
        self.assertIn("is sound: 4 messages", self.kernelnet("doctor"))

        self.assertIn("restored", self.kernelnet("restore", str(copy)))
        self.assertEqual(client.receive("error")["payload"]["code"], "shutting_down")
        again = self.client("AI_1", token)
        answer = again.hello(protocol=2, log_id=sync["log_id"], resume_after=4)
        self.assertEqual((answer["resumed"], answer["seq"]), (False, 2))
        self.assertNotEqual(answer["log_id"], sync["log_id"])
        # "b" is known, "c" never was
        self.assertEqual(self.say(again, "b", "c"), [2, 3])
        # a token that is younger than the backup is good
        self.client("AI_2", later).hello(protocol=2)
        self.assertIn("is sound: 3 messages", self.kernelnet("doctor"))
        (former,) = self.state.path.glob("hub_data.db.before-*")
        with closing(sqlite3.connect(former)) as connection:
            self.assertEqual(connection.execute("SELECT COUNT(*) FROM events").fetchone(), (4,))

    def test_withoutAHub(self) -> None:
        """The same without a hub; a hub that starts then has the new log."""
        hub = self.startHub()
        client = self.client("AI_1")
        logId = client.hello(protocol=2)["log_id"]
        self.say(client, "a")
        hub.stop()
        copy = self.folder / "copy.db"
        self.kernelnet("backup", str(copy))
        self.startHub()
        client = self.client("AI_1")
        client.hello(protocol=2)
        self.assertEqual(self.say(client, "b"), [2])
        self.kernelnet("tokens", "revoke", "AI_1")
        for process in self.hubs():
            process.stop()
        self.assertIn("kept as", self.kernelnet("restore", str(copy)))
        self.assertEqual(self.count(), 1)
        found = self.kernelnet("doctor", "--json")
        self.assertNotIn(logId, found)
        # what was revoked since the backup stays revoked
        self.assertIn("revoked", self.kernelnet("tokens", "list"))
        self.startHub()

    def hubs(self) -> list[Any]:
        return [p for p in self.started if p.process.poll() is None]

    def startHub(self, port: int = 0) -> Any:
        hub = super().startHub(port)
        self.started.append(hub)
        return hub

    def setUp(self) -> None:
        super().setUp()
        self.started: list[Any] = []

    def test_damaged(self) -> None:
        """A damaged database is refused in one line that says what to do, found by the doctor, and replaced."""
        hub = self.startHub()
        client = self.client("AI_1")
        client.hello(protocol=2)
        for i in range(50):
            client.send("pattern_share", pattern(f"p{i}", 3000), id_=f"m{i}")
        while client.receive("ack")["payload"]["acked"][-1][0] != "m49":
            pass
        copy = self.folder / "copy.db"
        self.kernelnet("backup", str(copy))
        hub.stop()
        sound = self.state.database.read_bytes()
        bad = self.folder / "bad.db"
        bad.write_bytes(sound[: len(sound) // 2])
        for data in (sound[: len(sound) // 2], sound.replace(b'"message_id":"m7"', b'"message_id":"m8"', 1)):
            self.assertNotEqual(data, sound)
            self.state.database.write_bytes(data)
            refused = self.twistd("kernelhub", "--port", "0", "--state", str(self.state.path))
            self.assertEqual(refused.end(), 1)
            self.assertEqual(len(refused.lines), 1, refused.lines)
            self.assertIn("is damaged", refused.lines[0])
            self.assertIn("kernelnet restore FILE", refused.lines[0])
            self.assertIn("is damaged", self.kernelnet("doctor", code=1))
            self.kernelnet("backup", str(self.folder / "no.db"), code=1)
            self.assertFalse((self.folder / "no.db").exists())
        self.assertIn("damaged", self.kernelnet("restore", str(bad), code=1))
        self.kernelnet("restore", str(copy))
        self.assertIn("is sound: 50 messages", self.kernelnet("doctor"))
        self.startHub()

    def test_damageFoundWhileItRuns(self) -> None:
        """Damage that only the check after an unclean end can find ends the hub, and the next start refuses at once."""
        hub = self.startHub()
        client = self.client("AI_1")
        client.hello(protocol=2)
        for i in range(2000):
            client.send("pattern_share", pattern(f"p{i}"), id_=f"m{i}")
        while client.receive("ack")["payload"]["acked"][-1][0] != "m1999":
            pass
        hub.kill()
        # It stays open, or it would tidy up as an orderly end does.
        connection = sqlite3.connect(self.state.database)
        self.addCleanup(connection.close)
        # one that is neither among the last thousand nor in the sample
        connection.execute("UPDATE events SET body = CAST(replace(body, 'loop', 'l00p') AS BLOB) WHERE seq = 6")
        connection.commit()
        hub = self.twistd("kernelhub", "--port", "0", "--state", str(self.state.path))  # it may have ended when asked
        self.assertEqual(hub.end(), 1)
        hub.waitFor("is damaged: row 6 of the log.*kernelnet restore FILE")
        refused = self.twistd("kernelhub", "--port", "0", "--state", str(self.state.path))
        self.assertEqual(refused.end(), 1)
        self.assertRegex(refused.lines[0], "is damaged: row 6 of the log")

    def test_notABackup(self) -> None:
        """What is no backup, or one of a newer kernelnet, is refused, and a running hub goes on undisturbed."""
        self.startHub()
        client = self.client("AI_1")
        client.hello(protocol=2)
        other = self.folder / "other"
        other.write_text("something else\n" * 1000)
        self.assertIn("no backup", self.kernelnet("restore", str(other), code=1))
        self.assertIn("no file", self.kernelnet("restore", str(self.folder / "missing"), code=1))
        newer = self.folder / "newer.db"
        self.kernelnet("backup", str(newer))
        with closing(sqlite3.connect(newer)) as connection, connection:
            connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
        self.assertIn("use a newer kernelnet", self.kernelnet("restore", str(newer), code=1))
        self.assertEqual(self.say(client, "a"), [1])

    def test_checkedAfterAKill(self) -> None:
        """After a kill the whole log is checked while the hub is at work; after an orderly end it isn't."""
        hub = self.startHub()
        client = self.client("AI_1")
        client.hello(protocol=2)
        self.say(client, "a", "b")
        hub.kill()
        hub = self.startHub()
        hub.waitFor("checking the log")
        hub.waitFor("the log is sound up to 2")
        hub.stop()
        self.assertFalse(any("checking the log" in line for line in self.startHub().lines))
