"""
A component's WebAssembly to C for the kernel's BPF machine: whole numbers alone, with bounds and fuel; see C{bpf.h}.

It is the translation of `kernelnet.exporters.translation` on another ground.  The kernel allows no recursion, five
parameters and 512 bytes of stack, so a component that calls itself is refused, and one whose functions need too much is
refused by the C compiler or by the kernel.  Linear memory is a window of it: see `Window`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kernelnet.exporters.errors import Untranslatable
from kernelnet.exporters.signatures import constant, cType
from kernelnet.exporters.translation import VERSION, Functions, dataText, globalsText, shapeOf
from kernelnet.exporters.wasm import Module, readModule
from kernelnet.workbench.abi import Signature
from kernelnet.workbench.sandbox import loadModule

__all__ = ["FILES", "BpfTranslation", "Window", "translateForBpf"]

_HERE = Path(__file__).parent

FILES = (_HERE / "bpf.h", _HERE / "ground.h", _HERE / "soft_float.h")
"""C headers that the translation includes."""

IN_REGISTERS = 3
"""Parameters of a function besides the instance; a call through a table has one more, and five is the bound."""

MOST_WINDOW = 62 << 10
"""Bytes: the value of a map of sockets has at most 64 KiB."""

STACK = 2048
"""Bytes of a component's own stack in memory, below its data."""

_PAGE = 65536


@dataclass(frozen=True)
class Window:
    """
    The part of linear memory that an instance has: addresses from C{low} to before C{high}.

    Where the code says every address that it touches, as it does for variables that are no arrays, these are all of it;
    otherwise it is as much as there is room for, and what lies beyond is out of bounds.
    """

    low: int
    high: int

    @property
    def size(self) -> int:
        return self.high - self.low


@dataclass(frozen=True)
class BpfTranslation:
    """
    @ivar source: C text, to be included by a program.
    @ivar names: exported functions that can be called, in order.
    """

    source: str
    names: tuple[str, ...]
    window: Window


def translateForBpf(
    wasm: bytes, names: Iterable[str], room: int | None = None, where: str = "a socket's memory"
) -> BpfTranslation:
    """
    Translate a component.

    @param names: functions that shall be callable; those that it hasn't are left out.
    @param room: bytes of linear memory that an instance has at most, C{MOST_WINDOW} if C{None}; C{where}: that is, for
        people.
    @raise ComponentError: the sandbox doesn't let it in.
    @raise Untranslatable: it has what isn't translated, or what the kernel never allows.
    """
    loadModule(wasm)
    module = readModule(wasm)
    found = tuple(name for name in names if name in module.exports)
    functions = Functions(module, (module.exports[name] for name in found), IN_REGISTERS)
    _refuseCircles(module, functions)
    window = _window(module, functions, MOST_WINDOW if room is None else room, where)
    wide = max((len(each.shape[0]) for each in module.functions), default=1)
    grows = module.memory is not None and window.high > module.memory.least * _PAGE
    digest = hashlib.sha256(wasm).hexdigest()
    parts = [
        f"/* Made by kernelnet, translator {VERSION}, of the module with the sha256 {digest}: not to be edited. */",
        f"#define KN_GLOBALS {globalsText(module)}",
        f"#define KN_WIDE {max(1, wide)}",
        f"#define KN_LOW {window.low}ull",
        f"#define KN_HIGH {window.high}ull",
        f"#define KN_WINDOW {window.size}ull",
        f"#define KN_GROWS {int(grows)}",
        '#include "bpf.h"',
        *(f"#define COMPONENT_HAS_{name} 1" for name in found),
        *(dataText(number, segment.data) for number, segment in enumerate(module.segments)),
        *functions.heads,
        *functions.dispatchers,
        *functions.texts,
        _beginning(module, window),
        *(_entry(name, module.exports[name], shapeOf(module, name)) for name in found),
    ]
    return BpfTranslation("\n".join(parts) + "\n", found, window)


def _refuseCircles(module: Module, functions: Functions) -> None:
    """@raise Untranslatable: a function may come to call itself."""
    listed = [number for segment in module.elements for number in segment.functions if number is not None]
    calls: dict[int, set[int]] = {}
    for writer in functions.writers:
        shapes = {module.types[kind] for kind, _ in writer.indirect}
        through = {number for number in listed if module.functions[number].shape in shapes}
        calls[writer.number] = writer.called | through
    # Whoever calls nobody who is left is taken away, until nobody can be.
    while calls:
        ends = {number for number, called in calls.items() if not called & calls.keys()}
        if not ends:
            raise Untranslatable(
                f"function {min(calls)} of the module calls itself, or others that call it: the kernel has no recursion"
            )
        for number in ends:
            del calls[number]


def _window(module: Module, functions: Functions, room: int, where: str) -> Window:
    """@raise Untranslatable: what stands in memory from the beginning has no room in it."""
    if module.memory is None:
        return Window(0, 0)
    places = [(segment.offset, segment.offset + len(segment.data)) for segment in module.segments if segment.data]
    reached = {end for writer in functions.writers for end in writer.reached}
    isAnywhere = any(writer.isAnywhere for writer in functions.writers)
    if not isAnywhere and not reached:
        return Window(0, 0)
    if not isAnywhere:
        # An access has eight bytes at most.
        low = min([*(end - 8 for end in reached), *(start for start, _ in places)])
        high = max([*reached, *(end for _, end in places)])
    else:
        # The stack grows downwards to the data, which our compiler puts behind it.
        starts = [start for start, _ in places] + [end - 8 for end in reached]
        starts += [each.bits for each in module.globals[:1] if each.type == "i32" and each.bits]
        low = max(0, min(starts, default=0) - STACK) if room <= _PAGE else 0
        most = module.memory.most if module.memory.most is not None else _PAGE
        high = min(low // 16 * 16 + room, most * _PAGE)
    low = max(0, low) // 16 * 16
    end = max((end for _, end in places), default=low)
    if high > low + room or end > high:
        raise Untranslatable(
            f"the module's data reaches over {max(high, end) - low} bytes; at most {room} are in {where}"
        )
    return Window(low, high)


def _beginning(module: Module, window: Window) -> str:
    """C that makes an instance of zeroed memory, as the module says: globals, data, then its start function."""
    least = module.memory.least if module.memory else 0
    steps = [f"    kn_has(m, {least}u);"]
    steps += [f"    m->g{number} = {constant(each.type, each.bits)};" for number, each in enumerate(module.globals)]
    isWrong = any(
        segment.offset + len(segment.functions) > module.tables[segment.table] for segment in module.elements
    ) or any(segment.offset + len(segment.data) > least * _PAGE for segment in module.segments)
    if isWrong:
        steps.append("    kn_trap(m, KN_OUT_OF_BOUNDS);")
    elif window.size:
        steps += [
            f"    for (i = 0; i < {len(segment.data)}; i++)"
            f" m->memory[{segment.offset - window.low} + i] = data{number}[i];"
            for number, segment in enumerate(module.segments)
            if segment.data
        ]
    if module.start is not None:
        steps.append(f"    fn{module.start}(m);")
    body = "\n".join(steps)
    return f"""KN_FUNCTION u32 component_begin(component *m) {{
    u32 i;
    (void)i;
    kn_enter(m, 0, 0);
{body}
    KN_LEFT
}}
"""


def _entry(name: str, number: int, shape: Signature) -> str:
    """C{component_kn_ack(m, …)}: 0 when it went wrong, then or before."""
    result = cType(shape[1][0]) if shape[1] else "u32"
    parameters = "".join(f", {cType(kind)} l{at}" for at, kind in enumerate(shape[0]))
    call = f"fn{number}(m{''.join(f', l{at}' for at in range(len(shape[0])))})"
    before = ""
    if len(shape[0]) > IN_REGISTERS:
        call = f"fn{number}(m)"
        before = "".join(f"    m->wide[{at}] = l{at};\n" for at in range(len(shape[0])))
    return f"""KN_INSIDE {result} component_{name}(component *m{parameters}) {{
    {result} result;
    if (m->trapped) return 0;
{before}    result = {call};
    return m->trapped ? 0 : result;
}}
"""
