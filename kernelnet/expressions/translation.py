"""
Expressions of one bench in the words of another.

Rank functions of different benches ask alike questions of different things: LRU is to blocks what round robin is to
tasks.  Each rank ABI says which of the terms that benches share (`kernelnet.workbench.abi.TERMS`) each of its features
is; an expression is translated feature by feature through them.  Where one has no counterpart, the largest parts
without it are kept.

What comes of it is a guess: where a search may begin, never a claim.  Units differ, and so do numbers in an expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kernelnet.artifacts import CodeBlock, Hint
from kernelnet.expressions.syntax import ExpressionError, Tree, parse, parts, size, text
from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.abi import Abi, rankAbiOf

__all__ = ["MAX_TRANSLATIONS", "Translated", "counterparts", "translated", "translations"]

MAX_TRANSLATIONS = 3
"""Maximum number of parts, the largest, that are kept of an expression that can't be translated as a whole."""


class Translated(CodeBlock):
    """
    A block whose expression was translated here, not sent by a peer.

    @ivar origin: the digest of the component that the expression was taken from.
    """

    origin: str = ""


def counterparts(theirs: Abi, ours: Abi) -> dict[str, str]:
    """
    Which of our features stands for which of theirs.

    Of several features for one term the first stands for the first and so on, in the order of the ABIs' terms; the last
    stands for all that are left.
    """
    found = {}
    for term in dict.fromkeys(theirs.terms.values()):
        have = [feature for feature, its in ours.terms.items() if its == term]
        wanted = [feature for feature, its in theirs.terms.items() if its == term]
        for at, feature in enumerate(wanted if have else ()):
            found[feature] = have[min(at, len(have) - 1)]
    return found


def translations(expression: str, theirs: Abi, ours: Abi) -> list[str]:
    """
    A stranger's expression over our features.

    @param expression: its text, over the features of C{theirs}.
    @return: it as a whole, or else its largest parts that can be translated, the largest first; mere features
        and numbers are none.  Empty where nothing can, or it is no expression.
    """
    try:
        tree = parse(expression, theirs.features)
    except ExpressionError:
        return []
    words = counterparts(theirs, ours)
    found = sorted(_largest(tree, words), key=size, reverse=True)
    return list(dict.fromkeys(text(_translated(part, words)) for part in found))[:MAX_TRANSLATIONS]


def translated(hints: Sequence[Hint], bench: IWorkbench, installed: Mapping[str, IWorkbench]) -> list[Translated]:
    """
    Worker thread.  Hints of other benches in the words of this one.

    @param installed: workbenches by name; hints of others are passed over.
    """
    ours = rankAbiOf(bench)
    blocks: list[Translated] = []
    for hint in hints:
        theirs = rankAbiOf(installed.get(hint.workbench))
        if ours is None or theirs is None or hint.workbench == bench.name:
            continue
        # Where the lowest goes first and where the lowest goes away, the same is good the other way round.
        found = [(part, sign) for part in translations(hint.expression, theirs, ours) for sign in ("", "-")]
        for number, (part, sign) in enumerate(found):
            expression = f"{sign}({part})" if sign else part
            blocks.append(
                Translated(
                    id=f"{hint.component[:10]}-{number}",
                    type=f"{bench.name}/translated",
                    data={"expression": expression},
                    specialization=bench.name,
                    origin=hint.component,
                )
            )
    return blocks


def _largest(tree: Tree, words: dict[str, str]) -> Iterator[Tree]:
    """The parts, each as large as possible, all of whose features have counterparts; those with none say nothing."""
    if not isinstance(tree, tuple):
        return
    features = {node for node in parts(tree) if isinstance(node, str)}
    if features and features <= words.keys():
        yield tree
        return
    for operand in tree[1:]:
        yield from _largest(operand, words)


def _translated(tree: Tree, words: dict[str, str]) -> Tree:
    if isinstance(tree, str):
        return words[tree]
    if isinstance(tree, tuple):
        return (tree[0], *(_translated(operand, words) for operand in tree[1:]))
    return tree
