"""What the options of a hub stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.config import HubConfig
from kernelnet.hub.connection.limits import Bounds, LimitError
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.storage.disk_space import StorageError
from kernelnet.hub.storage.retention_policy import RetentionLimit, RetentionPolicy
from kernelnet.hub.tap import Options
from kernelnet.hub.web.server import DashboardError


def config(**options: Any) -> HubConfig:
    given = Options()
    given.update({name.replace("_", "-"): value for name, value in options.items()})
    return HubConfig.fromOptions(given)


class HubConfigTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Without options: TLS of its own on port 6000, the dashboard on 6080 or wherever there is room."""
        found = config()
        self.assertEqual((found.port, found.hasOwnTLS, found.twistedTLS), ("6000", True, False))
        self.assertEqual((found.dashboard, found.anyDashboardPort), (("127.0.0.1", 6080), True))
        self.assertEqual((found.hosts, found.ownFiles, found.requiresClientCertificate), ((), None, False))
        self.assertEqual((found.sessions, found.bounds), (Limits(600.0, 1800.0), Bounds()))
        self.assertEqual((found.retention, found.minFree), (RetentionPolicy(), 50_000_000))

    def test_given(self) -> None:
        """What is given is taken."""
        found = config(dashboard="7000", retain="30d", session_offered=5.0, max_line=2000, hosts=["a"], client_ca="x")
        self.assertEqual((found.dashboard, found.anyDashboardPort), (("127.0.0.1", 7000), False))
        self.assertEqual(found.retention.soft, RetentionLimit(30 * 86400.0))
        self.assertEqual((found.sessions.offered, found.bounds.line, found.hosts), (5.0, 2000, ("a",)))
        self.assertEqual(found.clientCA, Path("x"))
        self.assertIsNone(config(dashboard="off").dashboard)

    def test_ownFiles(self) -> None:
        """The certificate of an operator's PKI needs its key; its root is known if it is given."""
        self.assertIsNone(config(cert="c.pem").ownFiles)
        own = config(cert="c.pem", key="k.pem", ca="r.pem").ownFiles
        assert own is not None
        self.assertEqual([own.certificate.name, own.key.name, own.ca and own.ca.name], ["c.pem", "k.pem", "r.pem"])

    def test_tls(self) -> None:
        """An endpoint description brings TLS of its own, plaintext has none."""
        self.assertFalse(config(port="ssl:6000").hasOwnTLS)
        self.assertFalse(config(insecure_plaintext=1).hasOwnTLS)

    def test_wrong(self) -> None:
        """What is out of range is refused by name."""
        for error, options in (
            (LimitError, {"max_line": 1}),
            (StorageError, {"retain": "soon"}),
            (StorageError, {"min_free": "-1"}),
            (DashboardError, {"dashboard": "somewhere"}),
        ):
            self.assertRaises(error, config, **options)
