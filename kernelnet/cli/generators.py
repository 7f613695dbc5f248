"""C{kernelnet generators}: what can write components, and what can drive a trainer."""

from __future__ import annotations

import json

import click

from kernelnet.cli.common import jsonOption
from kernelnet.cli.tables import Column, printRows
from kernelnet.interfaces import IComponentGenerator, ILocalTrainerMaker
from kernelnet.plugins import available

__all__ = ["generators"]


@click.command()
@jsonOption
def generators(asJson: bool) -> None:
    """List what can write components, and what can drive a trainer: the names --generator and --local-trainer take."""
    found = {
        title: [(plugin.name, plugin.description) for plugin in available(kind)]
        for title, kind in (("generators", IComponentGenerator), ("local trainers", ILocalTrainerMaker))
    }
    if asJson:
        described = {
            title.replace(" ", "_"): [{"name": name, "description": words} for name, words in plugins]
            for title, plugins in found.items()
        }
        click.echo(json.dumps(described, indent=2))
        return
    for number, (title, plugins) in enumerate(found.items()):
        if number:
            click.echo()
        printRows((Column("name"), Column("description", least=12)), plugins, title)
