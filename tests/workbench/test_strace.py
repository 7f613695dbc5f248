"""What strace writes with its many options: the same processes, however their lines begin."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.security.readers import readSequences
from kernelnet.workbench.security.strace import straceSequences
from tests.workbench.contract import FolderCase

CALLS = ("execve", "openat", "read", "close", "exit_group")
FORMS = {
    "plain": "",
    "-t": "10:00:0{0} ",
    "-tt": "10:00:00.00000{0} ",
    "-ttt": "1700000000.00000{0} ",
    "--timestamps=unix": "170000000{0} ",
    "ISO": "2024-05-01T10:00:0{0}+0000 ",
    "-r": "     0.00000{0} ",
    "-r -t": "10:00:0{0} (+     0.00000{0}) ",
    "-i": "[00007f12deadbe0{0}] ",
    "-n": "[   {0}] ",
    "-n -i": "[   {0}] [00007f12deadbe0{0}] ",
    "-f -o": "50    ",
    "-f -o -ttt": "50 1700000000.12345{0} ",
    "--decode-pids=comm": "4242<my app> ",
    "-f, several": "[pid  424{0}] ".replace("{0}", "2"),
    "-f, several, comm": "[pid  4242<app>] ",
}


class FormTests(FolderCase):
    def test_forms(self) -> None:
        for name, form in FORMS.items():
            lines = [f'{form.format(at)}{call}(3, "x", 8) = 0'.encode() for at, call in enumerate(CALLS)]
            self.assertEqual(straceSequences(lines), [[call.encode() for call in CALLS]], name)

    def test_standardError(self) -> None:
        """strace -f 2>log: what is alone has no number, and keeps its calls when it gets one."""
        text = b"""\
execve("/bin/sh") = 0
clone(child_stack=NULL) = 51
strace: Process 51 attached
[pid    50] wait4(-1) = ? <unfinished ...>
[pid    51] read(0) = 1
[pid    51] +++ exited with 0 +++
<... wait4 resumed>) = 51
--- SIGCHLD {si_signo=SIGCHLD} ---
exit_group(0) = ?
+++ exited with 0 +++
execve("/bin/other") = 0
"""
        self.assertEqual(
            straceSequences(text.splitlines()),
            [[b"execve", b"clone", b"wait4", b"exit_group"], [b"read"], [b"execve"]],
        )

    def test_silentParent(self) -> None:
        """The parent may say nothing while the child lives."""
        text = b"clone() = 51\nstrace: Process 51 attached\n[pid 51] read(0) = 1\n[pid 51] +++ exited with 0 +++\n"
        text += b"close(1)\n"
        self.assertEqual(straceSequences(text.splitlines()), [[b"clone", b"close"], [b"read"]])

    def test_unclear(self) -> None:
        """Of several, a line has to say which."""
        text = b"clone() = 51\nstrace: Process 51 attached\n[pid 51] read(0) = 1\nclose(1) = 0\n"
        error = self.assertRaises(TraceError, straceSequences, text.splitlines(), "log")
        self.assertEqual(error.line, 4)
        self.assertIn("where 2 are alive; let strace write each line's process: strace -f -o FILE", str(error))


class ArchiveTests(FolderCase):
    """The same data set in any archive, written on any system."""

    def members(self) -> dict[str, bytes]:
        text = b"\xef\xbb\xbf" + b"".join(b"%s(3) = 0\n" % call.encode() for call in CALLS)
        names = [*(f"learn/{at}.log" for at in (2, 10, 1)), "normal/1.log", "attack/b/0.log"]
        return {name: text + f"call{at}() = 0\n".encode() for at, name in enumerate(names)}

    def zipped(self, name: str, between: str = "/") -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in self.members().items():
                info = zipfile.ZipInfo()
                info.filename = member.replace("/", between)
                archive.writestr(info, data)
        return path

    def tarred(self) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for member, data in reversed(self.members().items()):
                info = tarfile.TarInfo(f"./{member}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return stream.getvalue()

    def test_same(self) -> None:
        def shape(path: Path) -> list[tuple[str, str, str, int]]:
            return [(each.label, each.kind, each.instance, len(each.calls)) for each in readSequences(path)]

        expected = shape(self.zipped("a.zip"))
        self.assertEqual([each[0] for each in expected], ["attack", "learn", "learn", "learn", "normal"])
        self.assertEqual(shape(self.zipped("b.ZIP", "\\")), expected)
        for name, data in (
            ("a.tar", self.tarred()),
            ("a.tar.xz", lzma.compress(self.tarred())),
            ("a.TAR.BZ2", bz2.compress(self.tarred())),
            ("a.tgz", bz2.compress(self.tarred())),
        ):
            path = self.folder / name
            path.write_bytes(data)
            self.assertEqual(shape(path), expected, name)

    def test_damaged(self) -> None:
        path = self.folder / "a.tar"
        path.write_bytes(self.tarred()[:700])
        self.assertIn("not a whole tar file", str(self.assertRaises(TraceError, readSequences, path)))
        path.write_bytes(b"no tar at all")
        self.assertRaises(TraceError, readSequences, path)
