"""
A component's WebAssembly to C that decides the same to the bit, stops at its bounds, and runs out of fuel.

The module is first let in by the sandbox's own check, so it is valid and imports nothing.  Each value of its stack
becomes a C variable of its depth and type, each branch a C{goto}; the C compiler makes registers of them again.  The
same module gives the same text.

Fuel: a function charges at its beginning the instructions that stand in it outside of loops, a loop charges at each
turn those that stand in it outside of inner loops: never less than what is executed, so what would not end does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kernelnet.exporters.function import FunctionWriter
from kernelnet.exporters.signatures import constant, cType, functionHead, isWide
from kernelnet.exporters.wasm import Module, readModule
from kernelnet.workbench.abi import Signature
from kernelnet.workbench.sandbox import loadModule

__all__ = ["NATIVE", "VERSION", "Functions", "Translation", "dataText", "globalsText", "shapeOf", "translate"]

VERSION = 3
"""Of the translator, for manifests: it grows when the same module gives other C."""

NATIVE = (Path(__file__).with_name("native.h"), Path(__file__).with_name("ground.h"))
"""C headers that the translation includes."""

_PAGE = 65536
_MOST_PAGES = 65536
_NEVER_WIDE = 1 << 20


@dataclass(frozen=True)
class Translation:
    """
    @ivar header: text of C{component.h}: what a program calls.
    @ivar source: text of C{component.c}.
    @ivar names: exported functions that can be called, in order.
    """

    header: str
    source: str
    names: tuple[str, ...]


def translate(wasm: bytes, names: Iterable[str]) -> Translation:
    """
    Translate a component.

    @param names: functions that shall be callable, such as those of its ABI; those that it hasn't are left out.
    @raise ComponentError: the sandbox doesn't let it in.
    @raise Untranslatable: it has what no C compiler of ours makes of a component, by its name.
    """
    loadModule(wasm)
    module = readModule(wasm)
    found = tuple(name for name in names if name in module.exports)
    digest = hashlib.sha256(wasm).hexdigest()
    return Translation(_header(module, found, digest), _source(module, found, digest), found)


def _header(module: Module, names: tuple[str, ...], digest: str) -> str:
    rows = (f"#define COMPONENT_HAS_{name} 1\n{_entryHead(name, shapeOf(module, name))};\n" for name in names)
    calls = "".join(rows)
    return f"""/*
 * A component of kernelnet as C: sha256 {digest}.
 *
 * An instance is used by one thread at a time; several don't know each other.  When a call goes wrong
 * (component_trapped says what), it and all later ones of that instance return 0.
 */
#ifndef COMPONENT_H
#define COMPONENT_H

#include <stdint.h>

typedef struct component component;

#ifdef COMPONENT_HIDDEN /* of use within one library alone, such as one that is loaded before a program's own */
#pragma GCC visibility push(hidden)
#else
#pragma GCC visibility push(default)
#endif

/* A fresh instance, its start function run; it may take so many bytes of memory.  0: there are not as many. */
component *component_new(uint64_t bytes, int64_t fuel);
void component_free(component *);

/* What went wrong, for people; 0: nothing. */
const char *component_trapped(const component *);

/* Fuel is about an instruction; a call without any goes wrong. */
int64_t component_fuel(const component *);
void component_refuel(component *, int64_t fuel);

/* Bytes of memory that the instance has taken. */
uint64_t component_memory(const component *);

{calls}
#pragma GCC visibility pop

#endif
"""


class Functions:
    """
    All functions of a module as C.

    @ivar writers: who wrote each.
    @ivar texts: each in whole, then C{dispatchers}; C{heads}: what stands before all of them.
    """

    def __init__(self, module: Module, called: Iterable[int], most: int) -> None:
        """
        @param called: numbers of those that are called from outside.
        @param most: see `kernelnet.exporters.signatures.isWide`.
        """
        self.writers = [FunctionWriter(module, number, most) for number in range(len(module.functions))]
        self.texts = [writer.write() for writer in self.writers]
        outside = set(called) | ({module.start} if module.start is not None else set())
        # What is called from outside is never made part of its caller, which sets the processor's ways around it.
        self.heads = [
            f"{'__attribute__((noinline)) ' if number in outside else ''}{functionHead(number, each.shape, most)};"
            for number, each in enumerate(module.functions)
        ]
        self.dispatchers = _dispatchers(module, {use for writer in self.writers for use in writer.indirect}, most)


def _source(module: Module, names: tuple[str, ...], digest: str) -> str:
    functions = Functions(module, (module.exports[name] for name in names), _NEVER_WIDE)
    parts = [
        f"/* Made by kernelnet, translator {VERSION}, of the module with the sha256 {digest}: not to be edited. */",
        f"#define KN_GLOBALS {globalsText(module)}",
        '#include "native.h"',
        '#include "component.h"',
        *(dataText(number, segment.data) for number, segment in enumerate(module.segments)),
        "",
        *functions.heads,
        "",
        *functions.dispatchers,
        *functions.texts,
        _frame(module),
        *(_entry(name, module.exports[name], shapeOf(module, name)) for name in names),
    ]
    return "\n".join(parts)


def globalsText(module: Module) -> str:
    """The module's own variables, as members of the instance."""
    return " ".join(f"{cType(each.type)} g{number};" for number, each in enumerate(module.globals))


def shapeOf(module: Module, name: str) -> Signature:
    """Of an exported function."""
    return module.functions[module.exports[name]].shape


def dataText(number: int, data: bytes) -> str:
    """Bytes of a segment as a C array."""
    rows = [", ".join(str(byte) for byte in data[at : at + 24]) for at in range(0, len(data), 24)] or ["0"]
    return f"KN_DATA u8 data{number}[] = {{\n    " + ",\n    ".join(rows) + ",\n};"


def _dispatchers(module: Module, uses: set[tuple[int, int]], most: int) -> list[str]:
    """A function for each type and table that is called through: tables never change, so it is a switch."""
    tables: list[dict[int, int | None]] = [{} for _ in module.tables]
    for segment in module.elements:
        if segment.offset + len(segment.functions) <= module.tables[segment.table]:
            tables[segment.table].update(
                {segment.offset + at: function for at, function in enumerate(segment.functions)}
            )
    made = []
    for kind, table in sorted(uses):
        shape = module.types[kind]
        arguments = "m" if isWide(shape, most) else _arguments(shape)
        rows = [
            f"    case {at}: {'return ' if shape[1] else ''}fn{function}({arguments});"
            + ("" if shape[1] else " break;")
            for at, function in sorted(tables[table].items())
            if function is not None and module.functions[function].shape == shape
        ]
        result = cType(shape[1][0]) if shape[1] else "KN_NOTHING"
        kinds = () if isWide(shape, most) else shape[0]
        parameters = "".join(f", {cType(each)} l{number}" for number, each in enumerate(kinds))
        made.append(
            f"KN_FUNCTION {result} through{kind}_{table}(component *m, u32 at{parameters}) {{\n    kn_enter(m, 0, 0);\n"
            + "    switch (at) {\n"
            + "".join(row + "\n" for row in rows)
            + "    default: kn_trap(m, KN_BAD_CALL);\n    }\n    KN_LEFT\n}\n"
        )
    return made


def _arguments(shape: Signature) -> str:
    return ", ".join(["m", *(f"l{number}" for number in range(len(shape[0])))])


def _entryHead(name: str, shape: Signature) -> str:
    types = {"i32": "uint32_t", "i64": "uint64_t", "f32": "float", "f64": "double"}
    parameters = ["component *m", *(f"{types[kind]} l{number}" for number, kind in enumerate(shape[0]))]
    return f"{types[shape[1][0]] if shape[1] else 'void'} component_{name}({', '.join(parameters)})"


def _entry(name: str, number: int, shape: Signature) -> str:
    nothing = "return 0;" if shape[1] else "return;"
    call = f"fn{number}({_arguments(shape)});"
    if shape[1]:
        call = f"{cType(shape[1][0])} result = {call}"
    return f"""{_entryHead(name, shape)} {{
    jmp_buf escape;
    u32 rounding;
    if (m->trapped) {nothing}
    m->escape = &escape;
    m->stack = KN_STACK;
    rounding = kn_rounding();
    if (setjmp(escape)) {{
        kn_rounding_back(rounding);
        {nothing}
    }}
    {call}
    kn_rounding_back(rounding);{" return result;" if shape[1] else ""}
}}
"""


def _frame(module: Module) -> str:
    """C that makes an instance, as the module says: globals, elements, data, then its start function."""
    least = module.memory.least if module.memory else 0
    most = module.memory.most if module.memory and module.memory.most is not None else _MOST_PAGES
    steps = [f"    m->g{number} = {constant(each.type, each.bits)};" for number, each in enumerate(module.globals)]
    for segment in module.elements:
        if segment.offset + len(segment.functions) > module.tables[segment.table]:
            steps.append("    kn_trap(m, KN_OUT_OF_BOUNDS);")
    steps += [
        f"    kn_place(m, {segment.offset}u, data{number}, {len(segment.data)}u);"
        for number, segment in enumerate(module.segments)
    ]
    if module.start is not None:
        steps.append(f"    fn{module.start}(m);")
    room = f"bytes < {most * _PAGE}ull ? bytes / KN_PAGE * KN_PAGE : {most * _PAGE}ull" if module.memory else "0"
    body = "\n".join(steps)
    return f"""static __attribute__((noinline)) void begin(component *m) {{
{body}
}}

component *component_new(u64 bytes, i64 fuel) {{
    jmp_buf escape;
    u32 rounding;
    component *m;
    if (bytes < {least * _PAGE}ull) return 0;
    m = kn_make({least * _PAGE}ull, {room}, fuel);
    if (!m) return 0;
    m->escape = &escape;
    m->stack = KN_STACK;
    rounding = kn_rounding();
    if (!setjmp(escape)) begin(m);
    kn_rounding_back(rounding);
    return m;
}}

void component_free(component *m) {{ kn_unmake(m); }}
const char *component_trapped(const component *m) {{ return kn_why(m); }}
i64 component_fuel(const component *m) {{ return m->fuel; }}
void component_refuel(component *m, i64 fuel) {{ m->fuel = fuel; }}
u64 component_memory(const component *m) {{ return m->size; }}
"""
