"""
The resources below C{/api/}, each a function from the request's arguments to JSON; C{openapi.yaml} describes them.

Arguments are checked as the table `_ARGUMENTS` says: one that is unknown, or wrong, is answered by 400 and what
would be right.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from kernelnet.artifacts import ModelCosts
from kernelnet.hub.admin.status import HubStatus
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.connection.presence import Presence
from kernelnet.hub.connection.search_history import MAX_SAMPLES, SearchHistory, SearchSeries
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.cluster import Arrival
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views import components, patterns, sessions
from kernelnet.hub.views.families import families
from kernelnet.hub.views.kept import Kept
from kernelnet.hub.views.overview import overview
from kernelnet.hub.views.progress import Progress
from kernelnet.hub.views.sites import sites
from kernelnet.hub.web.task_words import withWords
from kernelnet.hub.web.traffic import TrafficHistory
from kernelnet.wire import rfc3339

__all__ = ["BadRequest", "NotFound", "Sources", "answerTo"]

MAX_LIMIT = 500
MAX_AIS = 1000
MAX_WORKING = 24
"""AIs of which the overview says what they work on."""
MAX_SHOWN_SEARCHES = 200
"""Searches of single AIs in one answer: with 64 samples each half a megabyte."""


class BadRequest(Exception):
    """The text says which argument is wrong, and what would be right."""


class NotFound(Exception):
    """There is no such thing."""


Arguments = Mapping[str, str]


class Sources:
    """
    Sources of answers.

    @param received: number of messages since the start, by type.
    @param wallClock: Unix seconds.
    @param elsewhere: AIs that are connected to other nodes.
    @param silence: seconds since a server that is asked again and again has answered.
    @ivar traffic: the last minutes of the hub; C{progress}: of the components; C{families}: of these;
        C{sites}: where these were tried.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        connections: Connections,
        directory: Directory,
        presence: Presence,
        searches: SearchHistory,
        status: HubStatus,
        received: Mapping[str, int],
        clock: IReactorTime,
        wallClock: Callable[[], float],
        elsewhere: Mapping[str, Arrival] = MappingProxyType({}),
        silence: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.silence = silence
        self.elsewhere = elsewhere
        self.log = log
        self.connections = connections
        self.directory = directory
        self.presence = presence
        self.searches = searches
        self.status = status
        self.received = received
        self.clock = clock
        self.wallClock = wallClock
        self.traffic = TrafficHistory(
            log=log, connections=connections, status=status, received=received, clock=clock, wallClock=wallClock
        )
        self.progress = Progress()
        self.families = Kept(families)
        self.sites = Kept(sites)

    def isHere(self, aiId: str) -> bool:
        """Whether an AI is connected, to whichever node."""
        return self.connections.greeted(aiId) is not None or aiId in self.elsewhere


def answerTo(sources: Sources, path: tuple[str, ...], arguments: Arguments) -> Deferred[Any]:
    """
    Answer C{GET /api/<path>}.

    @return: fires with what can be encoded as JSON; fails with `BadRequest` or `NotFound`.
    """
    name = path[0] if path else ""
    if name == "components" and len(path) == 2:
        return maybeDeferred(_component, sources, path[1], _checked(arguments, {}))
    if len(path) != 1 or name not in _RESOURCES:
        raise NotFound(f"there is no /api/{'/'.join(path)}; there are: {', '.join(sorted(_RESOURCES))}")
    function, known = _RESOURCES[name]
    return maybeDeferred(function, sources, _checked(arguments, known))


def _checked(arguments: Arguments, known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    found = {}
    for name, text in arguments.items():
        if name not in known:
            raise BadRequest(f"unknown argument {name!r}; there are: {', '.join(known) or 'none'}")
        try:
            found[name] = known[name](text)
        except ValueError as error:
            raise BadRequest(f"{name}: {error}") from None
    return found


def _upTo(most: int, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise ValueError(f"it should be 1 to {most}")
    return int(text)


_limit = partial(_upTo, MAX_LIMIT)


def _text(text: str) -> str:
    if not text or len(text) > 256 or "\0" in text:
        raise ValueError("it should be 1 to 256 characters")
    return text


def _position(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise ValueError("it should be the `next` of an earlier page")
    return int(text)


def _cursor(text: str) -> sessions.Cursor:
    match = re.fullmatch(r"([0-9]{1,12}\.[0-9]{1,9})-([0-9A-Za-z_-]{1,64})", text, re.ASCII)
    if match is None:
        raise ValueError("it should be the `next` of an earlier page")
    return float(match[1]), match[2]


def _oneOf(words: tuple[str, ...], text: str) -> str:
    if text not in words:
        raise ValueError(f"it should be one of {', '.join(words)}")
    return text


# --- resources


def _status(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    return sources.status.fullStatus()


def _ais(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    """Those who are here first, then who was here last."""
    known, seenAt = sources.directory.ais, sources.presence.seenAt

    def order(aiId: str) -> tuple[bool, float, str]:
        return sources.isHere(aiId), seenAt(aiId), aiId

    first = heapq.nlargest(arguments.get("limit", MAX_LIMIT), known, key=order)
    return {"ais": [_ai(sources, aiId) for aiId in first], "known": len(known)}


def _ai(sources: Sources, aiId: str) -> dict[str, Any]:
    known, connection = sources.directory.ais[aiId], sources.connections.greeted(aiId)
    other = sources.elsewhere.get(aiId)
    where = connection or other
    search = sources.searches.lastOf(aiId)
    return {
        "id": aiId,
        "specialization": known.hello.specialization,
        "capabilities": list(known.hello.capabilities),
        "generators": list(known.hello.generators),
        "workbenches": list(known.hello.workbenches),
        "owner": sources.directory.owners.get(aiId),
        "connected": where is not None,
        "node": sources.status.node if connection is not None else other.node if other is not None else None,
        "since": rfc3339(where.since) if where is not None else None,
        "seen": rfc3339(sources.presence.seenAt(aiId)),
        "behind": sources.log.head - connection.reader.position if connection is not None else None,
        "progress": {"task": _task(search), **_told(search)} if search is not None else None,
    }


def _task(search: SearchSeries) -> dict[str, Any]:
    """The task of a search, as its AI calls it."""
    found = search.last.task
    return withWords(
        {
            "workbench": found.workbench,
            "trace": found.trace[:200],
            "trace_digest": found.trace_digest,
            "settings": found.settings,
        }
    )


def _told(search: SearchSeries) -> dict[str, Any]:
    last = search.last
    return {
        "at": rfc3339(search.at),
        "evaluations": last.evaluations,
        "train": last.train,
        "validation": last.validation,
        "sessions": last.sessions,
        "costs": _costs(last.costs),
    }


def _costs(told: ModelCosts | None) -> dict[str, Any] | None:
    """An AI's language models, as it tells itself."""
    if told is None:
        return None
    return {"calls": told.calls, "accepted": told.accepted, "tokens": told.tokens, "usd": told.usd}


def _components(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    limit = arguments.get("limit", 50)

    def read(reader: Reader) -> Any:
        after = None
        if "after" in arguments and (after := components.entryAt(reader, arguments["after"])) is None:
            raise NotFound("after: the last component of that page is gone; begin anew")
        found = components.entries(
            reader,
            workbench=arguments.get("workbench"),
            state=arguments.get("verdict"),
            sort=arguments.get("sort", "level"),
            limit=limit + 1,
            after=after,
        )
        more = str(found[limit - 1].seq) if len(found) > limit else None
        return {"components": [withWords(components.describe(entry)) for entry in found[:limit]], "next": more}

    return sources.log.read(read)


def _component(sources: Sources, name: str, arguments: Mapping[str, Any]) -> Any:
    def read(reader: Reader) -> Any:
        try:
            entry = components.entryOf(reader, name)
        except components.TooShort as error:
            raise NotFound(str(error)) from None
        except components.Unclear as error:
            raise BadRequest(str(error)) from None
        if entry is None:
            raise NotFound("there is no component of this id or digest")
        reports = components.reportsOn(reader, entry.digest)
        whole = components.describeWhole(entry, components.lineage(reader, entry))
        observations = components.observationsOf(reader, entry)
        return {**withWords(whole), "reports": reports, "observations": observations}

    return sources.log.read(read)


def _patterns(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    limit, kind = arguments.get("limit", 100), arguments.get("type")
    return sources.log.read(lambda reader: {"patterns": patterns.patterns(reader, kind, limit)})


def _families(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    head = sources.log.head
    return sources.log.read(lambda reader: {"families": sources.families.told(reader, head)})


def _sites(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    head = sources.log.head

    def read(reader: Reader) -> Any:
        found = sources.sites.told(reader, head)
        name = arguments.get("workbench")
        return {"workbenches": [one for one in found if name in (None, one["workbench"])]}

    return sources.log.read(read)


def _progress(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    head, searches = sources.log.head, _searches(sources, arguments)

    def read(reader: Reader) -> Any:
        return {"tasks": [*map(withWords, sources.progress.tasks(reader, head))], "searches": searches}

    return sources.log.read(read)


def _searches(sources: Sources, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tasks that AIs search on, those that were told of last first; each with what each AI told, and its samples."""
    found: dict[str, dict[str, Any]] = {}
    for search in sources.searches.newest(MAX_SHOWN_SEARCHES, arguments.get("trace_digest")):
        described = _task(search)
        key = f"{described['workbench']} {described['trace_digest']} {sorted(described['settings'].items())}"
        found.setdefault(key, {**described, "ais": []})["ais"].append(
            {
                "ai": search.aiId,
                "connected": sources.isHere(search.aiId),
                **_told(search),
                "samples": search.samples(arguments.get("samples", 64)),
            }
        )
    return [*found.values()]


def _overview(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    """The first glance, with who works on what."""
    head = sources.log.head
    working = []
    for aiId in sources.directory.ais:
        search = sources.searches.lastOf(aiId)
        if search is not None and sources.isHere(aiId):
            working.append({"ai": aiId, "task": _task(search), **_told(search)})
    working.sort(key=lambda one: one["at"], reverse=True)
    here = sum(map(sources.isHere, sources.directory.ais))

    now = rfc3339(sources.wallClock())

    def read(reader: Reader) -> Any:
        told = overview(reader, sources.progress.tasks(reader, head), now)
        for event in told["events"]:
            if "task" in event:
                event["task"] = withWords(event["task"])
        return {"connected": here, **told, "working": working[:MAX_WORKING]}

    return sources.log.read(read)


def _traffic(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    return sources.traffic.asked()


def _sessions(sources: Sources, arguments: Mapping[str, Any]) -> Any:
    chosen = {"state": arguments.get("state"), "limit": arguments.get("limit", 100), "after": arguments.get("after")}

    def read(reader: Reader) -> Any:
        found, last = sessions.sessionPage(reader, **chosen, transcripts=arguments.get("transcripts") != "no")
        sessions.markHeld(reader, found)
        return {"sessions": found, "next": f"{last[0]!r}-{last[1]}" if last is not None else None}

    return sources.log.read(read)


_RESOURCES: dict[str, tuple[Callable[[Sources, Mapping[str, Any]], Any], dict[str, Callable[[str], Any]]]] = {
    "status": (_status, {}),
    "ais": (_ais, {"limit": partial(_upTo, MAX_AIS)}),
    "components": (
        _components,
        {
            "workbench": _text,
            "sort": partial(_oneOf, components.SORTS),
            "verdict": partial(_oneOf, components.STATES),
            "after": _position,
            "limit": _limit,
        },
    ),
    "progress": (_progress, {"trace_digest": _text, "samples": partial(_upTo, MAX_SAMPLES)}),
    "families": (_families, {}),
    "sites": (_sites, {"workbench": _text}),
    "overview": (_overview, {}),
    "patterns": (_patterns, {"type": _text, "limit": _limit}),
    "sessions": (
        _sessions,
        {
            "state": partial(_oneOf, sessions.SESSION_STATES),
            "transcripts": partial(_oneOf, ("yes", "no")),
            "after": _cursor,
            "limit": _limit,
        },
    ),
    "traffic": (_traffic, {}),
}
