"""C{kernelnet verify}, and what C{components export --attest} writes: a component with its signed verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import click
import msgspec
from cryptography import x509
from msgspec import Meta, Struct

from kernelnet.artifacts import AiId, Attestation, Component, PerformanceReport, Verdict
from kernelnet.attestation import Checked, Finding, Trust, check
from kernelnet.cli.common import jsonOption, writeNew
from kernelnet.cli.tables import Column, printRows
from kernelnet.hub.auth.signing import revokedList
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views.components import MAX_ATTESTATIONS, Entry, attestationsOn
from kernelnet.identity import IdentityError, StateDirectory
from kernelnet.identity.certificates import readCertificates
from kernelnet.identity.signing import LIST_LIFETIME, Certifier
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.verification import Verifier
from kernelnet.plugins import available
from kernelnet.untrusted import plain

__all__ = ["Bundle", "bundleOf", "verify", "writeBundle"]

FORMAT = "kernelnet-attested-component-1"
MAX_FILE = 16 << 20
"""Bytes of the longest file that is read."""


class Bundle(Struct, omit_defaults=True):
    """
    A component with its signed verdicts.  Nobody has signed the frame: who the author is, is the exporter's word.

    @ivar format: C{FORMAT}.
    @ivar owner: the author's.
    @ivar unsigned: AIs whose verdict has no signature.
    @ivar revoked: the hub's list of revoked certificates (X.509 CRL, PEM); C{""}: it could make none.
    """

    format: str
    author: AiId
    component: Component
    attestations: Annotated[list[Attestation], Meta(max_length=2 * MAX_ATTESTATIONS)]
    owner: str | None = None
    unsigned: Annotated[list[AiId], Meta(max_length=2 * MAX_ATTESTATIONS)] = []
    revoked: str = ""


def bundleOf(reader: Reader, entry: Entry, state: StateDirectory) -> Bundle:
    """The bundle of a component; says on stderr what it lacks."""
    signed, unsigned = attestationsOn(reader, entry)
    revoked = ""
    try:
        revoked = revokedList(reader, Certifier(state.ca), datetime.now(UTC)).decode("ascii")
    except IdentityError as error:
        click.echo(f"without a list of revoked certificates: {error}", err=True)
    if not signed:
        click.echo(f"nobody has signed a verdict on {plain(entry.component.id)} yet", err=True)
    return Bundle(FORMAT, entry.author, entry.component, signed, entry.owners.get(entry.author), unsigned, revoked)


def writeBundle(bundle: Bundle, out: Path) -> None:
    """
    Write a bundle into a new file.

    @raise click.ClickException: it can't be written.
    """
    writeNew(out, msgspec.json.format(msgspec.json.encode(bundle), indent=1) + b"\n")
    count = len(bundle.attestations)
    click.echo(f"{out}: {plain(bundle.component.id)} of {bundle.author}, {count} signed verdict{'s' * (count != 1)}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The CA of the hub whose trainers you trust (its ca.pem).",
)
@click.option(
    "--crl",
    "lists",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A newer list of revoked certificates (kernelnet certs revoked); may be repeated.",
)
@click.option("--measure", is_flag=True, help="Measure the component again here, too: that needs nobody's word.")
@click.option(
    "--trace",
    "traces",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="With --measure: a trace of yours that it may be about [default: those that ship]; may be repeated.",
)
@jsonOption
def verify(
    *,
    file: Path,
    ca: Path | None,
    lists: tuple[Path, ...],
    measure: bool,
    traces: tuple[Path, ...],
    asJson: bool,
) -> None:
    """
    Check the signed verdicts on a component in FILE (kernelnet components export --attest), without any hub.

    Exit code 0: somebody whose word counts has confirmed it, and nobody refuted it; with --measure it is also as
    claimed here.
    """
    if traces and not measure:
        raise click.UsageError("--trace goes with --measure")
    bundle = _read(file)
    now = datetime.now(UTC)
    trust = _trust(bundle, ca, lists)
    digest = bundle.component.digest
    found = [check(one, digest, trust, now, author=bundle.author, owner=bundle.owner) for one in bundle.attestations]
    measured = _measured(bundle.component, traces) if measure else None
    confirmed, refuted = (_voices(found, verdict) for verdict in (Verdict.CONFIRMED, Verdict.REFUTED))
    isGood = bool(confirmed) and not refuted and (measured is None or measured.verdict is Verdict.CONFIRMED)
    if asJson:
        told = {
            "component": bundle.component.id,
            "digest": digest,
            "author": bundle.author,
            "confirmed": confirmed,
            "refuted": refuted,
            "verdicts": [_described(one) for one in found],
            "unsigned": bundle.unsigned,
            "revoked_list": f"{trust.newestList:%Y-%m-%dT%H:%M:%SZ}" if trust.newestList is not None else None,
            "measured": msgspec.to_builtins(measured) if measured is not None else None,
        }
        click.echo(json.dumps(told, indent=2))
    else:
        _show(bundle, found, trust, measured)
        click.echo(f"confirmed by {_named(confirmed)}; refuted by {_named(refuted)}")
    if not isGood:
        raise click.exceptions.Exit(1)


def _read(file: Path) -> Bundle:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise click.ClickException(f"{file} has more than {MAX_FILE >> 20} MiB: it is no export of a component")
        bundle = msgspec.json.decode(data, type=Bundle)
    except OSError as error:
        raise click.ClickException(f"can't read {file}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise click.ClickException(
            f"{file} is not what kernelnet components export --attest writes: {plain(str(error), 200)}"
        ) from None
    if bundle.format != FORMAT:
        raise click.ClickException(f"{file} is of the form {plain(bundle.format)!r}, this kernelnet reads {FORMAT}")
    return bundle


def _trust(bundle: Bundle, ca: Path | None, lists: Sequence[Path]) -> Trust:
    try:
        authorities = readCertificates(ca, "a CA file") if ca is not None else []
    except IdentityError as error:
        raise click.ClickException(str(error)) from None
    found = [_revokedList(path.read_bytes(), str(path)) for path in lists]
    if bundle.revoked:
        found.append(_revokedList(bundle.revoked.encode("utf-8"), "the file's own list of revoked certificates"))
    return Trust(authorities, found)


def _revokedList(pem: bytes, what: str) -> x509.CertificateRevocationList:
    try:
        return x509.load_pem_x509_crl(pem)
    except ValueError:
        raise click.ClickException(f"{what} is no list of revoked certificates (X.509 CRL in PEM)") from None


def _measured(component: Component, traces: Sequence[Path]) -> PerformanceReport:
    """The component measured again, on a trace that ships or on one of these."""
    installed = {bench.name: bench for bench in available(IWorkbench)}
    return Verifier(installed, lambda bench: [*traces] or [*bench.traces()]).verify(component)


def _voices(found: Sequence[Checked], verdict: Verdict) -> list[str]:
    """Owners, and AIs without one, whose word of this verdict counts."""
    counting = [one for one in found if one.finding is Finding.VALID and one.statement is not None]
    said = [one for one in counting if one.statement is not None and one.statement.predicate.verdict is verdict]
    return sorted({one.owner or one.signer for one in said})


def _named(voices: Sequence[str]) -> str:
    return ", ".join(voices) if voices else "nobody whose word counts"


def _described(one: Checked) -> dict[str, Any]:
    return {
        "finding": one.finding.value,
        "why": one.why,
        "signer": one.signer,
        "owner": one.owner,
        "certificate_until": f"{one.keyUntil:%Y-%m-%dT%H:%M:%SZ}" if one.keyUntil is not None else None,
        "statement": msgspec.to_builtins(one.statement) if one.statement is not None else None,
    }


def _show(bundle: Bundle, found: Sequence[Checked], trust: Trust, measured: PerformanceReport | None) -> None:
    click.echo(f"{plain(bundle.component.id)} of {bundle.author}, digest {bundle.component.digest}")
    columns = (
        Column("signer"),
        Column("owner", leave=2),
        Column("said"),
        Column("of", leave=3),
        Column("score", right=True, leave=1),
        Column("its word"),
    )
    rows = []
    for one in found:
        said = one.statement.predicate if one.statement is not None else None
        verdict, at = (said.verdict.value, plain(said.at)) if said is not None else ("?", "?")
        score = str(said.score) if said is not None and said.score is not None else "-"
        rows.append((plain(one.signer) or "?", plain(one.owner or "-"), verdict, at, score, one.finding.value))
    rows += [(aiId, "-", "?", "-", "-", Finding.UNSIGNED.value) for aiId in bundle.unsigned]
    printRows(columns, rows)
    for one in found:
        if one.why:
            click.echo(f"{plain(one.signer) or '?'}: {one.finding.value}: {one.why}")
    if any(one.finding is Finding.VALID for one in found):
        newest = trust.newestList
        if newest is None:
            click.echo("whether a certificate was revoked is not known: no list of this CA's is here (--crl)")
        else:
            old = "; there should be a newer list (--crl)" if datetime.now(UTC) - newest > LIST_LIFETIME else ""
            click.echo(f"none of those that count was revoked by {newest:%Y-%m-%d %H:%M} UTC{old}")
    if measured is not None:
        verdict = measured.verdict.value if measured.verdict is not None else "?"
        click.echo(f"measured here: {verdict}: {plain(measured.reason, 300)}")
