"""C{twistd kerneltrainer}: options and wiring."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.application.service import IService
from twisted.python import usage
from twisted.python.failure import Failure

from kernelnet import interrupt, log_format
from kernelnet.artifacts import SPECIALIZATIONS
from kernelnet.daemon import (
    ServiceOptions,
    endIfInterrupted,
    endInTime,
    endWithFailure,
    forgetLostPidFile,
    placeFiles,
    refuse,
    refuseSecond,
    steadyTime,
)
from kernelnet.generators.llm import settings as llm_settings
from kernelnet.generators.llm.generator import modelsOf, withModels
from kernelnet.generators.llm.ledger import FILE as LEDGER
from kernelnet.generators.llm.ledger import LedgerError
from kernelnet.generators.llm.settings import SettingsError
from kernelnet.generators.llm.writer import Models
from kernelnet.identity import IdentityError, JoinString, StateDirectory, checkAiId, defaultState, readToken
from kernelnet.interfaces import IComponentGenerator, ILocalTrainer, ILocalTrainerMaker, IWorkbench
from kernelnet.plugins import PluginError, find
from kernelnet.size import parseSize
from kernelnet.trainer.connection.addresses import parseAddress

__all__ = ["Options", "makeService"]

NAME = "kerneltrainer"
END_WITHIN = 1.8
"""Seconds that a trainer takes at most to end when it is told to; what it would wait for it has written down."""

MAX_JOBS = 1024
EXTRA = ("wasmtime", "ziglang", "numpy")


class Options(ServiceOptions):
    """Options of C{twistd kerneltrainer}."""

    service = NAME
    synopsis = "[options] --id AI_1"
    longdesc = (
        "A trainer learns from workload traces, builds components, shares them through a hub and measures its "
        "peers' claims again. On the machine and under the user of the hub no other option is needed."
    )
    optParameters = [
        ["id", "i", None, "the trainer's ai_id"],
        ["specialization", "s", "general", f"one of {', '.join(SPECIALIZATIONS)}"],
        ["token-file", None, None, "file with this id's token [the credential in the state directory]"],
        ["join", None, None, "join string (`kernelnet tokens issue`); others see it in `ps`: prefer --join-file"],
        ["join-file", None, None, "file with the join string (mode 0600)"],
        ["ca", None, None, "certificate of the CA that the hub's must come from [ca.pem in the state directory]"],
        ["client-cert", None, None, "our certificate, for a hub that asks for one (PEM)"],
        ["client-key", None, None, "its private key [in the same file]"],
        ["generator", "g", "search", "the plugin that writes components; see `kernelnet generators`"],
        ["llm-config", None, None, "language models, in a file of mode 0600 [llm.toml in the trainer's folder]"],
        ["llm-model", None, None, "a language model that writes structures; see `kernelnet llm --help`"],
        ["llm-base-url", None, None, "its server, such as http://localhost:11434/v1"],
        ["llm-budget", None, None, "USD that all its calls may cost, restarts included"],
        ["llm-tokens", None, None, "tokens that they may take"],
        ["local-trainer", None, "integrated", "the plugin that does the learning"],
        ["jobs", "j", None, "modules that a search measures at once [one for each core]"],
        [
            "fetch-traces",
            None,
            "0",
            "bytes of traces fetched to measure peers' claims, such as 1GB [none]",
        ],
        ["minutes", "m", None, "end after so many minutes [never]"],
        ["seed", None, None, "a number that makes the search repeatable [random]"],
        ["state", None, None, "state directory [$XDG_DATA_HOME/kernelnet]"],
        *log_format.OPTIONS,
    ]
    compData = usage.Completions(optActions={"specialization": usage.CompleteList(list(SPECIALIZATIONS))})

    def __init__(self) -> None:
        endIfInterrupted()
        super().__init__()
        self["capabilities"] = []
        self["traces"] = []
        self["shared"] = []
        self["owners"] = []
        self["private-traces"] = []
        self["workbenches"] = []
        self["hubs"] = []

    def opt_hub(self, address: str) -> None:
        """host:port of the hub [localhost:6000]; repeated: others to try in turn when one can't be reached"""
        self["hubs"].append(address)

    def opt_capability(self, word: str) -> None:
        """a word for what this trainer can do besides its specialization; may be repeated"""
        self["capabilities"].append(word)

    def opt_workbench(self, name: str) -> None:
        """a workbench to train on [those of the specialization]; may be repeated"""
        self["workbenches"].append(name)

    def opt_trace(self, path: str) -> None:
        """a trace to learn from [those that ship]; may be repeated"""
        self["traces"].append(Path(path))

    def opt_share_trace(self, path: str) -> None:
        """a trace that peers may have, too: it is sent to the hub; may be repeated"""
        self["shared"].append(Path(path))

    def opt_fetch_owner(self, owner: str) -> None:
        """fetch traces of this owner's trainers only [anybody's]; may be repeated"""
        self["owners"].append(owner)

    def opt_private_trace(self, path: str) -> None:
        """a trace of which nothing is told but levels of peers' components, under a random name; may be repeated"""
        self["private-traces"].append(Path(path))

    def postOptions(self) -> None:
        missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
        if missing:
            refuse(NAME, f"{', '.join(missing)} missing: pip install 'kernelnet[trainer]'")
        try:
            self._check()
        except (IdentityError, PluginError, SettingsError, LedgerError, ValueError, OSError) as e:
            refuse(NAME, e)

    def _check(self) -> None:
        if not self["id"]:
            raise ValueError("--id is missing, such as --id AI_1")
        checkAiId(self["id"])
        if self["specialization"] not in SPECIALIZATIONS:
            raise ValueError(
                f"unknown specialization {self['specialization']!r}; there are: {', '.join(SPECIALIZATIONS)}"
            )
        self["addresses"] = tuple(parseAddress(hub) for hub in self["hubs"] or ["localhost:6000"])
        self["joining"] = self._joinString()
        if self["minutes"] is not None:
            self["minutes"] = _number("--minutes", self["minutes"], float, "minutes")
        if self["seed"] is not None and not self["seed"].isdecimal():
            raise ValueError(f"--seed takes a whole number, not {self['seed']!r}")
        if self["jobs"] is not None and not (self["jobs"].isdecimal() and 1 <= int(self["jobs"]) <= MAX_JOBS):
            raise ValueError(f"--jobs takes a whole number from 1 to {MAX_JOBS}, not {self['jobs']!r}")
        for trace in self["traces"]:
            if not trace.is_file():
                raise ValueError(f"no trace {trace}: --trace takes a file")
        for trace in self["shared"]:
            if not trace.is_file():
                raise ValueError(f"no trace {trace}: --share-trace takes a file")
        try:
            self["fetched"] = parseSize(self["fetch-traces"])
        except ValueError as e:
            raise ValueError(f"--fetch-traces takes {e}") from None
        for trace in self["private-traces"]:
            if not trace.is_file():
                raise ValueError(f"no trace {trace}: --private-trace takes a file")
            for option, others in (("--trace", self["traces"]), ("--share-trace", self["shared"])):
                if any(trace.samefile(one) for one in others):
                    raise ValueError(
                        f"{trace} is given by {option} and by --private-trace: give it by the latter alone"
                    )
        if self["client-key"] is not None and self["client-cert"] is None:
            raise ValueError("--client-key is the key of --client-cert, which is missing")
        for name in ("token-file", "ca", "client-cert", "client-key"):
            if self[name] is not None and not Path(self[name]).is_file():
                raise ValueError(f"no file {self[name]}: --{name} takes a file")
        find(IComponentGenerator, self["generator"], "generator")
        for name in self["workbenches"]:
            find(IWorkbench, name, "workbench")
        find(ILocalTrainerMaker, self["local-trainer"], "local trainer")
        self["directory"] = StateDirectory(Path(self["state"]) if self["state"] else defaultState())
        self["directory"].open()
        folder = self["directory"].trainer(self["id"])
        who = f"a trainer {self['id']}"
        self["models"] = self._models(folder)
        if self["private-traces"] and (self["models"] is not None or self["generator"] == "llm"):
            raise ValueError("--private-trace doesn't go with language models, whose servers would be told of it")
        refuseSecond(NAME, who, self["directory"], f"trainers/{self['id']}/lock", folder / "trainer.pid")
        placeFiles(self, folder, "trainer")
        log_format.chooseFormat(NAME, self)

    def _models(self, folder: Path) -> Models | None:
        """Language models that are asked; C{None}: none was chosen."""
        file = Path(self["llm-config"]) if self["llm-config"] else None
        if file is None and (folder / llm_settings.FILE).exists():
            file = folder / llm_settings.FILE
        said = [self[name] for name in ("llm-model", "llm-base-url", "llm-budget", "llm-tokens")]
        if file is None and self["generator"] != "llm" and all(one is None for one in said):
            return None
        model, baseUrl, budget, tokens = said
        settings = llm_settings.chosen(
            file,
            model=model,
            baseUrl=baseUrl,
            budget=None if budget is None else _number("--llm-budget", budget, float, "USD"),
            tokens=None if tokens is None else _number("--llm-tokens", tokens, int, "tokens"),
        )
        models = modelsOf(settings, folder.absolute() / LEDGER)
        withModels(self["generator"], models)
        return models

    def _joinString(self) -> JoinString | None:
        if sum(self[name] is not None for name in ("join", "join-file", "token-file")) > 1:
            raise ValueError("only one of --join, --join-file and --token-file makes sense")
        if self["join-file"] is not None:
            return JoinString.parse(readToken(Path(self["join-file"]), "join"))
        return JoinString.parse(self["join"]) if self["join"] is not None else None


def _path(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None


N = TypeVar("N", int, float)


def _number(option: str, text: str, kind: Callable[[str], N], unit: str) -> N:
    try:
        number = kind(text)
    except ValueError:
        number = kind("0")
    if not 0 < number < (1e6 if kind is float else 1e12):
        raise ValueError(f"{option} takes a number of {unit} over 0, not {text!r}")
    return number


def makeService(options: Any, local: ILocalTrainer | None = None) -> IService:
    """
    The trainer as a service; when it ends by itself, so does the process.

    @param local: what does the learning; C{None}: what the options say.
    """
    from twisted.internet import reactor

    from kernelnet.trainer.connection.config import TrainerConfig
    from kernelnet.trainer.service import Trainer

    # Whatever it makes later is for this user alone.
    os.umask(0o077)
    steadyTime(reactor)
    forgetLostPidFile(options, reactor)
    endInTime(reactor, END_WITHIN)
    generator = find(IComponentGenerator, options["generator"], "generator")
    if options["models"] is not None:
        generator = withModels(options["generator"], options["models"])
    if local is None:
        # Makers of third parties may be older than these.
        later: dict[str, Any] = {}
        if options["jobs"] is not None:
            later["jobs"] = int(options["jobs"])
        if options["private-traces"]:
            later["private"] = options["private-traces"]
        local = find(ILocalTrainerMaker, options["local-trainer"], "local trainer").make(
            options["specialization"],
            options["traces"],
            generator,
            int(options["seed"]) if options["seed"] is not None else None,
            options["id"],
            workbenches=options["workbenches"],
            **later,
        )
    config = TrainerConfig(
        aiId=options["id"],
        state=options["directory"],
        specialization=options["specialization"],
        capabilities=tuple(options["capabilities"]),
        hubs=options["addresses"],
        tokenFile=_path(options["token-file"]),
        join=options["joining"],
        caFile=_path(options["ca"]),
        clientCertificate=_path(options["client-cert"]),
        clientKey=_path(options["client-key"]),
        minutes=options["minutes"],
        sharedTraces=tuple(path.absolute() for path in options["shared"]),
        privateTraces=tuple(path.absolute() for path in options["private-traces"]),
        fetchTraces=options["fetched"],
        fetchOwners=tuple(options["owners"]),
    )
    trainer = Trainer(config, local, reactor, generator=options["generator"])

    def failed(reason: Failure) -> None:
        endWithFailure(reactor, f"{NAME}: {reason.value}")

    def ended(_: object) -> None:
        if trainer.client.factory.reached:
            reactor.stop()
            return
        where = ", ".join(map(str, config.hubs))
        reason = (
            f"its time is over, and it has reached no hub at {where}; what it found is kept, and goes out next time"
        )
        endWithFailure(reactor, f"{NAME}: {reason}")

    # the timer that ended it may fire within the reactor's own start
    trainer.ended.addCallbacks(lambda _: reactor.callLater(0, ended, None), failed)
    interrupt.throughReactor(reactor)
    service: IService = trainer
    return service
