"""Whether this machine's kernel takes programs of ours, and a way to try that disturbs no other measurement."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.deploy.bpf_tcp import loading
from kernelnet.deploy.errors import DeployError
from kernelnet.exporters.bpf_tcp import exporter, makeProgram
from kernelnet.exporters.errors import ExportError
from kernelnet.workbench.network_stack import workbench

__all__ = ["KernelTestCase", "whyNot"]

PREFIX = f"kn_{os.getpid() % 1000:03}_"
"""Beginning of names that this process's tests load by: theirs alone are taken out, and others run beside them."""


@functools.cache
def whyNot() -> str:
    """Why the kernel takes nothing here, by trying it; empty: it does."""
    if lacking := exporter.missing():
        return "; ".join(lacking)
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    wasm = workbench.baselineModule("reno")
    with tempfile.TemporaryDirectory() as folder:
        name = f"{PREFIX}trivial"
        try:
            program, _ = makeProgram(wasm, workbench.abiOf(wasm), Path(folder), name)
            loading.load(program, name)
            for each in loading.loaded():
                if each.name == name:
                    loading.unload(each)
        except (DeployError, ExportError) as error:
            return str(error)
    return ""


class KernelTestCase(SynchronousTestCase):
    """Loads under names of its own, and leaves nothing."""

    def setUp(self) -> None:
        self.patch(loading, "MEASURED", PREFIX)
        self.patch(loading, "LOCK", Path(self.mktemp()).resolve())
        self.before = {each.number for each in loading.loaded()}
        self.addCleanup(self.nothingLeft)

    def nothingLeft(self) -> None:
        left = [each for each in loading.loaded() if each.name.startswith(PREFIX)]
        for each in left:
            loading.unload(each)
        self.assertEqual(left, [])
