"""
One commit: all that is waiting, in one transaction; a work that fails takes none of the others down.

An engine begins its transaction, has the works applied by `applyAll`, and commits.  If that fails, for whatever reason,
it begins anew and has them applied by `applyEach`, which finds out whose fault it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernelnet.hub.storage.transaction import Transaction, Work
from kernelnet.message import ErrorClass
from kernelnet.wire import WireProblem

__all__ = ["applyAll", "applyEach"]


def applyAll(transaction: Transaction, works: Sequence[Work]) -> dict[int, BaseException]:
    """
    Apply works that are expected to be taken, or refused in an orderly way: no savepoints.

    @return: why works were refused, by index.
    @raise Exception: one failed otherwise.  Nothing may stay of the transaction; `applyEach` finds out whose fault it
        is.
    """
    refused: dict[int, BaseException] = {}
    for i, work in enumerate(works):
        try:
            work.apply(transaction)
        except WireProblem as problem:
            refused[i] = problem
    return refused


def applyEach(
    transaction: Transaction,
    works: Sequence[Work],
    problemOf: Callable[[BaseException], WireProblem],
) -> dict[int, BaseException]:
    """
    Apply each work in a savepoint of its own: what one wrote that failed is undone, others stay.

    After a refusal for now nothing more of the same source is applied: its order must hold.

    @param problemOf: as that of C{Engine}.
    @return: why works were refused, by index.
    @raise Exception: one failed in such a way that nothing of the transaction is left.
    """
    refused: dict[int, BaseException] = {}
    held: dict[object, WireProblem] = {}
    for i, work in enumerate(works):
        if work.source in held:
            refused[i] = held[work.source]
            continue
        transaction.savepoint()
        try:
            work.apply(transaction)
            transaction.release()
        except Exception as error:
            refused[i] = error
            problem = problemOf(error)
            if work.source is not None and problem.errorClass is ErrorClass.RETRY:
                held[work.source] = problem
            if not transaction.undo():
                raise  # such as a full disk: all was rolled back
    return refused
