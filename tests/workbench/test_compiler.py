"""The C compiler in its jail: it makes modules, always the same, and tells nothing about its machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import _jail, compiler
from kernelnet.workbench.errors import CompileError
from tests.workbench.support import HEADER, baselineSource

SECONDS = 10.0
"""What an attack may take on a machine that is busy with other tests; alone it takes two seconds and a bit."""

GOOD = '\n#include "kn_file_system.h"\nKN_EXPORT("f") int f(int x) { return 7 * x; }'


class CompilerTests(SynchronousTestCase):
    def fails(self, source: str, words: str = "") -> str:
        """The source is refused in time; returns the message."""
        start = time.monotonic()
        error = self.assertRaises(CompileError, compiler.compileC, source, HEADER, trusted=True)
        self.assertLess(time.monotonic() - start, SECONDS)
        self.assertIn(words, str(error))
        return str(error)

    def test_compiles(self) -> None:
        """C becomes a small WebAssembly module."""
        wasm = compiler.compileC(GOOD, HEADER, trusted=True)
        self.assertTrue(wasm.startswith(b"\0asm"))
        self.assertLess(len(wasm), 500)

    def test_deterministic(self) -> None:
        """The same source gives the same bytes, in other folders and at the same time, and no path is in them."""
        source = baselineSource("arc")
        with ThreadPoolExecutor(4) as pool:
            wasms = set(pool.map(lambda _: compiler.compileC(source, HEADER, trusted=True), range(6)))
        (wasm,) = wasms
        for word in (b"/tmp", b".c", b"zig", b"kernelnet", b"clang"):
            self.assertNotIn(word, wasm)

    def test_message(self) -> None:
        """The compiler's first error is the message's first line, without the folder's path."""
        message = self.fails("int f(void) {\n  return g;\n}")
        self.assertTrue(message.startswith("component.c:2:10: error: use of undeclared identifier 'g'"), message)
        self.assertNotIn("/tmp", message)

    def test_own(self) -> None:
        """A file of the package is compiled once in a process."""
        path = HEADER.with_name("baselines") / "fifo.c"
        self.assertIs(compiler.compileOwn(path, HEADER), compiler.compileOwn(path, HEADER))

    def test_version(self) -> None:
        """The compiler names itself and its version."""
        self.assertRegex(compiler.compilerVersion(), r"^ziglang \d+\.\d+\.\d+")

    def test_terminal(self) -> None:
        """A stranger's control characters don't get into the message."""
        self.assertNotIn("\x1b", self.fails("#error \x1b[31mred\x07\n", "red"))

    def test_lowLimits(self) -> None:
        """Where the user has a lower limit than the jail's, it stays, and the compiler runs."""
        code = (
            "import pathlib, resource\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
            "from kernelnet.workbench import compiler\n"
            f"print(len(compiler.compileC({GOOD!r}, pathlib.Path({str(HEADER)!r}), trusted=True)))"
        )
        result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        self.assertEqual(int(result.stdout or 0), len(compiler.compileC(GOOD, HEADER, trusted=True)), result.stderr)

    def test_long(self) -> None:
        """A source beyond any sense is not even tried."""
        self.fails(" " * (2 << 20), "bytes")

    def test_nothingLeft(self) -> None:
        """Neither files nor processes are left behind, also by a compiler that was stopped."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.patch(tempfile, "tempdir", str(folder))
        compiler.compileC(GOOD, HEADER, trusted=True)
        self.patch(compiler, "WALL_SECONDS", 0.02)
        self.fails(GOOD, "stopped")
        self.assertEqual(list(folder.iterdir()), [])


@skipUnless(compiler.canJail(), "this kernel has no Landlock")
class JailTests(SynchronousTestCase):
    """What the jail keeps in; what source may try is in `test_hostile`."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.secret = folder / "secret.txt"
        self.secret.write_text("42, 43, 44 /* xyzzy */\n")

    def test_link(self) -> None:
        """A module that is a link is not followed."""
        folder = self.secret.parent
        (folder / "component.wasm").symlink_to(self.secret)
        (folder / "folder.wasm").mkdir()
        os.mkfifo(folder / "fifo.wasm")
        for name in ("component.wasm", "folder.wasm", "fifo.wasm", "none.wasm"):
            self.assertRaises(CompileError, compiler._output, folder / name)

    def jailed(self, code: str, demanded: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Python code in a jail that may read Python only."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        program = (
            f"import sys; sys.path.insert(0, {str(Path(_jail.__file__).parent)!r}); import _jail, os, socket\n"
            f"_jail.confine({{'FSIZE': 4096}}, ['/usr', '/lib', {sys.base_prefix!r}], [{str(folder)!r}], {demanded})\n"
            f"os.chdir({str(folder)!r})\n{code}"
        )
        command = [sys.executable, "-I", "-S", "-c", program]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)

    def test_ownFolder(self) -> None:
        """Inside, a program writes its own folder, and no further than its limit."""
        self.assertEqual(self.jailed("open('x', 'w').write('1'); print(open('x').read())").stdout, "1\n")
        self.assertIn("File too large", self.jailed("open('x', 'w').write('1' * 9999)").stderr)

    def test_elsewhere(self) -> None:
        """Inside, nothing else can be read, listed, written, linked or removed."""
        secret = str(self.secret)
        for code in (
            f"open({secret!r})",
            f"os.listdir({str(self.secret.parent)!r})",
            f"open({secret!r}, 'a')",
            f"os.unlink({secret!r})",
            f"os.link({secret!r}, 'mine')",
            f"os.symlink({secret!r}, 'mine'); open('mine')",
            f"os.truncate({secret!r}, 0)",
            f"os.rename({secret!r}, 'mine')",
            "open('/dev/null', 'w')",
        ):
            self.assertRegex(self.jailed(code).stderr, "PermissionError|Invalid cross-device|OSError", code)
        self.assertTrue(self.secret.exists())

    def test_network(self) -> None:
        """Inside, no connection to this machine or another can be made."""
        import socket

        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            result = self.jailed(f"socket.create_connection(('127.0.0.1', {port}), 3)")
        self.assertRegex(result.stderr, "PermissionError|unreachable|refused")

    def test_noWayBack(self) -> None:
        """A child of what is inside is inside."""
        result = self.jailed(f"os.execv('/bin/cat', ['/bin/cat', {str(self.secret)!r}])")
        self.assertNotIn("xyzzy", result.stdout)
        self.assertNotEqual(result.returncode, 0)


class NoLandlockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(_jail, "landlockVersion", lambda: 0)

    def test_strangers(self) -> None:
        """Without Landlock a stranger's source is refused, with the reason."""
        error = self.assertRaises(CompileError, compiler.compileC, GOOD, HEADER)
        self.assertIn("Landlock", str(error))

    def test_demanded(self) -> None:
        """The jail itself refuses too, should the parent be wrong about the kernel."""
        self.assertRaises(OSError, _jail.confine, {}, [], [], True)
