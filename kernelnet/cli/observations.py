"""Observations: what was measured where a component is at work, shown, and left for a trainer to share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from kernelnet.cli.tables import Column, printRows
from kernelnet.deploy.measurement import Measured, Measurement
from kernelnet.identity import IdentityError, StateDirectory, checkAiId, defaultState
from kernelnet.observations import MAX_OBSERVATION, Environment, Observation
from kernelnet.trainer.storage.spool import NO_SITE, Spool, SpooledObservation, SpoolFull
from kernelnet.untrusted import plain

__all__ = ["leave", "showObservations", "spoolOf", "trainerFolder"]


def showObservations(observations: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of what AIs told; of none nothing."""
    if not observations:
        return
    columns = (
        Column("seen at work by"),
        Column("where", least=12),
        Column("what ran", least=12),
        Column("score", right=True),
        Column("simulated", leave=1, right=True),
        Column("beside", least=12, leave=2),
        Column("unit"),
    )
    rows = []
    for one in observations:
        target = one.get("target") or one["workbench"] if one["environment"] == Environment.REAL.value else "simulator"
        where = [target, one.get("system"), one.get("hardware")]
        ran = [one.get("workload"), *(f"{name} {value}" for name, value in one.get("settings", {}).items())]
        score = one["component"]
        simulated = score.get("simulated")
        beside = ", ".join(f"{each['policy']} {each['score']:,.0f}" for each in one.get("beside", ()))
        rows.append(
            (
                *(
                    one["reporter"],
                    plain(", ".join(filter(None, where)), 100),
                    plain(", ".join(filter(None, ran)), 100),
                ),
                *(f"{score['score']:,.0f}", "" if simulated is None else f"{simulated:,.0f}"),
                *(plain(beside, 100), plain(one["unit"])),
            )
        )
    printRows(columns, rows)
    click.echo("seen at work: told by who ran it; nobody can repeat it, and no verdict depends on it")


def spoolOf(aiId: str, state: Path | None) -> Spool:
    """
    The spool of a trainer of this user.

    @raise click.ClickException: there is no such trainer.
    """
    return Spool(trainerFolder(aiId, state, "--share") / "spool")


def trainerFolder(aiId: str, state: Path | None, option: str) -> Path:
    """
    The folder of a trainer of this user.

    @param option: by which it was named.
    @raise click.ClickException: there is no such trainer.
    """
    try:
        folder = StateDirectory(state or defaultState()).path / "trainers" / checkAiId(aiId)
    except IdentityError as error:
        raise click.ClickException(str(error)) from None
    if not folder.is_dir():
        raise click.ClickException(
            f"there is no trainer {aiId} in {folder.parent}; {option} takes the id of one that was started here"
        )
    return folder


def leave(spool: Spool, measurement: Measurement, about: Mapping[str, Any]) -> Path:
    """
    Leave a measurement for a trainer.

    @param about: the export's manifest, which names the component where it was made of one.
    @raise click.ClickException: it can't be.
    """
    try:
        spooled = msgspec.convert(
            {
                "observation": _observation(measurement),
                "component": about.get("component"),
                "digest": about.get("digest"),
            },
            SpooledObservation,
            from_attributes=True,
        )
        size = len(msgspec.json.encode(spooled.observation))
        if size > MAX_OBSERVATION:
            raise click.ClickException(f"what was measured takes {size} bytes; {MAX_OBSERVATION} can be shared")
        return spool.put(spooled)
    except SpoolFull as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"can't leave it for the trainer: {error.strerror}") from None
    except ValueError as error:
        raise click.ClickException(f"what was measured can't be shared: {plain(str(error), 300)}") from None


def _observation(measurement: Measurement) -> Observation:
    return msgspec.convert(
        {
            "environment": Environment.REAL.value,
            "site": NO_SITE,
            "wasm_sha256": measurement.wasm_sha256,
            "workbench": measurement.workbench,
            "unit": measurement.unit,
            "component": _score(measurement.component),
            "beside": [_score(one) for one in measurement.beside[:16]],
            "target": measurement.target,
            "system": measurement.system[:128],
            "hardware": measurement.hardware[:128],
            "workload": measurement.workload[:128],
            "workload_digest": measurement.workload_digest or None,
            "settings": dict(measurement.settings),
            "runs": measurement.component.runs,
        },
        Observation,
    )


def _score(measured: Measured) -> dict[str, Any]:
    return {"policy": measured.name[:64], "score": measured.real, "simulated": measured.simulated}
