"""The child processes that translate modules; `test_sandbox` has what they cost this process."""

from __future__ import annotations

import os
import signal
import time

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import errors, translator
from kernelnet.workbench.sandbox import MAX_MODULE
from tests.workbench.wasm import ZERO, body, leb
from tests.workbench.wasm import policy as raw

SECONDS = 8.0
"""Time that a costly module may take on a machine that is busy with other tests."""


class TranslatorTests(SynchronousTestCase):
    def test_stopped(self) -> None:
        """A child that neither works nor reads is given up after a while, even for the largest module."""
        self.patch(translator, "_WALL_SECONDS", 1.0)
        child = translator.Translator()
        self.addCleanup(child.close)
        os.kill(child._process.pid, signal.SIGSTOP)
        self.assertRaises(errors.CompileTooCostly, child.translate, bytes(MAX_MODULE))

    def test_costly(self) -> None:
        """A translation that exceeds its CPU time is ended and told apart from a bad module."""
        self.patch(translator, "_idle", [])
        child = translator.Translator()
        self.addCleanup(child.close)
        # As large as it takes: the child itself knows no limit on the size.
        branches = b"".join(ZERO + b"\x0d" + leb(i) for i in range(1000))
        deep = raw(more=[body(b"\x02\x40" * 1000 + branches * 40 + b"\x0b" * 1000)])
        start = time.monotonic()
        self.assertRaises(errors.CompileTooCostly, child.translate, deep)
        self.assertLess(time.monotonic() - start, SECONDS)

    def test_reused(self) -> None:
        """A module that is none leaves the child as it was; one that is valid becomes machine code."""
        self.patch(translator, "_idle", [])
        self.addCleanup(translator.closeTranslators)
        self.assertRaises(errors.InvalidModule, translator.translate, b"\0asm nonsense")
        (child,) = translator._idle
        self.assertGreater(len(translator.translate(raw())), 1000)
        self.assertEqual(translator._idle, [child])
        translator.closeTranslators()
        self.assertEqual((translator._idle, child.alive()), ([], False))

    def test_priority(self) -> None:
        """Who proves something waits for no child that a search has begun, and of too many such a one goes."""
        self.patch(translator, "_idle", [])
        self.addCleanup(translator.closeTranslators)
        self.patch(translator, "cores", lambda: 1)
        niceness = 5
        self.patch(translator, "_niceness", lambda: niceness)
        translator.translate(raw())
        (searching,) = translator._idle
        niceness = 0
        translator.translate(raw())
        searching, proving = translator._idle
        self.assertEqual((searching.niceness, proving.niceness), (5, 0))
        translator.translate(raw())
        self.assertEqual(translator._idle, [searching, proving])
        niceness = -1
        translator.translate(raw())
        self.assertEqual([each.niceness for each in translator._idle], [0, -1])
        self.assertFalse(searching.alive())
