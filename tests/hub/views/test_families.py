"""Families: how many are looked at and told of; `tests.hub.web.test_api` has what is told."""

from __future__ import annotations

from kernelnet.hub.views.families import families
from tests.hub.views.support import ManyTestCase, component, report
from tests.hub.views.test_sites import MARKED


class FamiliesBoundsTests(ManyTestCase):
    def test_lookedAt(self) -> None:
        """The newest thousand confirmed components are looked at, and no more."""
        known: dict[str, str | None] = {}
        self.store(report("AI_1"), *(component(f"c{n}", source=MARKED % 0) for n in range(1000)))
        (told,) = families(self.hub.stored, known=known)
        self.assertEqual((told["components"], told["first"]), (1000, "c0"))
        self.store(component("newest", source=MARKED % 0))
        (told,) = families(self.hub.stored, known=known)
        self.assertEqual((told["components"], told["first"]), (1000, "c1"))

    def test_told(self) -> None:
        """A hundred families are told, those first that are best on some task."""
        digests = [f"d{n}" for n in range(101)]
        rows = [(component(digest, digest, n / 1000), report("AI_1", digest)) for n, digest in enumerate(digests)]
        self.store(*(row for pair in rows for row in pair))
        told = families(self.hub.stored, known={digest: f"family of {digest}" for digest in digests})
        self.assertEqual(len(told), 100)
        self.assertEqual((told[0]["family"], told[0]["best"]), ("family of d100", 1))
