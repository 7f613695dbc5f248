"""
Values that AIs learn, make and share: patterns, building blocks, components, and what is claimed of them.

Workbenches and generators make these; `kernelnet.message` carries them.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from kernelnet.families import Family
from kernelnet.observations import Observation
from kernelnet.provenance import ModelCosts, Provenance
from kernelnet.untrusted import Digest

__all__ = [
    "AI_ID",
    "MAX_HYPOTHESIS",
    "MAX_PROGRESS",
    "MAX_SOURCE",
    "SPECIALIZATIONS",
    "AiId",
    "Attestation",
    "Candidate",
    "Carrier",
    "CodeBlock",
    "Component",
    "Digest",
    "Hint",
    "Level",
    "Manifest",
    "ModelCosts",
    "Name",
    "OSFeature",
    "Pattern",
    "PerformanceReport",
    "Provenance",
    "Report",
    "SearchProgress",
    "Share",
    "Signature",
    "SplitScore",
    "TaskDescription",
    "Text",
    "Verdict",
    "Words",
]

AI_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""Pattern that an ``ai_id`` must match in full (``hub`` is reserved besides)."""

AiId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]

Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=4096)]
Words = list[Annotated[str, Meta(max_length=128)]]


SPECIALIZATIONS = (
    "general",
    "window_manager",
    "file_system",
    "process_manager",
    "security",
    "networking",
    "graphics",
    "audio",
    "performance",
)
"""The fields a trainer can work in."""


class OSFeature(Enum):
    """A part of an operating system that components are made for."""

    FILE_SYSTEM = "file_system"
    PROCESS_MANAGER = "process_manager"
    NETWORK_STACK = "network_stack"
    SECURITY = "security"
    WINDOW_MANAGER = "window_manager"
    GRAPHICS = "graphics"
    AUDIO = "audio"
    PERFORMANCE = "performance"


class Pattern(Struct, omit_defaults=True):
    """
    A regularity learned from a trace.

    @ivar type: its kind, such as C{"one_hit_share"}, C{"loop"} or C{"reuse_distance"}.
    @ivar confidence: 0–1, measured on data the pattern was not learned from.
    @ivar data: the kind's parameters, and C{trace_digest}, what it is about.
    """

    id: Name
    type: Name
    confidence: Share
    data: Any = {}
    specialization: Name = "general"


class CodeBlock(Struct, omit_defaults=True):
    """
    A building block without a claim: a parameter vector or a sub-expression.

    @ivar data: C{parameters} or C{expression}, and C{tasks}, what it was found for: C{trace_digest} and C{settings}.
    """

    id: Name
    type: Name = "parameters"
    data: Any = {}
    specialization: Name = "general"


class SplitScore(Struct, frozen=True, omit_defaults=True):
    """
    Cost of one part of a trace.

    @ivar events: how many trace events the part has.
    @ivar score: the workbench's cost, a whole number, lower is better (cache misses; microseconds).
    @ivar fuel: fuel units the run used in this part; comparable within one engine version only.
    @ivar metrics: further whole numbers that the workbench measures, by name, such as C{p99_wait_ms}.
    """

    events: int
    score: int
    fuel: int
    metrics: dict[str, int] = {}


class Report(Struct, frozen=True, omit_defaults=True):
    """
    One deterministic measurement: anybody who repeats it gets the same numbers to the unit.

    @ivar workbench_digest: SHA-256 of all that decides the score (driver, ABI, split rule).
    @ivar settings: the scenario's settings, e.g. C{{"capacity": 1024}}.
    @ivar engine: name and version of the WebAssembly engine.
    @ivar splits: `SplitScore` by name: C{train}, C{validation}, C{held_out}.
    @ivar parts: of a generalist's report, which is about several traces, one report for each trace.
    """

    workbench: str
    workbench_digest: str
    trace: str
    trace_digest: str
    settings: dict[str, int]
    engine: str
    splits: dict[str, SplitScore]
    parts: list[Report] = []


MAX_HYPOTHESIS = 1000
"""Characters of the longest hypothesis that goes with a component."""


class Manifest(Struct, omit_defaults=True):
    """
    Origin of a component, and what its author claims of it.

    @ivar parents: digests of the components it was made from.
    @ivar report: the claim; without one the component is unmeasured.
    @ivar hypothesis: why its author thought that it would be better, before it was measured.
    @ivar parameters: as its author says; what was measured is in the source, see `kernelnet.families.numbersOf`.
    @ivar family: what the source marks, whose values are C{parameters}; C{None}: it marks none.
    """

    source_sha256: Digest
    wasm_sha256: Digest
    abi: Name
    workbench: Name
    compiler: Text = ""
    generator: Text = ""
    seed: int = 0
    parameters: list[float] = []
    parents: list[Digest] = []
    report: Report | None = None
    provenance: Provenance | None = None
    hypothesis: Annotated[str, Meta(max_length=MAX_HYPOTHESIS)] = ""
    family: Family | None = None


MAX_SOURCE = 1 << 20
"""Bytes of the longest source that is compiled, in a line or as a blob."""


class Component(Struct, omit_defaults=True):
    """
    A policy: C source, its WebAssembly, how it was made and what it is said to score.

    Version 1 peers send C{id}, C{name} or C{component_name}, C{implementation}, C{specialization} only: such a
    component has no claim and can't be measured.

    @ivar implementation: the C source.
    @ivar source_size: bytes of a source that is too large for a line; then C{implementation} is empty, and the
        blob with the digest C{source_sha256} of the manifest is the source.
    @ivar wasm: the module (base64 in JSON), at most 64 KiB.
    @ivar development_level: the claimed share of the distance from the reference policy to the offline
        optimum that it closes on held-out data.
    """

    id: Name
    name: Name = ""
    component_name: Name = ""
    implementation: str = ""
    specialization: Name = "general"
    wasm: bytes = b""
    manifest: Manifest | None = None
    development_level: float | None = None
    capabilities: Words = []
    description: Text = ""
    source_size: Annotated[int, Meta(ge=0, le=MAX_SOURCE)] = 0

    @property
    def digest(self) -> str:
        """
        Digest that verdicts are about: SHA-256 (hex) over the SHA-256 of the source, of the module and of the claim.

        The claim is C{[report, development_level]}, behind them C{source_sha256, wasm_sha256, abi, workbench} where
        there is a manifest: all that a verdict depends on.  It is JSON without blanks, keys that authors choose sorted,
        fields in the order above, defaults left out; where none of it is there it adds nothing.  So the same bytes
        with another claim, or on another task, have verdicts of their own: none can be carried from a true claim to
        a false one, nor from a spoiled copy to the true one.

        A source that is a blob counts as none here, whether it has been read or not, since the manifest's SHA-256 of it
        counts; and then C{source_size} comes last, in decimal.
        """
        source, manifest = self.implementation.encode("utf-8"), self.manifest
        if self.source_size and manifest is not None and hashlib.sha256(source).hexdigest() == manifest.source_sha256:
            source = b""
        parts = [source, self.wasm]
        if manifest is not None or self.development_level is not None:
            claim: list[Any] = [manifest.report if manifest is not None else None, self.development_level]
            if manifest is not None:
                claim += [manifest.source_sha256, manifest.wasm_sha256, manifest.abi, manifest.workbench]
            parts.append(msgspec.json.encode(claim, order="deterministic"))
        if self.source_size:
            parts.append(b"%d" % self.source_size)
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    @property
    def claim(self) -> Report | None:
        """Report of its author: the scores that it is said to have."""
        return self.manifest.report if self.manifest is not None else None

    @property
    def title(self) -> str:
        return self.name or self.component_name or self.id


class Carrier(Struct, frozen=True):
    """
    A confirmed component of a peer's, by which its family came here.

    @ivar owner: of its author; where there is none, the author.
    @ivar family: digest of what its source marks; see `kernelnet.families`; empty: none, or nobody has looked.
    @ivar numbers: what others of the same family have for its parameters, as their sources say.
    """

    component: Component
    owner: str
    family: str = ""
    numbers: tuple[tuple[float, ...], ...] = ()


class Verdict(Enum):
    """Result of one AI when it measured a claim again; it binds only that AI."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNMEASURABLE = "unmeasurable"


@dataclass(frozen=True)
class Candidate:
    """
    A component as its generator sees it: not yet measured on anything but train.

    @ivar source: C, complete with all parameters; it includes the workbench's header.
    @ivar parents: digests of the components it was made from.
    @ivar parameters: numbers from which a generator of the same kind could go on; published in the manifest.
    @ivar note: what it is, in one line for people.
    @ivar provenance: of a source that a language model wrote.
    @ivar hypothesis: why it should be better, where its author said so; at most `MAX_HYPOTHESIS` characters.
    """

    source: str
    parents: tuple[str, ...] = ()
    parameters: tuple[float, ...] = ()
    note: str = ""
    provenance: Provenance | None = None
    hypothesis: str = ""


Base64 = r"^[A-Za-z0-9+/]*={0,2}\Z"


class Signature(Struct, forbid_unknown_fields=True):
    """
    A signature of an `Attestation`; all but C{keyid} in base64.

    @ivar keyid: SHA-256 of the key, as securesystemslib has it.
    @ivar certificate: the hub's for the key (X.509, DER).
    """

    keyid: Annotated[str, Meta(max_length=64)]
    sig: Annotated[str, Meta(max_length=128, pattern=Base64)]
    certificate: Annotated[str, Meta(max_length=2048, pattern=Base64)]


class Attestation(Struct, forbid_unknown_fields=True):
    """A signed statement of who measured a component: an in-toto statement in a DSSE envelope, in base64."""

    payload: Annotated[str, Meta(max_length=8192, pattern=Base64)]
    payloadType: Annotated[str, Meta(max_length=64)]
    signatures: Annotated[list[Signature], Meta(min_length=1, max_length=1)]


class PerformanceReport(Struct, omit_defaults=True):
    """
    Measurements of a component; with C{digest} and C{verdict} a re-measurement of its author's claim.

    With C{observation} it is neither: then it has C{digest}, and no C{performance}.  So a hub or a trainer that knows
    of no observations refuses the message, and can't take it for figures or a verdict.

    @ivar performance: metrics by name, such as C{development_level}; docs/reference/protocol.rst has them.
    @ivar attestation: the verdict, signed by who measured; whoever hands it on looks at its form alone.
    """

    component_id: Name
    performance: dict[str, Any] | UnsetType = UNSET
    digest: Digest | None = None
    verdict: Verdict | None = None
    reason: Text = ""
    observation: Observation | None = None
    attestation: Attestation | None = None

    @property
    def figures(self) -> dict[str, Any]:
        """C{performance}, where there is one."""
        return {} if self.performance is UNSET else self.performance

    @property
    def validationLevel(self) -> float | None:
        """Development level on validation, by which components for one task are ranked; C{None}: it isn't told."""
        level = self.figures.get("validation_level")
        return level if isinstance(level, float) and math.isfinite(level) else None


class TaskDescription(Struct, frozen=True):
    """
    Description of a task for people and peers: one trace at one setting of one workbench.

    @ivar trace: its name, for people; C{trace_digest}: hex SHA-256 of what the bench reads of it.
    @ivar settings: complete.
    """

    workbench: Name
    trace: str
    trace_digest: Digest
    settings: dict[str, int]


MAX_PROGRESS = 4096
"""Bytes of JSON of the longest `SearchProgress`."""

Level = Annotated[float, Meta(ge=-1e6, le=1e6)]
"""Share of the way from a workbench's reference to its optimum; what is worse than the reference is below 0."""


class SearchProgress(Struct, omit_defaults=True):
    """
    State of a search, told while it goes on; nobody measures it again.

    @ivar evaluations: number of candidates that were measured on this task since the trainer started.
    @ivar train: best level on the training part of the trace as it is; C{validation}: on the validation part.
    @ivar sessions: ids of the collaboration sessions that are worked on, or whose turn comes.
    @ivar rounds: number of searches of its own that have ended since the trainer started.
    @ivar costs: of the language models that it asks; C{None}: it asks none, or doesn't say.
    """

    task: TaskDescription
    evaluations: Annotated[int, Meta(ge=0, le=10**12)]
    train: Level | None = None
    validation: Level | None = None
    sessions: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=16)] = []
    rounds: Annotated[int, Meta(ge=0, le=10**9)] = 0
    costs: ModelCosts | None = None


class Hint(Struct, omit_defaults=True):
    """
    An expression that was found on one bench and is worth a try on another.

    @ivar by: who gave it; C{component}: the digest of that AI's component that it was taken from.
    """

    by: AiId
    workbench: Name
    component: Digest
    expression: Annotated[str, Meta(max_length=1000)]
