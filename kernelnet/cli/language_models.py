"""C{kernelnet llm}: language models that write components; and the options by which they are chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console

from kernelnet.cli.arguments import Mistake
from kernelnet.cli.common import jsonOption, limitOption
from kernelnet.cli.tables import Column, plainConsole, printRows
from kernelnet.generators.llm.answer import CallFailed
from kernelnet.generators.llm.generator import modelsOf, withModels
from kernelnet.generators.llm.ledger import FILE as LEDGER
from kernelnet.generators.llm.ledger import Ledger, LedgerError
from kernelnet.generators.llm.prompt import Asking, Prompt
from kernelnet.generators.llm.settings import FILE, Model, Settings, SettingsError, chosen, keyOf
from kernelnet.identity import IdentityError, StateDirectory, defaultState
from kernelnet.interfaces import IComponentGenerator
from kernelnet.untrusted import plain

__all__ = ["asking", "ledgerBeside", "llm", "modelOptions", "printCosts"]

F = TypeVar("F", bound=Callable[..., Any])


def modelOptions(function: F) -> F:
    """The options that choose models, as one C{llmOptions}: see `asking`."""
    names = {"llm_config": "file", "llm_model": "model", "llm_base_url": "baseUrl", "llm_budget": "budget"}
    names["llm_tokens"] = "tokens"

    def collected(**options: Any) -> Any:
        return function(llmOptions={to: options.pop(name) for name, to in names.items()}, **options)

    collected.__doc__, collected.__name__ = function.__doc__, function.__name__
    collected.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Any = collected
    for option in (
        click.option("--llm-tokens", type=click.IntRange(1), default=None, help="Tokens that all calls may take."),
        click.option(
            "--llm-budget", type=click.FloatRange(0, 1e6, min_open=True), default=None, help="USD they may cost."
        ),
        click.option("--llm-base-url", default=None, help="Its server, such as http://localhost:11434/v1."),
        click.option("--llm-model", default=None, help="A language model to write structures."),
        click.option(
            "--llm-config", type=click.Path(path_type=Path, dir_okay=False), default=None, help=f"A {FILE} (mode 0600)."
        ),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def asking(generator: IComponentGenerator, options: dict[str, Any], ledger: Path) -> IComponentGenerator:
    """
    The generator with the models that options choose; as it is if they choose none.

    @param ledger: file of the calls.
    @raise Mistake: they don't fit together, or something is missing.
    """
    if all(value is None for value in options.values()) and generator.name != "llm":
        return generator
    try:
        found: IComponentGenerator = withModels(generator.name, modelsOf(chosen(**options), ledger))
    except (SettingsError, LedgerError) as error:
        raise Mistake(str(error)) from None
    return found


def ledgerBeside(out: Path) -> Path:
    """File of the calls of a search that writes C{out}."""
    return out.with_name(f"{out.name}.{LEDGER}")


def printCosts(path: Path, console: Console) -> None:
    """Print what all calls of a ledger did cost, if there is one."""
    if path.exists():
        totals = Ledger(path).totals()
        usd = "at an unknown price" if totals.usd is None else f"${totals.usd:.4f} by list price"
        console.print(
            f"language models: {totals.calls} calls, {totals.tokens} tokens, {usd}, of which {totals.accepted} passed"
            f" the guard; told by: kernelnet llm calls --ledger {path}",
            soft_wrap=True,
        )


@click.group()
def llm() -> None:
    """
    Language models that write components: what they cost, and whether they answer.

    \b
    A model is chosen by --llm-model and --llm-base-url, or in a file llm.toml (mode 0600):
      budget_usd = 2.0                # or budget_tokens
      [[models]]
      name = "some-model"
      base_url = "https://api.example.com/v1"
      key_env = "EXAMPLE_API_KEY"     # or key_file
      input_usd = 1.25                # list prices for a million tokens
      output_usd = 10.0
    Then: kernelnet bench train file_system --generator llm --llm-config llm.toml --out found.c
    """


@llm.command()
@modelOptions
@click.option("--dry-run", "dry", is_flag=True, help="Send nothing; tell what would be sent, and what it costs.")
@jsonOption
def check(llmOptions: dict[str, Any], dry: bool, asJson: bool) -> None:
    """Ask each model one short question: whether it answers, and what that and a usual call cost."""
    try:
        settings = chosen(**llmOptions)
        found = [_checked(model, settings, dry) for model in settings.models]
    except SettingsError as error:
        raise Mistake(str(error)) from None
    if asJson:
        click.echo(json.dumps(found, indent=2))
    else:
        console = plainConsole()
        for one in found:
            console.print(f"{one['model']} at {one['base_url']}: {one['told']}", soft_wrap=True)
    if any(one["failed"] for one in found):
        raise SystemExit(1)


_QUESTION = ({"role": "user", "content": "Answer with the one word: ready"},)
_USUAL = 12_000, 4_000
"""Tokens of a usual question with its answer, for an estimate."""


def _checked(model: Model, settings: Settings, dry: bool) -> dict[str, Any]:
    from kernelnet.generators.llm.client import ask

    usual = model.cost(*_USUAL)
    estimate = "its price is unknown" if usual is None else f"a usual call costs about ${usual:.3f}"
    told = {"model": model.name, "base_url": model.base_url, "usual_usd": usual, "failed": False}
    key = keyOf(model)
    small = msgspec.structs.replace(model, answer_tokens=256)
    if dry:
        prompt = Prompt(Asking.NEW, _QUESTION)
        words = f"would send {prompt.mostTokens} tokens at most: {_QUESTION[0]['content']!r}; {estimate}"
        return {**told, "told": words}
    try:
        answer = ask(small, key, _QUESTION)
    except CallFailed as error:
        return {**told, "failed": True, "told": f"no answer: {error}"}
    if answer.usage is None:
        usage = "it tells no usage, so each call counts as the most that it may take"
    else:
        cost = model.cost(*answer.usage)
        usage = f"{sum(answer.usage)} tokens" + ("" if cost is None else f", ${cost:.6f}")
    words = f"{plain(answer.text.strip(), 40)!r} from {answer.model or 'nobody'} in {answer.seconds:.1f} s; {usage}"
    return {**told, "told": f"{words}; {estimate}"}


@llm.command()
@click.option("--id", "aiId", default=None, help="Of this trainer.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), default=None, help="Its state directory.")
@click.option("--ledger", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Of this file.")
@limitOption
@jsonOption
def calls(aiId: str | None, state: Path | None, ledger: Path | None, limit: int, asJson: bool) -> None:
    """List calls, the newest first: what was asked when, what it did cost, and what became of it."""
    if (aiId is None) == (ledger is None):
        raise Mistake("say whose calls: --id of a trainer, or --ledger FILE of a search")
    try:
        path = ledger or StateDirectory(state or defaultState()).path / "trainers" / str(aiId) / LEDGER
        if not path.is_file():
            raise click.ClickException(f"no calls yet: there is no {path}")
        found, totals = Ledger(path).calls(limit), Ledger(path).totals()
    except (LedgerError, IdentityError) as error:
        raise click.ClickException(str(error)) from None
    if asJson:
        click.echo(json.dumps({"totals": totals.__dict__, "calls": [call.__dict__ for call in found]}, indent=2))
        return
    columns = (
        Column("call", right=True),
        Column("begun", leave=2),
        Column("model", least=8),
        Column("tokens", right=True),
        Column("USD", right=True),
        Column("seconds", right=True, leave=1),
        Column("what became of it", least=16),
    )
    rows = [
        (
            str(call.number),
            call.begun,
            plain(call.model),
            f"{'≤ ' if call.reserved else ''}{call.tokens}",
            "?" if call.usd is None else f"{'≤ ' if call.reserved else ''}{call.usd:.4f}",
            "–" if call.seconds is None else f"{call.seconds:.1f}",
            plain(call.outcome, 200),
        )
        for call in found
    ]
    printRows(columns, rows)
    printCosts(path, plainConsole())
