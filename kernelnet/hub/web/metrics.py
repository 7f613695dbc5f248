"""
C{/metrics}: the hub's counters in Prometheus' text format, by the library of Prometheus itself.

No AI's id is a label: ids come from strangers, and each would be a series of its own for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from prometheus_client import generate_latest
from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from kernelnet.artifacts import ModelCosts
from kernelnet.hub.connection.search_history import SearchHistory
from kernelnet.hub.storage.latency_histogram import BOUNDS, LatencyHistogram
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.workbench_rules import installedRules
from kernelnet.wire import unixTime

__all__ = ["CONTENT_TYPE", "Learned", "learned", "render"]

CONTENT_TYPE = CONTENT_TYPE_LATEST.encode("ascii")

_LIMITS = {
    "refused": "Connections there was no room for.",
    "displaced": "Unauthenticated connections that went for newer ones.",
    "failed": "Failed authentications.",
    "unchecked": "Authentications that were not checked, because too many had failed.",
    "slowed": "How often somebody was read more slowly.",
}


class Learned(NamedTuple):
    """
    State of the learning.

    @ivar levels: by workbench: of the task on which most is confirmed, the level, and that of the hand-made policy that
        is best in hindsight, or C{None}.
    @ivar confirmedAt: Unix time of the last confirmation; C{None}: there was none.
    @ivar evaluations, rounds: number of those that AIs told of since the start.
    @ivar costs: of language models, as AIs that are remembered tell them.
    """

    levels: Mapping[str, tuple[float, float | None]]
    confirmedAt: float | None
    evaluations: int
    rounds: int
    costs: ModelCosts


def learned(reader: Reader, tasks: Iterable[Mapping[str, Any]], searches: SearchHistory, now: float) -> Learned:
    """
    In a reader's thread.

    @param tasks: see `kernelnet.hub.views.progress.progress`; of older rules, and of workbenches of which none are
        installed, none is counted: a name that a stranger gave is no label.
    @param now: Unix seconds.
    """
    names, levels = installedRules(), dict[str, tuple[float, float | None]]()
    for task in tasks:
        name, level = task["workbench"], task["steps"][-1]["level"]
        if name in names and not task["older_rules"] and (name not in levels or level > levels[name][0]):
            levels[name] = level, task["best_in_hindsight_level"]
    last = reader.reports.lastConfirmation()
    # It is of who confirmed it, whose clock may be ahead.
    at = min(now, unixTime(last)) if last is not None else None
    return Learned(levels, at, searches.evaluations, searches.rounds, searches.costs())


def render(
    status: Mapping[str, Any],
    found: Learned,
    *,
    startedAt: float,
    streams: int,
    slow: int,
    commits: LatencyHistogram,
) -> bytes:
    """
    @param found: see `learned`.
    @param status: see `kernelnet.hub.admin.status`.
    @param startedAt: Unix seconds.
    @param streams: number of readers of C{/api/events}.
    @param slow: number of connections that have fallen behind the log.
    @param commits: seconds that they took.
    """
    registry = CollectorRegistry()
    registry.register(_Hub(status, found, {"started": startedAt, "streams": streams, "slow": slow}, commits))
    ProcessCollector(namespace="kernelnet", registry=registry)
    return generate_latest(registry)


class _Hub(Collector):
    def __init__(
        self, status: Mapping[str, Any], found: Learned, more: Mapping[str, float], commits: LatencyHistogram
    ) -> None:
        self._status = status
        self._learned = found
        self._commits = commits
        self._more = more

    def collect(self) -> Iterable[Metric]:
        status, log, limits = self._status, self._status["log"], self._status["limits"]
        yield _labelled("messages", "Messages received since the start, by type.", "type", status["messages"])
        yield _labelled("errors", "Errors sent since the start, by code.", "code", status["errors"])
        for name, help_ in _LIMITS.items():
            yield CounterMetricFamily(f"kernelnet_connections_{name}", help_, value=limits[name])
        yield _gauges("stored", "What is stored, by kind.", "kind", status["stored"])
        yield _gauges("sessions", "Collaboration sessions, by state.", "state", status["sessions"])
        found = self._learned
        best = {name: level for name, (level, _) in found.levels.items()}
        hand = {name: level for name, (_, level) in found.levels.items() if level is not None}
        yield _gauges("best_level", "Best confirmed level on held-out, on its best task.", "workbench", best)
        yield _gauges(
            "best_in_hindsight_level", "Level of the best hand-made policy in hindsight, there.", "workbench", hand
        )
        for name, help_, count in (
            ("evaluations", "Candidates measured by searches since the start, as AIs tell.", found.evaluations),
            ("rounds", "Searches that ended since the start, as AIs tell.", found.rounds),
        ):
            yield CounterMetricFamily(f"kernelnet_{name}", help_, value=count)
        for name, help_, told in (
            ("llm_calls", "Calls of language models", found.costs.calls),
            ("llm_accepted", "Of these whose component the AI's own guard took", found.costs.accepted),
            ("llm_tokens", "Tokens of language models", found.costs.tokens),
            ("llm_usd", "USD of language models by list prices, where these are known", found.costs.usd or 0.0),
        ):
            yield GaugeMetricFamily(f"kernelnet_{name}", f"{help_}: of AIs of the last hour, as they tell.", value=told)
        if found.confirmedAt is not None:
            yield GaugeMetricFamily(
                "kernelnet_last_confirmation_time_seconds",
                "Unix time of the last confirmation, by the clock of who confirmed.",
                value=found.confirmedAt,
            )
        yield from _nodes(status["nodes"])
        yield _histogram("log_commit_seconds", "From a commit's begin to its being on disk.", self._commits)
        for name, help_, value in (
            ("start_time_seconds", "Unix time at which the hub started.", self._more["started"]),
            ("ais_connected", "AIs that are connected to this hub.", status["here"]),
            ("ais_known", "AIs that ever said hello.", status["known_ais"]),
            ("connections", "Open sockets.", status["connections"]),
            ("connections_unauthenticated", "Open sockets that are not authenticated.", limits["unauthenticated"]),
            ("connections_behind", "Connections that have fallen behind the log.", self._more["slow"]),
            ("event_streams", "Readers of /api/events.", self._more["streams"]),
            ("log_position", "The last committed message's number.", log["position"]),
            ("log_oldest", "The oldest message's number that can be read.", log["oldest"]),
            ("log_waiting", "Messages that wait to be committed.", log["waiting"]),
            ("log_full", "1 if the disk is too full for messages.", int(log["full"])),
        ):
            yield GaugeMetricFamily(f"kernelnet_{name}", help_, value=value)


def _nodes(nodes: Iterable[Mapping[str, Any]]) -> Iterable[Metric]:
    """The hubs that use the database: their names are the operator's; of one that is away it is told that it is."""
    there = {one["node"]: one for one in nodes if one["connections"] is not None}
    up = {one["node"]: int(one["node"] in there) for one in nodes}
    yield _gauges("node_up", "1 if this hub, of those that use the database, renews its lease.", "node", up)
    for name, help_, key in (
        ("node_draining", "1 if the operator wants nobody there.", None),
        ("node_ais", "AIs that are connected to it.", "ais"),
        ("node_connections", "Its open sockets.", "connections"),
        ("node_messages_per_second", "Messages that come in there a second.", "messages_per_second"),
        ("node_behind", "Messages in the log that it has not passed on.", "behind"),
    ):
        each = {node: one[key] if key else int(one["state"] == "draining") for node, one in there.items()}
        yield _gauges(name, help_, "node", each)


def _histogram(name: str, help_: str, durations: LatencyHistogram) -> Metric:
    bounds = [*map(floatToGoString, BOUNDS), "+Inf"]
    buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
    return HistogramMetricFamily(f"kernelnet_{name}", help_, buckets=buckets, sum_value=durations.seconds)


def _labelled(name: str, help_: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"kernelnet_{name}", help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _gauges(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"kernelnet_{name}", help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
