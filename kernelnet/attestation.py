"""
Attestations: verdicts as signed statements, which anybody can check without a hub.

A verdict is an in-toto statement (https://in-toto.io/Statement/v1) in a DSSE envelope, signed with the reporter's key
(Ed25519), with the certificate of that key beside the signature.  What each field means stands in
docs/reference/attestations.rst.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Meta, Struct
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from kernelnet.artifacts import (
    AiId,
    Attestation,
    Component,
    Digest,
    Name,
    PerformanceReport,
    Verdict,
)
from kernelnet.identity.signing import SigningKey, isIssuedBy, ownerOf, signerOf
from kernelnet.untrusted import plain

__all__ = ["PAYLOAD_TYPE", "PREDICATE_TYPE", "Checked", "Finding", "Statement", "Trust", "check", "sign"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:kernelnet:verdict:1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
CLAIM = "kernelnet-claim-1"
"""Name of the algorithm that makes a component's digest of it (`Component.digest`)."""

MAX_REASON = 300
"""Maximum number of characters of a verdict's reason in the statement."""
SKEW = timedelta(minutes=10)
"""Time by which clocks may differ: a statement may be that much older than its certificate, or from that far ahead."""

Short = Annotated[str, Meta(max_length=512)]


class Subject(Struct):
    """Something that a statement is about, by its digests."""

    name: Name
    digest: dict[str, str]


class Task(Struct):
    """
    The task that was measured.

    @ivar workbench_digest: of the bench's rules; C{trace_digest}: of the trace, of several that of all of them.
    """

    workbench: Name
    workbench_digest: Short
    trace: Short
    trace_digest: Short
    settings: dict[str, int]


class Predicate(Struct, omit_defaults=True):
    """
    The verdict.

    @ivar reporter: who measured.
    @ivar at: when, by the reporter's clock (RFC 3339).
    @ivar engine: that ran the module, with its version; C{""}: it came to no measurement.
    @ivar score: on held-out, in the bench's unit; C{events}, C{fuel}: there; C{development_level}: there.
    """

    reporter: AiId
    verdict: Verdict
    at: Short
    task: Task
    reason: Short = ""
    engine: Short = ""
    score: int | None = None
    events: int | None = None
    fuel: int | None = None
    development_level: float | None = None


class Statement(Struct, rename={"type_": "_type"}):
    """An in-toto statement with a verdict; the first subject is the component, the second its module."""

    type_: str
    subject: Annotated[list[Subject], Meta(min_length=1, max_length=2)]
    predicateType: str
    predicate: Predicate

    @property
    def component(self) -> str | None:
        """`Component.digest` of what it is about."""
        return self.subject[0].digest.get(CLAIM)


def sign(
    key: SigningKey, component: Component, report: PerformanceReport, reporter: str, now: datetime
) -> Attestation | None:
    """
    Sign one's own verdict.

    @return: C{None}: the component claims nothing, or the key has no certificate that is good now.
    """
    manifest, claim = component.manifest, component.claim
    if manifest is None or claim is None or report.verdict is None or key.certificate is None or not key.isGood(now):
        return None
    told = report.figures
    task = Task(claim.workbench, claim.workbench_digest, claim.trace, claim.trace_digest, dict(claim.settings))
    predicate = Predicate(
        reporter,
        report.verdict,
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        task,
        report.reason[:MAX_REASON],
        str(told.get("engine", "")),
        *(told.get(name) for name in ("score", "events", "fuel", "development_level")),
    )
    subjects = [
        Subject(component.id, {CLAIM: component.digest}),
        Subject("module.wasm", {"sha256": manifest.wasm_sha256}),
    ]
    statement = msgspec.json.encode(Statement(STATEMENT_TYPE, subjects, PREDICATE_TYPE, predicate))
    envelope = Envelope(statement, PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key.key))
    told = envelope.to_dict()
    certificate = base64.b64encode(key.certificate.public_bytes(Encoding.DER)).decode("ascii")
    for signature in told["signatures"]:
        signature["certificate"] = certificate
    try:
        return msgspec.convert(told, Attestation)
    except msgspec.ValidationError:
        return None  # such as a stranger's trace with an endless name: the verdict goes out unsigned


class Finding(Enum):
    """The outcome of a check; the value is a word for people."""

    VALID = "valid"
    UNSIGNED = "unsigned"
    ALTERED = "altered"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OTHER_COMPONENT = "other component"
    OTHER_SIGNER = "other signer"
    OWN = "own claim"


@dataclass(frozen=True)
class Checked:
    """
    An attestation that was checked.

    @ivar why: what is wrong, for people; C{""}: nothing.
    @ivar statement: what was said, whatever that is worth; C{None}: it can't be read.
    @ivar signer: whom the certificate names; C{owner}: whose AI that is, as it says; C{None}: it doesn't.
    @ivar keyUntil: when its certificate ends.
    """

    finding: Finding
    why: str = ""
    statement: Statement | None = None
    signer: str = ""
    owner: str | None = None
    keyUntil: datetime | None = None


class Trust:
    """
    Trust that a check begins with.

    @param authorities: certificates of hubs' authorities; without any everything is untrusted.
    @param lists: of revoked certificates.
    """

    def __init__(
        self, authorities: Sequence[x509.Certificate] = (), lists: Iterable[x509.CertificateRevocationList] = ()
    ) -> None:
        self._authorities = authorities
        self._lists = [
            (authority, one)
            for one in lists
            for authority in authorities
            if one.issuer == authority.subject and one.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
        ]

    def __repr__(self) -> str:
        return f"<Trust in {len(self._authorities)} authorities, {len(self._lists)} lists>"

    @property
    def newestList(self) -> datetime | None:
        """The time of the newest list of revoked certificates that counts; C{None}: there is none."""
        return max((one.last_update_utc for _, one in self._lists), default=None)

    def problem(self, certificate: x509.Certificate, now: datetime) -> tuple[Finding, str] | None:
        """The reason why a certificate is worth nothing; C{None}: it is worth something."""
        if not self._authorities:
            return Finding.UNTRUSTED, "no CA is given, so anybody may have signed it"
        authority = next((one for one in self._authorities if isIssuedBy(certificate, one)), None)
        if authority is None:
            return Finding.UNTRUSTED, "its certificate comes from another CA than the one given"
        for by, one in self._lists:
            if by is authority and (found := one.get_revoked_certificate_by_serial_number(certificate.serial_number)):
                return Finding.REVOKED, f"the hub revoked its certificate on {found.revocation_date_utc:%Y-%m-%d}"
        for what, its in (("its certificate", certificate), ("the CA's certificate", authority)):
            if now >= its.not_valid_after_utc:
                return Finding.EXPIRED, f"{what} expired on {its.not_valid_after_utc:%Y-%m-%d}"
            if now + SKEW < its.not_valid_before_utc:
                return Finding.EXPIRED, f"{what} is not good before {its.not_valid_before_utc:%Y-%m-%d}"
        return None


def check(
    attestation: Attestation, digest: Digest, trust: Trust, now: datetime, *, author: str = "", owner: str | None = None
) -> Checked:
    """
    Check one attestation, offline.

    @param digest: of the component that it should be about.
    @param author: of that component; C{owner}: the author's, where one is known: their verdicts confirm nothing.
    """
    try:
        envelope = Envelope.from_dict(msgspec.to_builtins(attestation))
        certificate = x509.load_der_x509_certificate(
            base64.b64decode(attestation.signatures[0].certificate, validate=True)
        )
        key = certificate.public_key()
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as e:
        return Checked(Finding.ALTERED, f"it can't be read: {plain(str(e), 100)}")
    try:
        statement = msgspec.json.decode(envelope.payload, type=Statement)
    except msgspec.MsgspecError as e:
        statement, why = None, f"its statement can't be read: {plain(str(e), 100)}"
    try:
        signer = signerOf(certificate)
    except ValueError:
        return Checked(Finding.UNTRUSTED, "its certificate is not one for signing verdicts", statement)
    whose = ownerOf(certificate)

    def found(finding: Finding, why: str = "") -> Checked:
        return Checked(finding, why, statement, signer, whose, certificate.not_valid_after_utc)

    if not isinstance(key, Ed25519PublicKey) or not _isSigned(envelope, key):
        return found(Finding.ALTERED, "the signature is of other bytes, or of another key than the certificate's")
    if statement is None:
        return found(Finding.ALTERED, why)
    if (problem := trust.problem(certificate, now)) is not None:
        return found(*problem)
    if envelope.payload_type != PAYLOAD_TYPE or (statement.type_, statement.predicateType) != (
        STATEMENT_TYPE,
        PREDICATE_TYPE,
    ):
        return found(Finding.OTHER_COMPONENT, f"it is a statement of another kind: {plain(statement.predicateType)}")
    said = statement.predicate
    if statement.component != digest:
        other = plain(str(statement.component), 16)
        return found(Finding.OTHER_COMPONENT, f"it is about the component {other}…, not about this one")
    if said.reporter != signer:
        return found(Finding.OTHER_SIGNER, f"it speaks for {said.reporter}, and is signed by {signer}")
    if not _isWithin(said.at, certificate, now):
        return found(Finding.EXPIRED, f"it says it is of {plain(said.at)}, when its certificate was not good")
    if signer == author or (owner is not None and whose == owner):
        return found(Finding.OWN, "it is of the author, or of another AI of the author's owner")
    return found(Finding.VALID)


def _isSigned(envelope: Envelope, key: Ed25519PublicKey) -> bool:
    public: Any = SSlibKey.from_crypto(key)
    try:
        envelope.verify([public], 1)
    except (VerificationError, ValueError):
        return False
    return True


def _isWithin(at: str, certificate: x509.Certificate, now: datetime) -> bool:
    """Whether a statement's time is one at which its certificate was good, and not still to come."""
    try:
        said = datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    first, last = certificate.not_valid_before_utc - SKEW, min(certificate.not_valid_after_utc, now) + SKEW
    return first <= said <= last
