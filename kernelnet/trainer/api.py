"""The trainer as a Python object, for programs of one's own: C{from kernelnet import NetworkedKernelTrainer}."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelnet.artifacts import SPECIALIZATIONS
from kernelnet.asyncio_bridge import inReactor
from kernelnet.identity import JoinString, StateDirectory, checkAiId, defaultState
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.learning.specializations import capabilitiesOf
from kernelnet.message import AiInfo
from kernelnet.trainer.connection.addresses import Address, parseAddress

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["NetworkedKernelTrainer"]


class NetworkedKernelTrainer:
    """
    A trainer that works with its peers through a hub.

    @param ai_id: who it is.
    @param specialization: one of `kernelnet.message.SPECIALIZATIONS`.
    @param auth_token: its own token; C{None}: the state directory's credential, or enrol with its join token.
    @param kernel_trainer: an `kernelnet.interfaces.ILocalTrainer`; C{None}: an `IntegratedKernelTrainer`.
    @param state: the state directory, C{None}: the user's.
    @param ca: the CA certificate to trust, C{None}: that from joining, else the state directory's.
    @param hubs: such as C{["a.example:6000", "b.example:6000"]}, tried in turn; instead of host and port.
    @param join: a join string from C{kernelnet tokens issue}; instead of a token.
    @param client_cert: our certificate, for a hub that asks for one; C{client_key}: its key, C{None}: in the same file.
    @raise kernelnet.identity.IdentityError: the id or the state directory is not as it must be.
    @raise ValueError: there is no such specialization, or an address is none.
    """

    def __init__(
        self,
        ai_id: str,
        specialization: str = "general",
        hub_host: str = "localhost",
        hub_port: int = 6000,
        auth_token: str | None = None,
        *,
        kernel_trainer: ILocalTrainer | None = None,
        state: Path | str | None = None,
        ca: Path | str | None = None,
        hubs: Sequence[str] = (),
        join: str | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        if specialization not in SPECIALIZATIONS:
            raise ValueError(f"unknown specialization {specialization!r}; there are: {', '.join(SPECIALIZATIONS)}")
        self.ai_id = checkAiId(ai_id)
        self.specialization = specialization
        self._hubs = tuple(parseAddress(hub) for hub in hubs) or (Address(hub_host, hub_port),)
        self.hub_host, self.hub_port = self._hubs[0]
        self.capabilities = capabilitiesOf(specialization)
        self.kernel_trainer = kernel_trainer or IntegratedKernelTrainer(specialization, author=ai_id)
        self._token = auth_token
        self._join = JoinString.parse(join) if join is not None else None
        self._ca = Path(ca) if ca is not None else None
        self._clientCertificate = client_cert
        self._clientKey = client_key
        self._state = StateDirectory(Path(state) if state is not None else defaultState())
        self._trainer: Trainer | None = None

    def __repr__(self) -> str:
        return f"<NetworkedKernelTrainer {self.ai_id} {self.specialization} {self._hubs[0]}>"

    @property
    def connected(self) -> bool:
        """Whether the hub has greeted us on the connection that is open now."""
        return self._trainer is not None and self._trainer.client.isGreeted

    @property
    def shared_knowledge(self) -> dict[str, Any]:
        """C{patterns}, C{components}, C{code} and C{benchmarks}, own and peers', as plain JSON values."""
        if self._trainer is None:
            return {"patterns": {}, "components": {}, "code": {}, "benchmarks": {}}
        return self._trainer.knowledge.shared()

    @property
    def collaboration_sessions(self) -> dict[str, dict[str, Any]]:
        """Session id → who with, of what type, in what state and how far."""
        if self._trainer is None:
            return {}
        return {
            id_: {
                "partner": s.peer,
                "type": s.type.value,
                "description": s.description,
                "status": s.status,
                "progress": s.progress,
                "partner_specialization": s.peer_specialization,
            }
            for id_, s in self._trainer.sessions.sessions.items()
        }

    def get_ai_info(self, ai_id: str) -> AiInfo | None:
        """Information that the hub last told of an AI, also of one that came later; C{None} if it never did."""
        return self._trainer.knowledge.ais.get(ai_id) if self._trainer is not None else None

    async def run_collaborative_training(self, duration_minutes: float = 1.0) -> dict[str, Any]:
        """
        Connect, train, share and collaborate for so long; a coroutine for C{asyncio.run} or Twisted.

        @return: how it went: C{connected}, whether a hub ever greeted it, and C{connected_seconds}, for how long;
            C{this_run}, with what was done in it: C{rounds}, C{built}, C{confirmed}, C{refuted}, C{unmeasurable},
            C{sessions}; besides all else that stands in C{docs/reference/python.rst}.
        @raise kernelnet.trainer.errors.TrainerFailed: credentials refused, taken over, an untrusted hub, a bad trace.
        """
        return await inReactor(lambda: self._run(duration_minutes))

    async def _run(self, minutes: float) -> dict[str, Any]:
        from twisted.internet import reactor

        from kernelnet.trainer.connection.config import TrainerConfig
        from kernelnet.trainer.service import Trainer

        self._state.open()
        config = TrainerConfig(
            aiId=self.ai_id,
            state=self._state,
            specialization=self.specialization,
            hubs=self._hubs,
            token=self._token,
            join=self._join,
            caFile=self._ca,
            clientCertificate=self._clientCertificate,
            clientKey=self._clientKey,
            minutes=minutes,
        )
        trainer = self._trainer = Trainer(config, self.kernel_trainer, reactor)
        ended = trainer.ended
        trainer.startService()
        try:
            await ended
            return trainer.progress.now()
        finally:
            await trainer.stopService()
