"""The spool: bounded, private, and safe from whatever lies in it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from kernelnet.observations import Environment, Observation, ObservedScore
from kernelnet.trainer.storage.spool import (
    MAX_ASIDE,
    MAX_FILE,
    MAX_FILES,
    NO_SITE,
    Spool,
    SpooledObservation,
    SpoolFull,
)
from kernelnet.untrusted import plain

SEEN = SpooledObservation(
    Observation(Environment.REAL, NO_SITE, "3" * 64, "file_system", "misses", ObservedScore("component", 900.0))
)


class SpoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.spool = Spool(self.folder / "spool")
        self.said: list[str] = []

        @provider(ILogObserver)
        def note(event: LogEvent) -> None:
            if event.get("log_namespace") == Spool.log.namespace:
                self.said.append(formatEvent(event))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    def test_kept(self) -> None:
        """An observation is read as it was left, by the owner alone, until it is done."""
        path = self.spool.put(SEEN)
        self.assertEqual((path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777), (0o600, 0o700))
        self.assertEqual([*Spool(self.folder / "spool").waiting()], [(path, SEEN)])
        self.spool.done(path)
        self.assertEqual([*self.spool.waiting()], [])

    def test_noFolder(self) -> None:
        """Where nothing was ever left nothing waits."""
        self.assertEqual([*self.spool.waiting()], [])

    def test_full(self) -> None:
        """There are so many files at most; who leaves one more is told what to do."""
        for _ in range(MAX_FILES):
            self.spool.put(SEEN)
        with self.assertRaisesRegex(SpoolFull, "wait for the trainer"):
            self.spool.put(SEEN)

    def test_malformed(self) -> None:
        """What is no observation is moved aside with one line each, and never stops what is behind it."""
        path = self.spool.put(SEEN)
        spool = path.parent
        (spool / "a.json").write_bytes(b"{")
        (spool / "b.json").write_bytes(b"[" * 5000)
        (spool / "c.json").write_bytes(msgspec.json.encode(SEEN) + b" " * MAX_FILE)
        (spool / "d.json").write_bytes(msgspec.json.encode(SEEN).replace(b"real", b"\x1b[2J"))
        os.mkfifo(spool / "e.json")
        (spool / "f.json").symlink_to("/etc/passwd")
        (spool / "g.json").mkdir()
        for _ in range(2):
            self.assertEqual([*self.spool.waiting()], [(path, SEEN)])
        self.assertEqual(sorted(one.name for one in (spool / "refused").iterdir()), [f"{n}.json" for n in "abcdefg"])
        self.assertEqual(len(self.said), 7)
        self.assertEqual([plain(line, 1000) for line in self.said], self.said)

    def test_toTheByte(self) -> None:
        """A file of just as many bytes as may be is read; one of a byte more goes aside, where nobody else looks."""
        path = self.spool.put(SEEN)
        body = path.read_bytes()
        path.write_bytes(body + b" " * (MAX_FILE - len(body)))
        self.assertEqual([seen for _, seen in self.spool.waiting()], [SEEN])
        path.write_bytes(body + b" " * (MAX_FILE + 1 - len(body)))
        self.assertEqual([*self.spool.waiting()], [])
        self.assertIn(f"it has more than {MAX_FILE} bytes", self.said[0])
        self.assertEqual((self.folder / "spool" / "refused").stat().st_mode & 0o777, 0o700)

    def test_asideBound(self) -> None:
        """Of what was moved aside the newest are kept."""
        self.spool.done(self.spool.put(SEEN))
        for i in range(MAX_ASIDE + 3):
            (self.folder / "spool" / f"{i}.json").write_bytes(b"{")
            self.assertEqual([*self.spool.waiting()], [])
        self.assertEqual(len([*(self.folder / "spool" / "refused").iterdir()]), MAX_ASIDE)

    def test_stuck(self) -> None:
        """What can't be moved aside is told of once, and passed over."""
        path = self.spool.put(SEEN)
        (path.parent / "refused").write_bytes(b"in the way")
        (path.parent / "a.json").write_bytes(b"{")
        for _ in range(3):
            self.assertEqual([*self.spool.waiting()], [(path, SEEN)])
        self.assertEqual(len(self.said), 1)
