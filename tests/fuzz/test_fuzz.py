"""Whatever fuzzing starts from, and whatever it has found, on each target; C{make fuzz} looks for more."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.auth.tokens import Grant

from . import targets

FOUND: dict[str, list[bytes]] = {"decoder": [], "expression": [], "handshake": []}
"""Inputs that once failed."""


class TargetTests(SynchronousTestCase):
    def test_known(self) -> None:
        """All targets hold for what they start from and for what was found before."""
        for name, target in targets.TARGETS.items():
            for data in [*targets.corpus(name), *FOUND[name]]:
                target(data)

    @given(st.binary(max_size=500))
    def test_anything(self, data: bytes) -> None:
        """They hold for any bytes, also where there is no fuzzer."""
        for target in targets.TARGETS.values():
            target(data)

    @given(st.sampled_from(targets.corpus("handshake")), st.integers(0, 4000), st.binary(max_size=8))
    def test_damaged(self, data: bytes, at: int, patch: bytes) -> None:
        """They hold for good lines with some bytes replaced."""
        damaged = data[:at] + patch + data[at + len(patch) :]
        for target in targets.TARGETS.values():
            target(damaged)

    def test_seesFailure(self) -> None:
        """A target fails if somebody comes in without a token: the fuzzer would see it."""
        hub = targets._underTest().hub
        with patch.object(hub.authenticator, "check", lambda handshake: succeed(Grant.OWN)):
            try:
                self.assertRaises(AssertionError, targets.handshake, targets.corpus("handshake")[0])
            finally:
                hub.cutAll()


class RunTests(SynchronousTestCase):
    def test_words(self) -> None:
        """The fuzzer's dictionary knows the fields and the types."""
        words = targets.words()
        for word in ('"message_id":', '"pattern_share"', '"confidence":'):
            self.assertIn(word, words)
