"""Files in contrib/cluster/, held against what exists: images, commands, ports, volumes, and each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.main import main
from kernelnet.hub import tap
from kernelnet.hub.storage.postgres.connection import checkUrl

FOLDER = Path(__file__).resolve().parents[2] / "contrib" / "cluster"
PASSED = "/run/secrets/"


class ComposeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(tap, "_refuseTakenPort", lambda port, address: None)
        self.text = (FOLDER / "compose.yaml").read_text("utf-8")
        self.compose: dict[str, Any] = yaml.safe_load(self.text)
        self.services: dict[str, Any] = self.compose["services"]
        self.nodes = {name: one for name, one in self.services.items() if one.get("command", [""])[0] == "kernelhub"}

    def options(self, name: str) -> tap.Options:
        """A node's options, as the hub itself reads them."""
        words = self.nodes[name]["command"][1:]
        options = tap.Options()
        options.parseOptions([f"--state={self.mktemp()}" if word == "--state=/state" else word for word in words])
        return options

    def test_nodes(self) -> None:
        """Each node's command is one, by its own name, on the one database, in the folder that is mounted there."""
        self.assertEqual(sorted(self.nodes), ["east", "west"])
        urls = set()
        for name, service in self.nodes.items():
            options = self.options(name)
            self.assertEqual((options["node"], options.config.node), (name, name))
            self.assertEqual(service["volumes"], [f"./{name}:/state"])
            self.assertIn("--state=/state", service["command"])
            # All trainers come from the balancer's address.
            bounds = options.config.bounds
            self.assertEqual(bounds.connectionsPerAddress, bounds.connections)
            self.assertEqual(bounds.pendingPerAddress, bounds.pending)
            checkUrl(options["database"])
            urls.add(options["database"])
        (url,) = urls
        user, host, database = re.fullmatch(r"postgresql://(\w+)@(\w+)/(\w+)", url).groups()  # type: ignore[union-attr]
        server = self.services[host]["environment"]
        self.assertEqual((server["POSTGRES_USER"], server["POSTGRES_DB"]), (user, database))
        self.assertIn(f'"{host}:5432:{database}:{user}:$(cat password)" > pgpass', self.text)

    def test_balancer(self) -> None:
        """The balancer asks each node's dashboard for /readyz over TLS, by a name that its certificate has."""
        config = (FOLDER / "haproxy.cfg").read_text("utf-8")
        self.assertEqual(
            set(re.findall(r"^    server (\w+) \1:\d+ check-sni \1 verifyhost \1$", config, re.M)), {*self.nodes}
        )
        (check,) = re.findall(r"default-server check port (\d+) check-ssl verify required ca-file (\S+)", config)
        balancer = self.services["balancer"]
        self.assertIn(check[1], [mount.split(":")[1] for mount in balancer["volumes"]])
        self.assertEqual(sorted(balancer["depends_on"]), sorted(self.nodes))
        (bind,) = re.findall(r"^    bind :(\d+)$", config, re.M)
        self.assertIn(bind, [port.split(":")[1] for port in balancer["ports"]])
        self.assertIn("uri /readyz ", config)
        for name in self.nodes:
            options = self.options(name)
            self.assertEqual(re.findall(rf"server {name} {name}:(\d+)", config), [options["port"]])
            self.assertEqual(options.config.dashboard, ("0.0.0.0", int(check[0])))
            self.assertRegex(
                self.text, rf"cluster add-node {name} --host \S+ --host {name} --state \S+ --out /work/{name}\n"
            )

    def test_named(self) -> None:
        """Whatever is named is there: secrets, volumes, files, services to wait for."""
        given = {"password", "pgpass", "ca.pem", *self.nodes}  # the head of the file says how they are made
        for name in given - {*self.nodes}:
            self.assertRegex(self.text.split("\nname:")[0], rf"\b{re.escape(name)}\b")
        for name, service in self.services.items():
            self.assertEqual({*service.get("secrets", ())} - self.compose["secrets"].keys(), set(), name)
            self.assertEqual({*service.get("depends_on", ())} - self.services.keys(), set(), name)
            for mount in service.get("volumes", ()):
                source = mount.split(":")[0]
                if not source.startswith("./"):
                    self.assertIn(source, self.compose["volumes"], name)
                elif (path := source.removeprefix("./")) not in given:
                    self.assertTrue((FOLDER / path).exists(), mount)
            for value in service.get("environment", {}).values():
                if value.startswith(PASSED):
                    self.assertIn(value.removeprefix(PASSED), service["secrets"], name)
            if "build" in service:
                where = FOLDER / service["build"]["context"]
                self.assertTrue((where / service["build"]["dockerfile"]).is_file())
        self.assertEqual({secret["file"] for secret in self.compose["secrets"].values()}, {"./password", "./pgpass"})
        self.assertEqual(re.findall(r"\$\{(\w+)\}", self.text), [])  # each variable has a default

    def test_image(self) -> None:
        """The image has the client of PostgreSQL, and begins as the compose file takes it to."""
        dockerfile = (FOLDER.parent / "Dockerfile").read_text("utf-8")
        self.assertRegex(dockerfile, r"'/src\[[^]]*\bpostgres\b[^]]*\]'")
        self.assertIn('ENTRYPOINT ["twistd", "-n", "--pidfile="]', dockerfile)
        self.assertEqual(self.services["operator"]["entrypoint"], ["kernelnet"])

    def test_operator(self) -> None:
        """The operator's commands at the head of the file exist, with the options that they are given."""
        told = [*re.findall(r"run --rm operator (.+)", self.text)]
        self.assertEqual(len(told), 4)
        for line in told:
            words = line.split()
            said = CliRunner().invoke(main, [*words, "--help"])
            self.assertEqual(said.exit_code, 0, line)
            for option in re.findall(r"--[\w-]+", line):
                self.assertIn(option, said.output, line)


class PatroniTests(SynchronousTestCase):
    def test_fragment(self) -> None:
        """The fragment asks for what the page promises of a synchronous standby; Patroni takes its timing."""
        found = yaml.safe_load((FOLDER / "patroni.yml").read_text("utf-8"))
        dcs = found["bootstrap"]["dcs"]
        self.assertEqual((dcs["synchronous_mode"], dcs["synchronous_mode_strict"]), (True, True))
        self.assertLessEqual(dcs["loop_wait"] + 2 * dcs["retry_timeout"], dcs["ttl"])
        self.assertEqual((found["watchdog"]["mode"], found["watchdog"]["device"]), ("required", "/dev/watchdog"))
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            self.assertEqual(dcs["postgresql"]["parameters"][name], "on", name)
