"""Types, constants and heads of functions, from WebAssembly to C."""

from __future__ import annotations

from kernelnet.exporters.errors import Untranslatable
from kernelnet.exporters.wasm import Module
from kernelnet.workbench.abi import Signature

__all__ = ["cType", "canonical", "constant", "functionHead", "isWide"]

_TYPES = {"i32": "u32", "i64": "u64", "f32": "f32", "f64": "f64"}


def cType(kind: str) -> str:
    """C type of a WebAssembly type: integers have no sign."""
    return _TYPES[kind]


def constant(kind: str, bits: int) -> str:
    """C expression of a value, by its bits."""
    if kind == "i32":
        return f"{bits & 0xFFFFFFFF}u"
    if kind == "i64":
        return f"{bits & 0xFFFFFFFFFFFFFFFF}ull"
    return f"kn_f32(0x{bits:x}u)" if kind == "f32" else f"kn_f64(0x{bits:x}ull)"


def canonical(module: Module, kind: int) -> int:
    """The first number of a type: types of the same shape are the same type."""
    return module.types.index(module.types[kind])


def isWide(shape: Signature, most: int) -> bool:
    """Whether a function has more than C{most} parameters: then they are handed over in the instance, C{m->wide}."""
    return len(shape[0]) > most


def functionHead(number: int, shape: Signature, most: int) -> str:
    """
    C{KN_FUNCTION u32 fn3(component *m, u64 l0)}.

    @param most: see `isWide`.
    @raise Untranslatable: it has several results.
    """
    if len(shape[1]) > 1:
        raise Untranslatable("the module has a function with several results, which is not translated")
    result = cType(shape[1][0]) if shape[1] else "KN_NOTHING"
    kinds = () if isWide(shape, most) else shape[0]
    parameters = "".join(f", {cType(kind)} l{at}" for at, kind in enumerate(kinds))
    return f"KN_FUNCTION {result} fn{number}(component *m{parameters})"
