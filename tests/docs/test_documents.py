"""What the documents claim about the project's files."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]


class DocumentTests(SynchronousTestCase):
    def test_dependencies(self) -> None:
        """docs/explanation/dependencies.rst gives a reason for each dependency in setup.cfg, and for nothing else."""
        config = configparser.RawConfigParser()
        config.read(ROOT / "setup.cfg")
        wanted = config["options"]["install_requires"].split("\n")
        for extra in config["options.extras_require"].values():
            wanted += extra.split("\n")
        named = {re.split(r"[\[ <>=~!;]", name)[0] for name in wanted if name and not name.startswith("%")}
        text = (ROOT / "docs" / "explanation" / "dependencies.rst").read_text("utf-8")
        self.assertEqual(set(re.findall(r"^([a-z][\w.-]*) {2,}\S", text, re.MULTILINE)), named)

    def test_links(self) -> None:
        """The links between the documents lead to files that exist."""
        for document in (*(ROOT / "docs").rglob("*.rst"), *ROOT.glob("*.rst"), ROOT / "certs" / "README.rst"):
            for target in re.findall(r"<([^<>:\s]+\.rst)>`_", document.read_text("utf-8")):
                self.assertTrue((document.parent / target).is_file(), f"{document.relative_to(ROOT)}: {target}")

    def test_readableAsTheyAre(self) -> None:
        """A code forge, which knows docutils and no Sphinx, can show the pages, but for two directives."""
        for document in (*(ROOT / "docs").rglob("*.rst"), *ROOT.glob("*.rst")):
            text = document.read_text("utf-8")
            directives = set(re.findall(r"^ *\.\. ([\w-]+)::", text, re.MULTILINE))
            name = str(document.relative_to(ROOT))
            self.assertEqual(directives - {"code-block", "image", "include", "toctree", "click"}, set(), name)
            self.assertEqual(re.findall(r"(?<![`\w]):(?!sup|sub)[a-z:]+:`[^`]", text), [], name)
            self.assertEqual(re.findall(r"^ +:(?:caption|linenos|emphasize-lines):", text, re.MULTILINE), [], name)
