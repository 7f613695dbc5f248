"""
Sphinx's configuration.  ``make docs`` builds the pages into build/docs; pydoctor adds the API of all modules.

The pages are meant to be read as they are, too, where a code forge shows them: they link to each other by file name.
"""

from __future__ import annotations

from importlib.metadata import version as versionOf
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

project = "kernelnet"
copyright = "the kernelnet authors; MIT licence"
version = release = versionOf("kernelnet")

extensions = ["sphinx_click"]
exclude_patterns = ["pictures"]
nitpicky = True
# What stands in a block is shell, C, or a table of the wire: where colours help, the block names its language.
highlight_language = "none"
html_theme = "furo"
html_title = f"kernelnet {version}"
html_theme_options = {"navigation_with_keys": True}
html_copy_source = False
html_show_sphinx = False

OUTSIDE = {
    "CHANGELOG.rst": "changelog",
    "CONTRIBUTING.rst": "contributing",
    "certs/README.rst": "reference/certificates",
}
"""Documents beside docs/, and the page that includes each."""


class FileLinks(SphinxTransform):
    """Links to other pages by file name become links to those pages; one that leads nowhere is a warning."""

    default_priority = 400

    def apply(self) -> None:
        for link in list(self.document.findall(nodes.reference)):
            uri = link.get("refuri", "")
            if "://" in uri or not uri.endswith(".rst"):
                continue
            holder = link
            while not holder.source and holder.parent is not None:
                holder = holder.parent
            target = (Path(holder.source or self.document["source"]).resolve().parent / uri).resolve()
            page = OUTSIDE.get(target.relative_to(ROOT).as_posix()) if target.is_relative_to(ROOT) else None
            if page is None and target.is_relative_to(HERE):
                page = target.relative_to(HERE).with_suffix("").as_posix()
            reference = addnodes.pending_xref(
                "", *link.children, refdomain="std", reftype="doc", refexplicit=True, refwarn=True
            )
            reference["refdoc"], reference["reftarget"] = self.env.docname, f"/{page or uri}"
            link.replace_self(reference)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_transform(FileLinks)
