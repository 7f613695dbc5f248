"""What a component's digest says of it."""

from __future__ import annotations

import hashlib

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from tests.trainer.support import component


class DigestTests(SynchronousTestCase):
    def test_reference(self) -> None:
        """
        A source that is a blob counts by the manifest's SHA-256 and its size, whether it has been read or not; no copy
        with another size, or without a word of the blob, has the verdicts of the true one.
        """
        whole = component("c")
        size = len(whole.implementation)
        reference = replace(whole, implementation="", source_size=size)
        read = replace(whole, source_size=size)
        self.assertEqual(read.digest, reference.digest)
        assert whole.manifest is not None
        of = replace(whole.manifest, source_sha256=hashlib.sha256(b"another").hexdigest())
        spoiled = [
            whole,
            replace(whole, implementation=""),
            replace(reference, source_size=size + 1),
            replace(reference, manifest=of),
            replace(read, implementation="int backdoor(void);"),
        ]
        self.assertEqual(len({reference.digest, *(each.digest for each in spoiled)}), 6)
