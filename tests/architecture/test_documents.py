"""The documents tell of the tree as it is: its packages, its files and names, its imports."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import mkdtemp
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from tests.architecture import documents, picture
from tests.architecture.__main__ import PAGE, ROOT
from tests.architecture.imports import Tree, readTree
from tests.architecture.rules import FACADES, ROOMS

CONTRIBUTING = ROOT / "CONTRIBUTING.rst"


def made(**files: str) -> Tree:
    """A tree of C{kernelnet/NAME.py}."""
    root = Path(mkdtemp())
    for name, text in files.items():
        path = root / "kernelnet" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for folder in path.relative_to(root).parents[:-1]:
            (root / folder / "__init__.py").touch()
    return readTree(root)


class DocumentTests(SynchronousTestCase):
    tree: Tree

    @classmethod
    def setUpClass(cls) -> None:
        """The tree is read once."""
        cls.tree = readTree(ROOT)

    def test_listing(self) -> None:
        """Each package is in architecture.rst, with the first line of its docstring, and nothing else."""
        text = PAGE.read_text("utf-8")
        self.assertEqual(text, documents.withListing(text, self.tree), "python -m tests.architecture packages")

    def test_maps(self) -> None:
        """Each package says what it is, and names each of its modules."""
        unsaid = []
        for name, module in self.tree.modules.items():
            if module.path.endswith("__init__.py"):
                self.assertTrue(module.summary.rstrip().endswith((".", ":")), f"{name}: {module.summary}")
                folder = (ROOT / module.path).parent
                inside = [each.stem for each in folder.glob("*.py") if each.stem != "__init__"]
                inside += [each.parent.name for each in folder.glob("*/__init__.py")]
                missing = [each for each in inside if not re.search(rf"\b{each}\b", module.docstring)]
                unsaid += [f"{module.path}: its docstring, which is the map, says nothing of {one}" for one in missing]
        self.assertEqual(unsaid, [], "\n" + "\n".join(unsaid))

    def test_names(self) -> None:
        """Each file, module, class and function that architecture.rst and CONTRIBUTING.rst name is there."""
        tests = readTree(ROOT, "tests")
        tree = Tree({**self.tree.modules, **tests.modules}, self.tree.imports)
        for document in (PAGE, CONTRIBUTING):
            text = document.read_text("utf-8")
            missing = [path for path in documents.paths(text) if not (ROOT / path).exists()]
            missing += [name for name in documents.names(text) if not documents.isThere(name, tree)]
            self.assertEqual(missing, [], document.name)
        self.assertGreater(len(list(documents.names(PAGE.read_text("utf-8")))), 20)

    def test_picture(self) -> None:
        """What is committed is what the imports say."""
        drawn = picture.draw(self.tree)
        self.assertTrue(picture.PATH.read_text("utf-8") == drawn, "make it again: python -m tests.architecture picture")

    def test_readable(self) -> None:
        """No arrow passes behind a box, where it would look like two arrows."""
        self.assertEqual(picture.crossings(self.tree), [], "change places in picture.FRAMES")


class ReadingTests(SynchronousTestCase):
    def test_listingOf(self) -> None:
        """Packages at any depth, modules at the top only; markup is left out."""
        tree = made(wire='"""Lines to C{messages}."""\n', hub__storage__sqlite='"""The `file`."""\n')
        self.assertEqual(
            [line.split("  ")[-1].strip() or line.strip() for line in documents.listing(tree).splitlines()],
            ["kernelnet/", "hub/", "storage/", "Lines to messages."],
        )

    def test_withListing(self) -> None:
        """Only what is between the two lines changes."""
        text = f"a\n{documents.BEGIN}old\n{documents.END}b\n"
        found = documents.withListing(text, made(wire='"""Lines."""\n'))
        self.assertTrue(found.startswith(f"a\n{documents.BEGIN}\n::\n\n    kernelnet/"))
        self.assertIn("wire.py", found)
        self.assertNotIn("old", found)
        self.assertTrue(found.endswith(f"\n{documents.END}b\n"))
        self.assertRaises(ValueError, documents.withListing, "a\n", made(wire=""))

    def test_pathsOf(self) -> None:
        """Files and folders in double backquotes, but for placeholders."""
        text = "``a/b.py``, ``a/b/``, ``a.py``, ``a/NAME.py``, ``/api/x``, a/c.py, ``lower/upper``"
        self.assertEqual(list(documents.paths(text)), ["a/b.py", "a/b/"])

    def test_namesOf(self) -> None:
        """Dotted names, whether they are marked or not."""
        text = "``kernelnet.wire.encode``, kernelnet.hub. kernelnet/wire.py ``kernelnet.workbench.NAME`` x.kernelnet.a"
        self.assertEqual(list(documents.names(text)), ["kernelnet.wire.encode", "kernelnet.hub"])

    def test_isThere(self) -> None:
        """Modules, functions, classes with methods and attributes, constants, names that are passed on."""
        tree = made(
            wire="from json import loads\nLIMIT = 1\ndef encode(): ...\n"
            "class Reader:\n    size: int\n    def feed(self):\n        self.rest = 1\n"
        )
        for name in ("", ".loads", ".LIMIT", ".encode", ".Reader", ".Reader.feed", ".Reader.size", ".Reader.rest"):
            self.assertTrue(documents.isThere(f"kernelnet.wire{name}", tree), name)
        for name in (".decode", ".Reader.eat", ".encode.it", ".Reader.feed.it"):
            self.assertFalse(documents.isThere(f"kernelnet.wire{name}", tree), name)
        self.assertFalse(documents.isThere("elsewhere.wire", tree))


class PictureTests(SynchronousTestCase):
    def test_places(self) -> None:
        """Each room of the rules has its place, and only one."""
        placed = [frame.prefix + room for frame in picture.FRAMES for row in frame.rows for room in row if room] + list(
            picture.TOP
        )
        wanted = {picture.drawnAs(room) for room in ROOMS if room not in FACADES or room == "kernelnet"}
        self.assertEqual(sorted(set(filter(None, wanted)) - set(placed)), [], "give each a place in picture.FRAMES")
        self.assertEqual(sorted(placed), sorted(filter(None, wanted)))

    def test_arrows(self) -> None:
        """Inside a frame, between frames, and against the rules; none where a longer way leads the same way."""
        tree = made(
            wire="import kernelnet.message\nimport kernelnet.artifacts\n",
            message="import kernelnet.artifacts\n",
            artifacts="",
            hub__storage__sqlite="import kernelnet.wire\n",
            hub__auth__tokens="import kernelnet.hub.storage.sqlite\nimport kernelnet.message\n",
            trainer__tap="import kernelnet.hub.auth.tokens\n",
        )
        self.assertEqual(
            picture.arrows(tree),
            {
                ("kernelnet.wire", "kernelnet.message", False),
                ("kernelnet.message", "kernelnet.artifacts", False),
                ("hub", "base", False),
                ("kernelnet.hub.auth", "kernelnet.hub.storage", False),
                ("trainer", "hub", True),
            },
        )

    def test_reduced(self) -> None:
        """Edges that a longer way replaces are left out."""
        below = {"a": ["b", "c", "d"], "b": ["c"], "c": ["d"]}
        self.assertEqual(picture.reduced(below), {("a", "b"), ("b", "c"), ("c", "d")})

    def test_drawn(self) -> None:
        """It is XML, has a box for what there is and none for what is to come, and colours for light and dark."""
        drawn = picture.draw(made(wire="import kernelnet.message\n", message="import kernelnet.wire\n"))
        root = ElementTree.fromstring(drawn)
        texts = {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}
        self.assertLessEqual({"wire", "message"}, texts)
        self.assertNotIn("mcp", texts)
        classes = [each.get("class") for each in root.iter("{http://www.w3.org/2000/svg}path")]
        self.assertEqual([classes.count(kind) for kind in ("arrow", "wrong")], [1, 1])
        self.assertIn("prefers-color-scheme: dark", drawn)
