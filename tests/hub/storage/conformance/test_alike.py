"""Any works, in any order, leave the same on an engine as on the plainest one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from kernelnet.hub.storage.engine import Engine
from kernelnet.hub.storage.statements.access import StoredAi, StoredToken
from kernelnet.hub.storage.statements.certificates import StoredCertificate
from kernelnet.hub.storage.statements.components import COMPONENT_SORTS, COMPONENT_STATES, NewComponent
from kernelnet.hub.storage.statements.log import Mark
from kernelnet.hub.storage.statements.observations import NewObservation, ObservationBounds
from kernelnet.hub.storage.statements.patterns import NewPattern
from kernelnet.hub.storage.statements.reports import NewReport
from kernelnet.hub.storage.statements.sessions import NewSession
from kernelnet.hub.storage.transaction import Reader, Transaction
from tests.hub.databases import InMemory, onEveryEngine
from tests.hub.storage.conformance.support import NOW, EngineTestCase, FunctionWork, append

AIS = ["a", "b", "B", "é", "hub-x"]
IDS = ["x", "xy", "Xy", "y"]
DIGESTS = ["", "abcdef12", "abcdef99", "123456"]
KINDS = ["enrolled", "issued", "join", "rotated", "viewer"]
VERDICTS = ["confirmed", "refuted", "unmeasurable", None]


def anyWork(chance: random.Random, number: int) -> Callable[[Transaction], Any]:
    """Some statements; they are the same however often they are called."""
    seed = chance.random()

    def apply(transaction: Transaction) -> None:
        mine = random.Random(seed)
        for n in range(mine.randrange(1, 4)):
            _anyStatement(transaction, mine, f"{number}-{n}")
        if mine.random() < 0.2:
            raise ValueError("mine")

    return apply


def _anyStatement(transaction: Transaction, chance: random.Random, name: str) -> None:
    pick = chance.choice
    ai, id_, digest, at = pick(AIS), pick(IDS), pick(DIGESTS), NOW + chance.randrange(5)
    body = b"x" * chance.randrange(5)
    match chance.randrange(17):
        case 0 | 1:
            message = f"m{chance.randrange(60)}"
            if transaction.find(ai, message) is None:
                append(transaction, ai, message, to=pick([None, [], AIS[:2]]), digest=b"d" * 16)
        case 2:
            pattern = NewPattern(ai, id_, pick(IDS), pick([0, 0.5, 1]), "", name, body)
            transaction.patterns.put(append(transaction, ai, name), pattern)
        case 3 | 4:
            kind = pick(["component", "component", "code"])
            level, rules = pick([0, 0.5, -1.5]), pick(["", "r1", "r2"])
            component = NewComponent(ai, id_, kind, pick(IDS), pick(IDS), digest, level, name, body, rules)
            transaction.components.put(append(transaction, ai, name), component)
            transaction.components.countVerdicts(digest)
        case 5 | 6:
            report = NewReport(ai, id_, digest, pick(VERDICTS), name, body)
            event = append(transaction, ai, name)
            transaction.reports.put(event, report)
            transaction.components.countVerdicts(digest)
            transaction.components.followRules(digest, ai, event.seq)
            if chance.random() < 0.1:
                transaction.components.setRules({one: pick(["r1", "r2"]) for one in IDS[: chance.randrange(3)]})
        case 7:
            state, end = pick([("expired", None), ("offered", at), ("offered", at + 2)])  # what has ended is never due
            invited = AIS[: chance.randrange(4)]
            transaction.sessions.insert(NewSession(name, ai, id_, "", state, invited, body, at, end))
        case 8:
            for record in transaction.sessions.beginning(pick(["", "1", "2-"]), 2):
                transaction.sessions.setDeclined(record.id, AIS[: chance.randrange(3)], at)
                transaction.sessions.setTranscript(record.id, body, at)
        case 9:
            for due in transaction.sessions.due(at, 1):
                transaction.sessions.activate(due.id, ai, at + 1, at)
                transaction.sessions.setComponent(due.id, id_)
        case 10:
            for due in transaction.sessions.due(at, 2):
                transaction.sessions.end(due.id, pick(["completed", "declined", "expired"]), at)
        case 11 | 12:
            token = StoredToken(name, ai, pick(KINDS), at, pick([None, at, at + 3]), pick([None, at]), pick([None, at]))
            transaction.tokens.insert(token)
        case 13:
            tokens = sorted(transaction.tokens.ofAi(ai))
            if tokens:
                transaction.note("{kind}", kind=transaction.tokens.markUsed(tokens[0].hash, pick(AIS), at))
                transaction.tokens.replaceHash(tokens[-1].hash, name)
            pick([transaction.tokens.markJoinsUsed, transaction.tokens.revokeUnusedJoins])(ai, at)
            transaction.tokens.deleteUnusedEnrolled(pick(AIS))
            transaction.note("{count}", count=transaction.tokens.expireAll(pick(AIS), at + 1, at))
            if chance.random() < 0.2:
                transaction.note("{count}", count=transaction.tokens.revoke(ai, at))
        case 14:
            transaction.ais.save(StoredAi(ai, body, pick([1, 2]), at, pick([None, 3])))
            transaction.ais.raiseReadSeq([(chance.randrange(9), pick(AIS))])
            transaction.ais.setSeen([(at + 1, pick(AIS))])
        case 16:
            seen = NewObservation(ai, pick(IDS), digest, pick(["real", "simulated"]), pick(IDS), pick(IDS), name, body)
            transaction.observations.put(append(transaction, ai, name, to=[]), seen, ObservationBounds(3, 12))
        case 15:
            last = transaction.marks.last()
            mark = Mark(last.seq + 2, last.at + 1, last.bytes + 3) if last else Mark(1, NOW, 1)
            transaction.marks.add([mark])
            if chance.random() < 0.3:
                size = transaction.marks.measure(0, 1 << 40, 2)
                transaction.note("{size} {count}", size=size, count=transaction.marks.remove(size[0] or 0, 3))
        case 16:
            transaction.owners.set(ai, pick([None, "o", "b"]))
            transaction.certificates.insert(StoredCertificate(name, ai, at, at + chance.randrange(4), pick([None, at])))
            if chance.random() < 0.2:
                transaction.note("{count}", count=transaction.certificates.revoke(ai, at))


def all_(reader: Reader) -> list[Any]:
    """What each query gives."""
    components, sessions, tokens = reader.components, reader.sessions, reader.tokens
    log, marks = reader.log, reader.marks
    everything = [*components.after(None)]
    half = everything[len(everything) // 2] if everything else None
    key = half.key if half else None
    turns = [*components.inTurn(2, None, 99)]
    patternTurns = [*reader.patterns.inTurn(2, None, 99)]
    found = [*sessions.page(None, None, 99, True)]
    last = found[len(found) // 2] if found else None
    return [
        everything,
        [*components.after(key)],
        (turns, patternTurns, components.rules()),
        [[*components.inTurn(2, place, 3)] for place, _ in turns[:: max(1, len(turns) // 3)]],
        [[*reader.patterns.inTurn(2, place, 3)] for place, _ in patternTurns[::3]],
        [[components.best(feature, ai) for feature in IDS] for ai in AIS],
        [
            components.listed(workbench=workbench, author=author, state=state, sort=sort, limit=3, after=after)
            for workbench in (None, "x")
            for author in (None, AIS[0])
            for state in (None, *COMPONENT_STATES)
            for sort in COMPONENT_SORTS
            for after in (None, key)
        ],
        [*components.inOrder()],
        [components.named(name) for name in (*IDS, "ABCDEF", "abcde")],
        [components.withDigest(digest) for digest in DIGESTS],
        [*components.confirmedOnly(2)],
        (components.features(3), components.idsBeginning("x", 3), components.heldDigests(DIGESTS)),
        components.digestsOf([(ai, id_) for ai in AIS for id_ in IDS]),
        (components.countByKind(), components.countByState(), components.countConfirmed(), log.firstConfirmation()),
        (log.headers(0, 1 << 40, 99), log.newestHeaders(3, 1 << 40, 5), log.hasAny(9, ["pattern_share"])),
        (marks.last(), [marks.reachedAt(NOW + i) for i in range(5)], [marks.firstOver(i) for i in range(12)]),
        ([*reader.patterns.after(None)], [*reader.patterns.after((0.5, 20))], reader.patterns.best("x", 2, 3)),
        (reader.patterns.types(3), reader.patterns.count(), reader.reports.count()),
        reader.reports.lastConfirmation(),
        [(reader.reports.ofComponent(id_, 3, 4), reader.reports.ofComponent(id_, 9, 9)) for id_ in IDS],
        [reader.reports.confirming(digest, "a", 2, 4) for digest in DIGESTS],
        [(reader.reports.onDigest(digest, 3, 4), reader.reports.verdicts(digest, "a")) for digest in DIGESTS],
        [(reader.observations.onDigest(digest, 2, 5), reader.observations.count()) for digest in DIGESTS],
        [reader.observations.inEnvironment(where, 7) for where in ("real", "simulated")],
        found,
        [*sessions.page("expired", (last.changedAt, last.id) if last else None, 3, False)],
        [sessions.openFor(ai, 2) for ai in AIS],
        (sessions.beginning("1", 9), sessions.due(NOW + 2, 3), sessions.countByState(), [*sessions.outcomes()]),
        sorted(tokens.all()),
        [sorted(tokens.ofAi(ai)) for ai in AIS],
        (tokens.ids(), tokens.idsBeginning("", 3), tokens.idsBeginning("h", 3)),
        (reader.owners.all(), [reader.owners.of(ai) for ai in AIS], reader.certificates.revoked()),
        [[reader.certificates.since(ai, NOW + i) for ai in AIS] for i in range(5)],
        (reader.ais.all(), reader.ais.leastRead(), [(reader.ais.protocolOf(ai), reader.ais.find(ai)) for ai in AIS]),
    ]


@onEveryEngine
class AlikeTests(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.model: Engine = InMemory(self.folder).engine()
        self.model.prepare()
        self.fired(self.model.open())
        self.addCleanup(self.model.close)

    def test_anyWorks(self) -> None:
        """What is asked after each commit, what it says it wrote, and what it refused are the same."""
        for seed in range(3 if self.database.isQuick else 1):
            chance = random.Random(seed)
            for number in range(60):
                works = [anyWork(chance, seed * 1_000_000 + number * 1000 + n) for n in range(chance.randrange(1, 9))]
                self.compare(works, f"seed {seed}, commit {number}")

    def compare(self, works: list[Callable[[Transaction], Any]], where: str) -> None:
        told: list[Any] = []
        for engine in (self.engine, self.model):
            done = self.fired(engine.commit([FunctionWork(work) for work in works], NOW))
            events = [(one.seq, one.sender, one.recipients, one.line) for one in done.committed.events]
            told.append((events, done.notes, sorted(done.refused)))
        self.assertEqual(told[0], told[1], where)
        mine, model = (self.fired(engine.read(all_)) for engine in (self.engine, self.model))
        for i, (one, other) in enumerate(zip(mine, model, strict=True)):
            self.assertEqual(one, other, f"{where}, query {i}")
        head = self.fired(self.model.open()).head
        pages = [self.fired(engine.page(head // 2, head, "a")) for engine in (self.engine, self.model)]
        ours, theirs = [([event.line for event in page.events], page.upTo) for page in pages]
        self.assertEqual(ours, theirs, where)
