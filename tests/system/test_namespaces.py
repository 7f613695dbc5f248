"""
Two machines, as far as the network goes: a hub and a trainer in network namespaces with one cable between them.

The namespaces are made here and have no way out: nothing reaches any address but theirs.
"""

from __future__ import annotations

import os
import re
import subprocess
import unittest

from tests.system.identity import IdentityTestCase, mayMakeNamespaces

HUB, TRAINER = "10.111.111.1", "10.111.111.2"
WHY_NOT = mayMakeNamespaces()


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class NamespaceTests(IdentityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.hubSpace, self.trainerSpace = (f"kn-{who}-{os.getpid()}" for who in ("hub", "trainer"))
        for space in (self.hubSpace, self.trainerSpace):
            ip("netns", "add", space)
            self.addCleanup(ip, "netns", "del", space)  # its end of the cable goes with it
            ip("-n", space, "link", "set", "lo", "up")
        ip(
            "-n",
            self.hubSpace,
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            self.trainerSpace,
        )
        for space, address in ((self.hubSpace, HUB), (self.trainerSpace, TRAINER)):
            ip("-n", space, "address", "add", f"{address}/30", "dev", "cable")
            ip("-n", space, "link", "set", "cable", "up")
        self.wrapper = ("ip", "netns", "exec", self.hubSpace)
        self.there = ("ip", "netns", "exec", self.trainerSpace)

    def test_join(self) -> None:
        """A trainer on another machine joins by a join string, outlives the hub's restart, and gets a rotated token."""
        hub = self.start("--host", HUB)
        join = self.invite("AI_9")
        trainer = self.remote("AI_9", "--join-file", join, hub=f"{HUB}:{self.port}", wrapper=self.there)
        trainer.waitFor("shows the CA of the join string")
        trainer.waitFor(f"Connected to the hub at {re.escape(HUB)}:{self.port}")
        trainer.waitFor("Enrolled as AI_9")
        hub.waitFor(f"AI_9 joined: .* {re.escape(TRAINER)}:")
        self.kernelnet("tokens", "rotate", "AI_9", "--grace", "1m")
        trainer.waitFor("New credential for AI_9")
        trainer.stop()
        again = self.remote("AI_9", hub=f"{HUB}:{self.port}", wrapper=self.there)
        again.waitFor("Connected to the hub")

    def test_cableIsCut(self) -> None:
        """While the hub can't be reached the trainer goes on and tries again; when it can, it joins."""
        self.start("--host", HUB)
        join = self.invite("AI_9")
        ip("-n", self.hubSpace, "link", "set", "cable", "down")
        trainer = self.remote("AI_9", "--join-file", join, hub=f"{HUB}:{self.port}", wrapper=self.there)
        trainer.waitFor("can't reach the hub")
        ip("-n", self.hubSpace, "link", "set", "cable", "up")
        trainer.waitFor("Enrolled as AI_9")

    def test_wrongHub(self) -> None:
        """Another hub at that address is not trusted, and learns nothing of the secret."""
        hub = self.start("--host", HUB)
        join = self.invite("AI_9")
        hub.stop()
        for file in ("ca.pem", "ca.key", "hub.pem", "hub.key"):
            (self.state.path / file).unlink()
        hub = self.start("--host", HUB)
        trainer = self.remote("AI_9", "--join-file", join, hub=f"{HUB}:{self.port}", wrapper=self.there)
        self.refused(trainer, "does not show the CA that the join string names")
        self.assertNotIn("AI_9", "\n".join(hub.lines))
