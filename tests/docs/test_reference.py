"""The tables of the reference against the code that they are about: what is missing in either fails."""

from __future__ import annotations

import importlib
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

import kernelnet
from kernelnet.cli import bench
from kernelnet.hub import tap
from kernelnet.hub.connection import limits
from kernelnet.hub.storage import sqlite
from kernelnet.hub.storage.blobs import options as blob_options
from kernelnet.message import LOGGED, SINCE_VERSION_2, MessageType
from kernelnet.trainer import tap as trainerTap
from kernelnet.wire import ERRORS, FROM_CLIENT, FROM_HUB
from tests.bounds import Bound, bounds
from tests.hub.views.test_components import claiming
from tests.hub.web.support import WebTestCase

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / f"{name}.rst").read_text("utf-8")


def named(text: str) -> list[str]:
    """The first cells, in double backquotes, of a page's tables."""
    cells = re.findall(r"^(``.+?``(?:, ``.+?``)*)(?: {2,}\S.*| ?[<>-]+ .*)?$", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"``(.+?)``", cell)]


def described(text: str) -> set[str]:
    """The options that a page's definition lists are about."""
    terms = re.findall(r"^(``--.+)$(?=\n    \S)", text, re.MULTILINE)
    return {option for term in terms for option in re.findall(r"``--([\w-]+)", term)}


def taken(options: usage.Options) -> set[str]:
    """The options that a service takes itself, without Twisted's own."""
    return {name.removesuffix("=") for name in options.longOpt} - {"help", "version"}


BOUND = re.compile(r"_?(MAX_\w+|MOST_\w+|LOOKED_AT|LOOKS|[A-Z]+_ROOM|WINDOW\w*|VOICES|AT_ONCE|REMEMBERED|[A-Z]+\.\w+)")
"""Names that only bounds have."""

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "s": 1, "days": 86400}


def inUnits(text: str) -> float:
    number, _, unit = text.partition(" ")
    return float(number.replace(",", "")) * (UNITS[unit] if unit else 1)


def moduleOf(bound: Bound) -> str:
    return bound.module.removesuffix(".py").replace("/", ".")


def numberOf(bound: Bound) -> float:
    """Value of a bound as it is when the program runs."""
    module = importlib.import_module(moduleOf(bound))
    first, *rest = bound.name.split(".")
    classes = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    value = next(vars(holder)[first] for holder in (module, *classes) if first in vars(holder))
    for name in rest:
        value = getattr(value, name)
    return float(value)


class TableTests(SynchronousTestCase):
    def test_errorCodes(self) -> None:
        """Each code with its class."""
        rows = re.findall(r"^``(\w+)`` +(permanent|retry|closing) ", page("error-codes"), re.MULTILINE)
        self.assertEqual(len(rows), len(ERRORS))
        self.assertEqual(dict(rows), {code: errorClass.value for code, errorClass in ERRORS.items()})

    def test_messageTypes(self) -> None:
        """Each type with the ways that it takes; the reserved one is for nobody."""
        ways: dict[str, set[str]] = {}
        for kind, way in re.findall(r"^``(\w+)`` (->|<-|<->) ", page("protocol"), re.MULTILINE):
            ways.setdefault(kind, set()).update({"->", "<-"} if way == "<->" else {way})
        known = {kind.value: {"->"} & set(["->"] * (kind in FROM_CLIENT)) for kind in MessageType}
        for kind in FROM_HUB:
            known[kind.value] |= {"<-"}
        self.assertEqual(ways, known)

    def test_versions(self) -> None:
        """Of the logged types those that version 1 is not sent say so."""
        text = page("protocol")
        told = {kind for kind in LOGGED if re.search(rf"^``{kind.value}`` <-> +version 2\.", text, re.MULTILINE)}
        self.assertEqual(told, SINCE_VERSION_2)

    def test_limits(self) -> None:
        """Each limit's option with its default."""
        rows = re.findall(r"^(``--.+?``) {2,}(\d.*?) {2,}", page("limits"), re.MULTILINE)
        told: dict[str, float] = {}
        for options, defaults in rows:
            values = re.findall(r"\d+(?:\.\d+)?", defaults)
            told.update(zip(re.findall(r"--([\w-]+)", options), map(float, values), strict=True))
        coded = {name: str(default) for name, _, default, *_ in limits.OPTIONS + blob_options.OPTIONS}
        self.assertEqual(told, {name: float(default.rstrip("KMGB")) for name, default in coded.items()})

    def test_bounds(self) -> None:
        """Each bound of hub and trainer by its name, with its value; all that are called so."""
        told = dict(re.findall(r"^``((?:\w+\.)+\w+)`` {2,}(\d\S*(?: \w+)?) {2,}", page("limits"), re.MULTILINE))
        coded = {}
        for path in [path for part in ("hub", "trainer") for path in (ROOT / "kernelnet" / part).rglob("*.py")]:
            for bound in bounds(str(path.relative_to(ROOT))):
                name = f"{moduleOf(bound).split('.', 2)[2]}.{bound.name}"
                if name in told or BOUND.fullmatch(bound.name):
                    coded[name] = numberOf(bound)
        values = {name: inUnits(value) for name, value in told.items()}
        self.assertEqual([*set(values.items()) ^ set(coded.items())], [])

    def test_hubOptions(self) -> None:
        """Each option of `twistd kernelhub`; what limits has a page of its own."""
        told = described(page("hub")) | {
            name.removeprefix("--") for name in named(page("limits")) if name.startswith("--")
        }
        self.assertEqual(told, taken(tap.Options()))

    def test_trainerOptions(self) -> None:
        """Each option of `twistd kerneltrainer`."""
        self.assertEqual(described(page("trainer")), taken(trainerTap.Options()))

    def test_exitCodes(self) -> None:
        """The code of a search whose result was refused."""
        self.assertIn(f"{bench.REFUSED}     ``kernelnet bench train``", page("exit-codes"))

    def test_tables(self) -> None:
        """Each table of the database."""
        path = Path(tempfile.mkdtemp()) / "hub_data.db"
        sqlite.prepare(path)
        with closing(sqlite3.connect(path)) as found:
            tables = {name for (name,) in found.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        text = page("files")
        told = set(named(text[text.index("The database\n") :]))
        self.assertEqual(told, {name for name in tables if not name.startswith("sqlite_")})

    def test_python(self) -> None:
        """Each name can be imported, none of C{kernelnet}'s is missing, and the example is README's, which is run."""
        text = page("python").partition("``run_collaborative_training`` returns")[0]
        names = named(text)
        for name in names:
            module, _, attribute = name.rpartition(".")
            if not (module == "kernelnet" and attribute in kernelnet.__all__):
                importlib.import_module(name)
        self.assertEqual({f"kernelnet.{name}" for name in kernelnet.__all__} - set(names), set())
        readme = {line.strip() for line in (ROOT / "README.rst").read_text("utf-8").splitlines()}
        example = text.partition("::\n\n")[2]
        lines = {line.strip() for line in re.findall(r"^    (.*)", example, re.MULTILINE)}
        self.assertEqual(lines - {""} - readme, set())


class StatusTests(WebTestCase):
    def test_resources(self) -> None:
        """Each path of the API's own description, with each of its arguments."""
        described = self.ask("/api/openapi.yaml").body.decode()
        paths = re.findall(r"^  (/\S+):\n((?:    .*\n)+)", described, re.MULTILINE)
        text = page("status-api")
        self.assertEqual(set(named(text)), {path for path, _ in paths})
        for path, about in paths:
            row = re.split(r"\n(?! )", text[text.index(f"``{path}``") :], maxsplit=1)[0]
            arguments = re.findall(r"- \{?name: ([\w-]+),?\s+in: (?:query|header)", about)
            for name in arguments + ["limit"] * ("parameters/Limit" in about):
                self.assertIn(f"``{name}``", row, path)

    def test_metrics(self) -> None:
        """Each metric with its label."""
        self.hub.connect("AI_1").send("os_component_share", claiming("c", 0.5))
        digest = self.hub.stored.components.named("c")[0].digest
        report = {"component_id": "c", "performance": {}, "digest": digest, "verdict": "confirmed"}
        self.hub.connect("AI_2").send("performance_report", report)
        found = set()
        for family in text_string_to_metric_families(self.ask("/metrics").body.decode()):
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            name = family.name.removeprefix("kernelnet_") + ("_total" if family.type == "counter" else "")
            found.add(name + (f"{{{','.join(sorted(labels))}}}" if labels else ""))
        # What counts nothing yet has no label either.
        told = {re.sub(r"^((?:messages|errors)_total|best\w+)\{\w+\}$", r"\1", name) for name in named(page("metrics"))}
        self.assertEqual(told, {re.sub(r"^((?:messages|errors)_total|best\w+)\{\w+\}$", r"\1", name) for name in found})
