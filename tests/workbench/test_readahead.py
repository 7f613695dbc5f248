"""The example's bench, as a third party's plugin brings it: what holds for those that ship holds for it."""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from tests.examples import EXAMPLES
from tests.workbench.contract import BenchContract, FolderCase

PACKAGE = EXAMPLES / "kernelnet-readahead-workbench"

sys.path.insert(0, str(PACKAGE))
try:
    if TYPE_CHECKING:
        kernelnet_readahead: Any = None
    else:
        import kernelnet_readahead
finally:
    sys.path.remove(str(PACKAGE))


class ContractTests(BenchContract, FolderCase):
    bench = kernelnet_readahead.workbench
    light = ("kernelnet_readahead",)
    file = "small.reads"
    sources: ClassVar = {"driver.c"}
    shipped: ClassVar = ["archives.reads.xz"]
    apart = len(bench.baselineNames)
    kinds = 0

    def setUp(self) -> None:
        super().setUp()
        # For processes of its own, and for modules that are imported when they are needed.
        self.patch(os, "environ", {**os.environ, "PYTHONPATH": str(PACKAGE)})
        self.patch(sys, "path", [*sys.path, str(PACKAGE)])

    def small(self) -> Any:
        """Three readers of five files, of a bench of its own."""
        rng = random.Random(1)
        reads: list[str] = []
        while len(reads) < 400:
            name, at = rng.choice("abcde"), rng.randrange(300)
            reads += [f"{name} {at + step}" for step in range(rng.choice((1, 1, 5, 20)))]
        (self.folder / self.file).write_text("\n".join(reads[:400]) + "\n")
        return type(self.bench)().scenario(self.folder / self.file)
