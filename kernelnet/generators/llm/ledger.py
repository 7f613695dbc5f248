"""
Every call of a model, with what it cost; and the budget, which holds whatever is killed.

Before a call is sent, the most that it can cost is written down as reserved, and the write is on the disk before it
returns.  When the answer is there, what it did cost takes the reserve's place.  A call whose end nobody wrote down, or
whose usage the server didn't tell, counts as what was reserved: a budget may be used up too early, never overrun.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kernelnet.generators.llm.settings import Model, Settings

__all__ = ["ACCEPTED", "FILE", "Call", "Ledger", "LedgerError", "Spent", "Totals"]

FILE = "llm.db"
"""Name of the ledger in a trainer's folder."""

ACCEPTED = "accepted"
"""Beginning of the outcome of a call whose component the guard took."""

MAX_CALLS = 1_000_000
"""Maximum number of calls in a ledger."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY,
    begun TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    model TEXT NOT NULL,
    task TEXT NOT NULL,
    prompt TEXT NOT NULL,
    reserved_tokens INTEGER NOT NULL,
    reserved_usd REAL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    usd REAL,
    seconds REAL,
    outcome TEXT NOT NULL DEFAULT 'sent'
) STRICT;
CREATE VIEW IF NOT EXISTS counted AS SELECT *,
    coalesce(input_tokens + output_tokens, reserved_tokens) AS tokens,
    CASE WHEN input_tokens IS NULL THEN reserved_usd ELSE usd END AS cost
    FROM calls;
"""


class LedgerError(Exception):
    """The ledger can't be used; one line for people."""


class Spent(Exception):
    """A call is not sent: the budget can't bear the most that it may cost.  Says how much is left."""


@dataclass(frozen=True)
class Totals:
    """
    @ivar calls: number; C{accepted}: of these whose component the guard took.
    @ivar tokens: with what is reserved; C{usd}: C{None}: some call has no price.
    """

    calls: int
    accepted: int
    tokens: int
    usd: float | None


@dataclass(frozen=True)
class Call:
    """
    One call.

    @ivar number: from 1; C{begun}: UTC, ISO 8601.
    @ivar model: its name; C{task}: workbench and trace, for people; C{prompt}: SHA-256 of what was asked, in hex.
    @ivar tokens: of question and answer, C{reserved} if the server told none; C{usd}: C{None}: unknown.
    @ivar seconds: that the answer took; C{None}: it never came.
    @ivar outcome: what became of it, for people; `ACCEPTED` and the component's digest, if the guard took it.
    """

    number: int
    begun: str
    model: str
    task: str
    prompt: str
    tokens: int
    reserved: bool
    usd: float | None
    seconds: float | None
    outcome: str


class Ledger:
    """
    The calls in a file; from any thread, and from several processes.

    @ivar latest: the sum of all calls when one was last written here; looking at it costs nothing.

    @raise LedgerError: the file can't be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        # 0600 from its beginning, whatever the umask; only once: closing it would end locks that SQLite has
        with contextlib.suppress(OSError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)
            self.latest = _sum(database)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as database:
                    # A reserve must be on the disk before the call is sent.
                    database.execute("PRAGMA synchronous = FULL")
                    yield database
            except (sqlite3.Error, OSError) as error:
                raise LedgerError(f"can't use {self.path}: {error}") from None

    def reserve(self, model: Model, settings: Settings, task: str, prompt: str, inputTokens: int) -> int:
        """
        Write down that a call is to be sent.

        @param prompt: its digest, in hex.
        @param inputTokens: the most that the question may have.
        @return: the call's number.
        @raise Spent: the budget can't bear it; nothing is written.
        @raise LedgerError: it can't be written: the call must not be sent.
        """
        tokens, usd = inputTokens + model.answer_tokens, model.cost(inputTokens, model.answer_tokens)
        with self._open() as database:
            # Another process must not reserve the same between our look and our write.
            database.execute("BEGIN IMMEDIATE")
            try:
                calls, tokensSpent, usdSpent, unknown = database.execute(
                    "SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(cost), 0), coalesce(sum(cost IS NULL), 0)"
                    " FROM counted"
                ).fetchone()
                if calls >= MAX_CALLS:
                    raise Spent(f"{self.path} has {MAX_CALLS} calls: move it away to begin anew")
                if settings.budget_tokens is not None and tokensSpent + tokens > settings.budget_tokens:
                    left = max(0, settings.budget_tokens - tokensSpent)
                    raise Spent(f"{left} of {settings.budget_tokens} tokens are left, and a call may take {tokens}")
                if settings.budget_usd is not None:
                    if usd is None or unknown:
                        raise Spent("a budget in USD needs prices, and some call has none")
                    if usdSpent + usd > settings.budget_usd:
                        left = max(0.0, settings.budget_usd - usdSpent)
                        raise Spent(f"${left:.4f} of ${settings.budget_usd:g} are left, and a call may take ${usd:.4f}")
                written = database.execute(
                    "INSERT INTO calls (model, task, prompt, reserved_tokens, reserved_usd) VALUES (?, ?, ?, ?, ?)",
                    (model.name, task, prompt, tokens, usd),
                )
                database.execute("COMMIT")
                self.latest = _sum(database)
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
            return int(written.lastrowid or 0)

    def settle(self, number: int, model: Model, usage: tuple[int, int] | None, seconds: float) -> None:
        """
        Write down that an answer came.

        @param usage: tokens of question and answer as the server told; C{None}: it told none, or nonsense.
        """
        tokens = usage if usage is not None else (None, None)
        usd = model.cost(*usage) if usage is not None else None
        with self._open() as database:
            database.execute(
                "UPDATE calls SET input_tokens = ?, output_tokens = ?, usd = ?, seconds = ?, outcome = 'answered'"
                " WHERE number = ?",
                (*tokens, usd, seconds, number),
            )
            self.latest = _sum(database)

    def release(self, number: int, reason: str) -> None:
        """Write down that a call cost nothing: it never reached the server, or that refused it."""
        with self._open() as database:
            database.execute(
                "UPDATE calls SET input_tokens = 0, output_tokens = 0, usd = 0, outcome = ? WHERE number = ?",
                (reason[:200], number),
            )
            self.latest = _sum(database)

    def tell(self, number: int, outcome: str) -> None:
        """Write down what became of a call."""
        with self._open() as database:
            database.execute("UPDATE calls SET outcome = ? WHERE number = ?", (outcome[:200], number))
            self.latest = _sum(database)

    def totals(self) -> Totals:
        """Sum of all calls."""
        with self._open() as database:
            self.latest = _sum(database)
        return self.latest

    def calls(self, last: int) -> list[Call]:
        """The C{last} calls, the newest first."""
        with self._open() as database:
            rows = database.execute(
                "SELECT number, begun, model, task, prompt, tokens, input_tokens IS NULL, cost, seconds, outcome"
                " FROM counted ORDER BY number DESC LIMIT ?",
                (last,),
            ).fetchall()
        return [
            Call(number, begun, model, task, prompt, tokens, bool(reserved), usd, seconds, outcome)
            for number, begun, model, task, prompt, tokens, reserved, usd, seconds, outcome in rows
        ]


def _sum(database: sqlite3.Connection) -> Totals:
    calls, accepted, tokens, usd, unknown = database.execute(
        "SELECT count(*), coalesce(sum(outcome LIKE ? || '%'), 0), coalesce(sum(tokens), 0),"
        " coalesce(sum(cost), 0), coalesce(sum(cost IS NULL), 0) FROM counted",
        (ACCEPTED,),
    ).fetchone()
    return Totals(calls, accepted, tokens, None if unknown else float(usd))
