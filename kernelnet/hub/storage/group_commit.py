"""
One commit: all that is waiting, in one transaction; a work that fails takes none of the others down.

An engine begins its transaction, has the works applied by `applyAll`, and commits.  If that fails, for whatever reason,
it begins anew and has them applied by `applyEach`, which finds out whose fault it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

from kernelnet.hub.storage.transaction import Transaction, Work
from kernelnet.message import ErrorClass
from kernelnet.wire import WireProblem

__all__ = ["MAX_SECONDS", "Applied", "applyAll", "applyEach"]

MAX_SECONDS = 0.01
"""After so long no other work is begun: those who come meanwhile wait for this commit, and for their own."""


class Applied(NamedTuple):
    """
    @ivar refused: why works were refused, by index.
    @ivar costs: seconds that each took; works behind these were not begun, and are to be given again.
    """

    refused: dict[int, BaseException]
    costs: list[float]


def applyAll(transaction: Transaction, works: Sequence[Work]) -> Applied:
    """
    Apply works that are expected to be taken, or refused in an orderly way: no savepoints.

    @raise Exception: one failed otherwise.  Nothing may stay of the transaction; `applyEach` finds out whose fault it
        is.
    """
    done = Applied({}, [])
    before = began = perf_counter()
    for i, work in enumerate(works):
        try:
            work.apply(transaction)
        except WireProblem as problem:
            done.refused[i] = _bare(problem)
        now = perf_counter()
        done.costs.append(now - before)
        before = now
        if now - began > MAX_SECONDS:
            break
    return done


def applyEach(
    transaction: Transaction,
    works: Sequence[Work],
    problemOf: Callable[[BaseException], WireProblem],
) -> Applied:
    """
    Apply each work in a savepoint of its own: what one wrote that failed is undone, others stay.

    After a refusal for now nothing more of the same source is applied: its order must hold.

    @param problemOf: as that of C{Engine}.
    @raise Exception: one failed in such a way that nothing of the transaction is left.
    """
    done = Applied({}, [])
    refused = done.refused
    before = began = perf_counter()
    held: dict[object, WireProblem] = {}
    for i, work in enumerate(works):
        if work.source in held:
            refused[i] = held[work.source]
            done.costs.append(0.0)
            continue
        transaction.savepoint()
        try:
            work.apply(transaction)
            transaction.release()
        except Exception as error:
            refused[i] = _bare(error) if isinstance(error, WireProblem) else error
            problem = problemOf(error)
            if work.source is not None and problem.errorClass is ErrorClass.RETRY:
                held[work.source] = problem
            if not transaction.undo():
                raise  # such as a full disk: all was rolled back
        now = perf_counter()
        done.costs.append(now - before)
        before = now
        # Such as a full disk: whoever comes behind must not overtake what is held.
        if now - began > MAX_SECONDS and not held:
            break
    return done


def _bare(problem: WireProblem) -> WireProblem:
    """
    The same without its traceback, nor what was raised before it.

    Their frames have what was refused, up to a megabyte, and the commit they are of: with the problem in that commit's
    outcome it is a cycle, which stays until the collector comes, and who is refused often would fill the memory.
    """
    problem.__context__ = None
    return problem.with_traceback(None)
