"""
Which language models are asked, how they are reached, and what they may cost.

They stand in C{llm.toml}::

    budget_usd = 2.0            # for this file's ledger, whatever is restarted

    [[models]]
    name = "some-model"
    base_url = "https://api.example.com/v1"
    key_env = "EXAMPLE_API_KEY" # or key_file = "key", mode 0600
    input_usd = 1.25            # list prices, USD for a million tokens
    output_usd = 10.0
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

__all__ = ["FILE", "Model", "Settings", "SettingsError", "chosen", "keyOf", "readSettings"]

FILE = "llm.toml"
"""Name of the settings' file in a trainer's folder."""

MAX_BYTES = 64 * 1024
"""Bytes of such a file."""

_Price = Annotated[float, Meta(ge=0, le=1e6)] | None
_Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class SettingsError(Exception):
    """The settings of the models can't be used; says what is wrong, and what would be right."""


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """
    One model of an OpenAI-compatible server.

    @ivar name: as the server calls it.
    @ivar base_url: of the server, such as C{http://localhost:11434/v1}.
    @ivar key_env: environment variable that has the key; C{key_file}: a file of mode 0600 that has it.
    @ivar input_usd, output_usd: list prices in USD for a million tokens; C{None}: unknown, which is not 0.
    @ivar reasoning: it takes C{max_completion_tokens} and no temperature.
    @ivar answer_tokens: maximum number of tokens of an answer, those of its reasoning included.
    @ivar seconds: that an answer may take.
    """

    name: _Text
    base_url: _Text = "https://api.openai.com/v1"
    key_env: Annotated[str, Meta(max_length=200)] = ""
    key_file: Annotated[str, Meta(max_length=1000)] = ""
    input_usd: _Price = None
    output_usd: _Price = None
    reasoning: bool = False
    answer_tokens: Annotated[int, Meta(ge=256, le=1_000_000)] = 16_384
    seconds: Annotated[float, Meta(ge=1, le=3600)] = 300.0

    @property
    def isPriced(self) -> bool:
        return self.input_usd is not None and self.output_usd is not None

    def cost(self, inputTokens: int, outputTokens: int) -> float | None:
        """USD by list price; C{None}: it has none."""
        if self.input_usd is None or self.output_usd is None:
            return None
        return (inputTokens * self.input_usd + outputTokens * self.output_usd) / 1e6


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """
    @ivar models: at least one.
    @ivar budget_usd, budget_tokens: that all calls of one ledger may cost together; C{None}: unbounded.
    """

    models: Annotated[tuple[Model, ...], Meta(min_length=1, max_length=8)]
    budget_usd: Annotated[float, Meta(gt=0, le=1e6)] | None = None
    budget_tokens: Annotated[int, Meta(gt=0, le=10**12)] | None = None


def readSettings(path: Path) -> Settings:
    """
    Settings in a file; paths of keys in it are from its folder on.

    @raise SettingsError: it can't be read, others can write it, or it has something wrong in it.
    """
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"can't read {path}: {error.strerror}") from None
    if mode & 0o077:
        # Whoever writes it chooses the server that our key is sent to.
        raise SettingsError(f"others can read or write {path} (mode {mode & 0o7777:04o}): chmod 600 {path}")
    if len(data) > MAX_BYTES:
        raise SettingsError(f"{path} has more than {MAX_BYTES} bytes")
    try:
        settings = msgspec.convert(tomllib.loads(data.decode()), Settings)
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from None
    at = path.absolute().parent
    models = [
        msgspec.structs.replace(model, key_file=str(at / model.key_file) if model.key_file else "")
        for model in settings.models
    ]
    return msgspec.structs.replace(settings, models=tuple(models))


def chosen(
    file: Path | None,
    *,
    model: str | None = None,
    baseUrl: str | None = None,
    budget: float | None = None,
    tokens: int | None = None,
) -> Settings:
    """
    Settings of a file, or of one model without a file, and what was said besides.

    @param model: only this one of the file's, or the one there is.
    @param budget: USD; C{tokens}: in place of what the file says.
    @raise SettingsError: there are none, or they don't agree.
    """
    if file is not None:
        settings = readSettings(file)
        if model is not None:
            models = tuple(one for one in settings.models if one.name == model)
            if not models:
                there = ", ".join(one.name for one in settings.models)
                raise SettingsError(f"{file} has no model {model!r}; it has {there}")
            settings = msgspec.structs.replace(settings, models=models)
    elif model is None:
        raise SettingsError(f"no model is chosen: name one by --llm-model, or write {FILE} (kernelnet llm --help)")
    else:
        settings = _converted({"models": [{"name": model}]})
    if baseUrl is not None:
        if len(settings.models) != 1:
            raise SettingsError("--llm-base-url is of one model: name it by --llm-model")
        only = msgspec.structs.replace(settings.models[0], base_url=baseUrl)
        settings = msgspec.structs.replace(settings, models=(only,))
    if budget is not None:
        settings = msgspec.structs.replace(settings, budget_usd=budget)
    if tokens is not None:
        settings = msgspec.structs.replace(settings, budget_tokens=tokens)
    settings = _converted(msgspec.to_builtins(settings))
    for one in settings.models:
        _check(one, settings)
    return settings


def _converted(values: object) -> Settings:
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from None


def _check(model: Model, settings: Settings) -> None:
    url = urlsplit(model.base_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise SettingsError(
            f"{model.base_url[:80]!r} is no address of a server: one is such as http://localhost:11434/v1"
        )
    if url.username or url.password:
        raise SettingsError(f"the address of {model.name} has a password in it: give the key by key_env or key_file")
    if url.scheme == "http" and not _isHere(url.hostname):
        raise SettingsError(f"{model.name} is at {url.hostname} over plain http, which shows the key to all: use https")
    if settings.budget_usd is not None and not model.isPriced:
        raise SettingsError(
            f"a budget in USD needs prices, and those of {model.name} are unknown: give input_usd and output_usd in"
            f" {FILE}, or a budget in tokens"
        )
    if settings.budget_usd is None and settings.budget_tokens is None and not _isHere(url.hostname):
        raise SettingsError(
            f"{model.name} is at {url.hostname}, where calls may cost money: give a budget, in USD or in tokens"
        )


def _isHere(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keyOf(model: Model, environment: Mapping[str, str] = os.environ) -> str:
    """
    Key of a model; a server on this machine needs none.

    @raise SettingsError: it is missing, or others can read it; no text of it has the key.
    """
    if model.key_file:
        # not before: as a plugin this is loaded by every twistd, before it can be interrupted well
        from kernelnet.identity.errors import IdentityError
        from kernelnet.identity.secret import readToken

        try:
            return readToken(Path(model.key_file), "key")
        except IdentityError as error:
            raise SettingsError(str(error)) from None
    name = model.key_env or "OPENAI_API_KEY"
    # OPENAI_API_KEY is nobody's but OpenAI's, unless it was named.
    isFor = bool(model.key_env) or urlsplit(model.base_url).hostname == "api.openai.com"
    if isFor and (key := environment.get(name, "").strip()):
        return key
    if model.key_env:
        raise SettingsError(f"the key of {model.name} is missing: set {name}, or give a key_file")
    if _isHere(urlsplit(model.base_url).hostname or ""):
        return "none"
    raise SettingsError(f"the key of {model.name} is missing: say by key_env or key_file in {FILE} where it is")
