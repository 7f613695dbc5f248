"""Modules that are kept between processes: only this user's, whole ones, and only of this package's C."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import compiler, kept_modules
from kernelnet.workbench.errors import CompileError
from tests.workbench.support import HEADER, baselineSource

KEY = "ab" * 32


class KeptTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cache = Path(self.mktemp()).absolute()
        self.patch(os, "environ", {**os.environ, "XDG_CACHE_HOME": str(self.cache)})
        self.folder = self.cache / "kernelnet" / "modules"
        self.addCleanup(os.umask, os.umask(0))

    def test_kept(self) -> None:
        """What was kept is found by its key, and by no other; nobody else may read or write it."""
        self.assertIsNone(kept_modules.kept(KEY))
        kept_modules.keep(KEY, b"module")
        self.assertEqual(kept_modules.kept(KEY), b"module")
        self.assertIsNone(kept_modules.kept("cd" * 32))
        self.assertEqual([path.name for path in self.folder.iterdir()], [KEY])
        modes = [
            path.stat().st_mode & 0o777 for path in (self.cache, self.folder.parent, self.folder, self.folder / KEY)
        ]
        self.assertEqual(modes, [0o700, 0o700, 0o700, 0o600])
        (self.folder / KEY).rename(self.folder / ("cd" * 32))
        self.assertIsNone(kept_modules.kept("cd" * 32))  # it is another's

    def test_broken(self) -> None:
        """What is cut off, longer, empty or another's bytes is as good as none."""
        kept_modules.keep(KEY, b"module")
        whole = (self.folder / KEY).read_bytes()
        for data in (whole[:-1], whole + b"x", b"", whole[:32], bytes(32) + whole[32:]):
            (self.folder / KEY).write_bytes(data)
            self.assertIsNone(kept_modules.kept(KEY), data)

    def test_others(self) -> None:
        """A link, a file or folder that others may write, and a pipe are not read."""
        kept_modules.keep(KEY, b"module")
        path = self.folder / KEY
        path.chmod(0o620)
        self.assertIsNone(kept_modules.kept(KEY))
        path.chmod(0o600)
        self.folder.chmod(0o777)
        self.assertIsNone(kept_modules.kept(KEY))
        kept_modules.keep("cd" * 32, b"module")
        self.folder.chmod(0o700)
        self.assertIsNone(kept_modules.kept("cd" * 32))
        path.rename(self.folder / "elsewhere")
        path.symlink_to(self.folder / "elsewhere")
        self.assertIsNone(kept_modules.kept(KEY))
        path.unlink()
        os.mkfifo(path)
        self.assertIsNone(kept_modules.kept(KEY))
        path.unlink()
        (self.folder / "elsewhere").rename(path)
        self.assertEqual(kept_modules.kept(KEY), b"module")
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        self.assertIsNone(kept_modules.kept(KEY))

    def test_nowhere(self) -> None:
        """Where there is no folder, or it can't be written, nothing is kept and nothing said."""
        self.cache.mkdir()
        (self.cache / "kernelnet").write_text("in the way")
        kept_modules.keep(KEY, b"module")
        self.assertIsNone(kept_modules.kept(KEY))

        def noHome() -> Path:
            raise RuntimeError("no home")

        self.patch(Path, "home", noHome)
        os.environ["XDG_CACHE_HOME"] = "relative"
        self.assertIsNone(kept_modules.defaultCache())
        kept_modules.keep(KEY, b"module")
        self.assertIsNone(kept_modules.kept(KEY))

    def test_bounded(self) -> None:
        """Of more than fit the oldest go, also what was left half written."""
        self.patch(kept_modules, "MAX_KEPT", 3)
        self.folder.mkdir(parents=True, mode=0o700)
        (self.folder / ".left").write_text("half")
        os.utime(self.folder / ".left", (1, 1))
        for number in range(5):
            kept_modules.keep(str(number), b"module")
            os.utime(self.folder / str(number), (10 + number, 10 + number))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["2", "3", "4"])


class CompiledTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cache = Path(self.mktemp()).absolute()
        self.patch(os, "environ", {**os.environ, "XDG_CACHE_HOME": str(self.cache)})
        self.patch(compiler, "_own", {})

    def another(self) -> None:
        """As another process, in which nothing may be compiled."""
        self.patch(compiler, "_own", {})

        def refuse(*arguments: object, **options: object) -> bytes:
            raise CompileError("it was compiled")

        self.patch(compiler, "compileC", refuse)

    def test_own(self) -> None:
        """What this package has is compiled once on a machine; anything else about it makes it another one."""
        text = baselineSource("fifo")
        wasm = compiler.compileOwnText(text, HEADER)
        self.another()
        self.assertEqual(compiler.compileOwnText(text, HEADER), wasm)
        self.assertRaises(CompileError, compiler.compileOwnText, text + "\n", HEADER)
        self.assertRaises(CompileError, compiler.compileOwnText, text, HEADER, ("-DX",))
        self.assertRaises(CompileError, compiler.compileOwnText, text, HEADER, (), (Path(__file__),))
        self.patch(compiler, "compilerVersion", lambda: "another")
        self.patch(compiler, "_own", {})
        self.assertRaises(CompileError, compiler.compileOwnText, text, HEADER)

    def test_strangers(self) -> None:
        """What a generator or a stranger wrote is not kept."""
        compiler.compileC(baselineSource("fifo"), HEADER, trusted=True)
        self.assertFalse(self.cache.exists())
