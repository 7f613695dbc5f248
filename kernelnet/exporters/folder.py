"""
The folder that an export is: the module, its translation, what an exporter adds, and a manifest that says what it is.

It appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kernelnet.exporters.building import FLAGS, build
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.translation import NATIVE, VERSION, translate
from kernelnet.interfaces import IExporter
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.sandbox import loadModule

__all__ = ["MANIFEST", "exportTo", "makeLibrary", "writeComponent"]

MANIFEST = "manifest.json"

_HERE = Path(__file__).parent


def exportTo(folder: Path, exporter: IExporter, wasm: bytes, abi: Abi, about: Mapping[str, Any]) -> dict[str, Any]:
    """
    Make an export in a new folder.

    @param about: where the component comes from, for the manifest.
    @return: the manifest.
    @raise ExportError: it can't be made, or the folder is there already.
    @raise kernelnet.workbench.errors.ComponentError: the sandbox doesn't let the module in.
    """
    workbench = abi.identifier.partition("/")[0]
    if exporter.workbenches and workbench not in exporter.workbenches:
        names = ", ".join(exporter.workbenches)
        raise ExportError(f"{exporter.name} takes components of {names}; this one is of {workbench} ({abi.identifier})")
    if exporter.workbenches and (
        "_sized/" in abi.identifier or any(export.name == "kn_bytes" for export in loadModule(wasm).exports)
    ):
        raise ExportError(f"{exporter.name} has blocks of one size; this component is for objects of different sizes")
    if lacking := list(exporter.missing()):
        raise ExportError(f"{exporter.name} can't be made here: {'; '.join(lacking)}")
    if folder.exists() or folder.is_symlink():
        raise ExportError(f"{folder} is there already: give another --out")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            made = Path(temporary, "made")
            made.mkdir()
            facts = exporter.export(wasm, abi, made)
            manifest = {
                "exporter": exporter.name,
                "kernelnet": version("kernelnet"),
                "translator": VERSION,
                "wasm_sha256": hashlib.sha256(wasm).hexdigest(),
                "workbench": workbench,
                "abi": abi.identifier,
                **about,
                **facts,
            }
            (made / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            made.rename(folder)
    except OSError as error:
        raise ExportError(f"can't write {folder}: {error.strerror}") from None
    return manifest


def writeComponent(wasm: bytes, abi: Abi, folder: Path) -> None:
    """Write the module, and its translation with all functions of the ABI that it has."""
    made = translate(wasm, [*abi.required, *abi.optional])
    (folder / "component.wasm").write_bytes(wasm)
    (folder / "component.h").write_text(made.header, encoding="utf-8")
    (folder / "component.c").write_text(made.source, encoding="utf-8")
    for header in NATIVE:
        shutil.copyfile(header, folder / header.name)


def makeLibrary(
    folder: Path, library: str, sources: Sequence[str], own: Sequence[str] = (), flags: Sequence[str] = ()
) -> None:
    """
    Build a shared library in a folder, and leave a Makefile that does the same.

    @param sources: C files; C{own}: files of this package's, headers among them, that are copied first.
    @param flags: further ones of the compiler's.
    @raise ExportError: see `kernelnet.exporters.building.build`.
    """
    for name in own:
        shutil.copyfile(_HERE / name, folder / name)
    build([folder / name for name in sources], folder / library, flags=flags)
    headers = sorted(path.name for path in folder.glob("*.h"))
    command = ["$(CC)", *FLAGS, "-o", "$@", *sources, *flags, "-lm"]
    text = f"{library}: {' '.join([*sources, *headers])}\n\t{' '.join(command)}\n"
    (folder / "Makefile").write_text(text, encoding="utf-8")
