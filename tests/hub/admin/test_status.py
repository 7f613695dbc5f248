"""Bounds of what the status names; `tests.hub.connection.test_other_nodes` has what it tells of several hubs."""

from __future__ import annotations

from kernelnet.hub.storage.cluster import Alone, Arrival
from tests.hub.support import HubTestCase


class StatusBoundsTests(HubTestCase):
    def test_elsewhere(self) -> None:
        """Of the AIs that are connected to other hubs a thousand are named, and all who are here."""
        self.hub.connect("here")
        assert isinstance(self.hub.cluster, Alone)
        for number in range(1001):
            self.hub.directory.ais[f"AI_{number}"] = self.hub.directory.ais["here"]
            self.hub.cluster.elsewhere[f"AI_{number}"] = Arrival("other", number, 0.0)
        told = self.successResultOf(self.hub.status.fullStatus())
        self.assertEqual([one["node"] for one in told["ais"].values()].count("other"), 1000)
        self.assertEqual(told["ais"]["here"]["node"], "hub")
        self.assertEqual(told["known_ais"], 1002)
