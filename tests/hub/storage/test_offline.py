"""The file that says which database a hub uses."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage import offline
from kernelnet.hub.storage.errors import DatabaseError

URL = "postgresql://me@h/x"


class RememberedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_mode(self) -> None:
        """Only its owner may write or read it, whatever the umask: who writes it sends the hub elsewhere."""
        self.addCleanup(os.umask, os.umask(0))
        offline.remember(self.folder, URL)
        self.assertEqual((self.folder / offline.URL).stat().st_mode & 0o777, 0o600)
        self.assertEqual(offline.remembered(self.folder), URL)

    def test_whole(self) -> None:
        """One that can't be written leaves the last one."""
        offline.remember(self.folder, URL)
        self.patch(os, "fsync", self.full)
        self.assertRaises(DatabaseError, offline.remember, self.folder, "postgresql://other/x")
        self.assertEqual(offline.remembered(self.folder), URL)
        self.assertEqual(os.listdir(self.folder), [offline.URL])

    def full(self, fd: int) -> None:
        raise OSError(28, "No space left on device")

    def test_unreadable(self) -> None:
        """One that is there and can't be read is told: else the hub would begin anew in a file."""
        (self.folder / offline.URL).mkdir()
        self.assertRaisesRegex(DatabaseError, "can't read .*database.url", offline.remembered, self.folder)
        self.assertRaisesRegex(DatabaseError, "can't read .*database.url", offline.checkChoice, self.folder, None)

    def test_spoiled(self) -> None:
        """Nor is one of other content taken for none, or for a file's name."""
        for content in (b"", b"\xff", b"nonsense\n", b"postgresql://h/x\npostgresql://h/y\n"):
            (self.folder / offline.URL).write_bytes(content)
            self.assertRaisesRegex(DatabaseError, "one line, postgresql://", offline.remembered, self.folder)
