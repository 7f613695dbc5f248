"""Several hubs on one database, by their operator's commands."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.task import Clock

from kernelnet.cli import doctor
from kernelnet.hub.auth.certificates import HubCertificates
from kernelnet.hub.config import HubConfig
from kernelnet.hub.service import HubService
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.offline import operatedAt
from kernelnet.hub.storage.postgres import nodes
from kernelnet.hub.storage.postgres.connection import connect
from kernelnet.hub.tap import Options
from kernelnet.identity import IdentityError, JoinString, KeyAndChain, StateDirectory, tokenHash
from tests.cli.support import CliTestCase
from tests.postgres import server


class ClusterTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.url = server().database()
        self.operator = self.folder / "operator"
        self.join = self.initialised(self.operator)

    def initialised(self, state: Path) -> JoinString:
        said = self.succeed("cluster", "init", "--database", self.url, "--state", state, "--json")
        return JoinString.parse(json.loads(said)["join"])

    def added(self, name: str, *arguments: str) -> StateDirectory:
        folder = self.folder / name
        self.succeed("cluster", "add-node", name, "--host", "hub.example", "--out", folder, "--state", self.operator)
        return StateDirectory(folder)

    def lives(self, name: str, status: str = "{}") -> None:
        with connect(self.url) as connection:
            nodes.renew(connection, nodes.About(name, f"{name}:6000", 1.0, "9.9"), status)

    def service(self, state: StateDirectory) -> HubService:
        options = Options()
        with mock.patch("kernelnet.hub.tap._refuseTakenPort"):
            options.parseOptions(["--database", self.url, "--node", "one", "--state", str(state.path)])
        made = HubService(Clock(), state, HubConfig.fromOptions(options))
        self.addCleanup(made.stopService)
        return made

    def test_init(self) -> None:
        """The database knows the token's hash and the CA's certificate; doing it again changes neither."""
        shared = operatedAt(self.url).identity()
        assert shared is not None
        self.assertEqual(shared.joinHash, tokenHash(self.join.secret))
        self.assertEqual(shared.caCertificate, (self.operator / "ca.pem").read_text())
        self.assertEqual(self.initialised(self.operator), self.join)
        self.refused(1, "of another CA", "cluster", "init", "--database", self.url, "--state", self.folder / "other")
        self.assertEqual(operatedAt(self.url).identity(), shared)

    def test_operatorsFolder(self) -> None:
        """In the operator's folder no hub runs, and none is made there: each command says what to do instead."""
        before = sorted(path.name for path in self.operator.iterdir())
        for command, advice in (
            ("status", "kernelnet cluster status"),
            ("dashboard", "--state of a node"),
            ("certs show", "--state of a node"),
            ("certs renew", "kernelnet cluster add-node"),
        ):
            self.refused(1, advice, *command.split(), "--state", self.operator)
        self.assertEqual(sorted(path.name for path in self.operator.iterdir()), before)
        self.lives("east")
        self.lives("west")
        with connect(self.url) as connection:
            connection.execute("UPDATE nodes SET lease_until = 1 WHERE name = 'west'")
        found = {one["check"]: one for one in self.checks(self.operator)}
        self.assertEqual((found["nodes"]["state"], found["nodes"]["text"]), ("note", "1 of 2 are away: west"))
        self.assertEqual(found.keys() & {"hub", "ports", "certificate"}, set())

    def checks(self, state: Path) -> list[dict[str, Any]]:
        """What the doctor says, without what takes long."""
        slow = (doctor._compiler, doctor._sandbox, doctor._exporters)
        with mock.patch.object(doctor, "CHECKS", [check for check in doctor.CHECKS if check not in slow]):
            found: list[dict[str, Any]] = json.loads(self.succeed("doctor", "--json", "--state", state))["checks"]
        return found

    def test_renewed(self) -> None:
        """A node that can make no certificate says so, as long as it has no other than the one that is in use."""
        node = self.added("east")
        held = HubCertificates(node, Clock(), time.time)
        error = self.assertRaises(IdentityError, held.renew)
        self.assertIn("add-node", str(error))
        other = self.added("other")
        for name in ("hub.pem", "hub.key"):
            (node.path / name).write_bytes((other.path / name).read_bytes())
        shown = held.renew()
        self.assertNotEqual(shown["fingerprint"], "")
        self.assertRaises(IdentityError, held.renew)
        self.refused(1, "add-node", "certs", "renew", "--state", node.path)

    def test_signsNothing(self) -> None:
        """What takes the CA's key is refused in a node's folder, with the word where it works."""
        node = self.added("east")
        for command in (("client", "AI_1"), ("revoked",)):
            arguments = ("certs", *command, "--out", self.folder / "new.pem", "--state")
            self.refused(1, "--state of kernelnet cluster init", *arguments, node.path)
            self.succeed(*arguments, self.operator)
            (self.folder / "new.pem").unlink()

    def test_password(self) -> None:
        """A password on the command line is refused, and not repeated."""
        url = "postgresql://me:hunter2@h/x"
        said = self.refused(1, "PGPASSFILE", "cluster", "init", "--database", url, "--state", self.folder / "p")
        said += self.refused(1, "PGPASSFILE", "cluster", "status", "--database", url)
        self.assertNotIn("hunter2", said)
        self.assertFalse((self.folder / "p").exists())

    def test_addNode(self) -> None:
        """A node's folder has a certificate of the CA, for its names, and no secret but its own key."""
        state = self.added("one")
        self.assertEqual({file.name for file in state.path.iterdir()}, {"ca.pem", "hub.pem", "hub.key", "database.url"})
        self.assertEqual({file.stat().st_mode & 0o777 for file in state.path.iterdir()}, {0o600})
        self.assertEqual(state.path.stat().st_mode & 0o777, 0o700)
        state.prepareHub(["hub.example"], datetime.now(UTC), join=False)
        self.assertFalse(state.joinToken.exists() or state.caKey.exists())
        self.assertIsNotNone(KeyAndChain.ofState(state).root)
        with self.assertRaisesRegex(IdentityError, "add-node"):
            state.prepareHub(["elsewhere.example"], datetime.now(UTC), join=False)
        for words, *arguments in (
            ("is there already", "one", "--out", str(state.path), "--state", str(self.operator)),
            ("a node's name", "../x", "--state", str(self.operator)),
            ("has no CA for nodes", "two", "--out", str(self.folder / "two"), "--state", str(state.path)),
        ):
            self.refused(1, words, "cluster", "add-node", "--host", "h", *arguments)
        self.refused(
            1,
            "bad host name",
            "cluster",
            "add-node",
            "x",
            "--host",
            "a b",
            "--out",
            self.folder / "x",
            "--state",
            self.operator,
        )
        self.assertFalse((self.folder / "x").exists())

    def test_start(self) -> None:
        """A node starts from its folder, and lets in who has the join token; one of another CA does not."""
        state = self.added("one")
        self.assertEqual(self.service(state)._joinHash, tokenHash(self.join.secret))
        stranger = StateDirectory(self.folder / "stranger")
        stranger.open()
        with self.assertRaisesRegex((IdentityError, DatabaseError), "not the CA of the nodes"):
            self.service(stranger)

    def test_status(self) -> None:
        """Each node is shown by the database alone, those that are away too."""
        self.assertIn("no node has used", self.succeed("cluster", "status", "--state", self.operator))
        self.lives("one", json.dumps({"connections": 7, "log": {"position": 41}}))
        self.lives("two", "spoiled")
        with connect(self.url) as connection:
            nodes.arrive(connection, "one", [("AI_1", 5.0, None)])
            nodes.leave(connection, "two")
        one, two = json.loads(self.succeed("cluster", "status", "--state", self.operator, "--json"))
        self.assertEqual((one["alive"], one["ais"], one["connections"], one["head"]), (True, 1, 7, 41))
        self.assertEqual((two["alive"], two["ais"], two["version"]), (False, 0, "9.9"))
        lines = self.succeed("cluster", "status", "--database", self.url).splitlines()
        self.assertIn("alive", next(line for line in lines if line.startswith("one")))
        self.assertIn("away", next(line for line in lines if line.startswith("two")))
        self.refused(1, "knows of no database", "cluster", "status", "--state", self.folder / "nothing")

    def test_drain(self) -> None:
        """It waits until nobody is there, says who is, and can be undone; a mistyped name is told."""
        self.lives("one")
        with connect(self.url) as connection:
            nodes.arrive(connection, "one", [("AI_1", 5.0, None)])
        arguments = ("--state", self.operator)
        self.refused(1, "1 AIs are still there", "cluster", "drain", "one", "--wait", "0", *arguments)
        with connect(self.url) as connection:
            self.assertTrue(nodes.nodes(connection)[0].draining)
            connection.execute("DELETE FROM presence")
        self.assertIn("has no AIs any more", self.succeed("cluster", "drain", "one", *arguments))
        self.succeed("cluster", "drain", "one", "--undo", *arguments)
        with connect(self.url) as connection:
            self.assertFalse(nodes.nodes(connection)[0].draining)
        self.refused(1, "there are: one", "cluster", "drain", "on", *arguments)
