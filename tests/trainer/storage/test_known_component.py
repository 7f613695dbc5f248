"""What a component weighs, and when it is too large to be kept."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.trainer.storage import known_component
from kernelnet.trainer.storage.known_component import KnownComponent
from tests.trainer.support import component


class WeightTests(SynchronousTestCase):
    def known(self, source: str = "", wasm: bytes = b"", **fields: object) -> KnownComponent:
        made = msgspec.structs.replace(component("c"), implementation=source, wasm=wasm, **fields)
        return KnownComponent(made, "AI_2")

    def test_source(self) -> None:
        """A source weighs its bytes, and with others than ASCII characters four times as much: as Python keeps it."""
        empty = self.known().weight
        for source, size in (("x" * 100, 100), ("é" * 100, 800), ("x" * 99 + "é", 404)):
            self.assertEqual(self.known(source).weight - empty, size)
        self.assertEqual(self.known(wasm=b"x" * 100).weight - empty, 100)

    def test_toTheByte(self) -> None:
        """As much as the bounds say is not too large; a byte more is."""
        known = self.known()
        self.assertFalse(known.isTooLarge)
        for bound, size in (("MAX_COMPONENT", len(known.body)), ("MAX_MANIFEST", known.weight)):
            for room, isTooLarge in ((size, False), (size - 1, True)):
                before = self.patch(known_component, bound, room)
                self.assertEqual(self.known().isTooLarge, isTooLarge, (bound, room))
                before.restore()
