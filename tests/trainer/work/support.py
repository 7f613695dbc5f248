"""A trainer at work: what peers share and ask for, and its two loops until they have nothing more to do."""

from typing import Any, cast

import msgspec
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IReactorTime

from kernelnet.message import MessageType
from tests.trainer.support import TrainerTestCase, component


class WorkTestCase(TrainerTestCase):
    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.connect()
        yield self.hear(self.sync())
        self.lines()

    def share(self, name: str, sender: str = "AI_2", **more: Any) -> Deferred[None]:
        """A peer shares a component."""
        payload = {"component": msgspec.to_builtins(component(name, **more))}
        return self.hear(self.message(MessageType.OS_COMPONENT_SHARE, payload, sender=sender))

    def ask(self, feature: str, requestor: str = "AI_2", **requirements: Any) -> Deferred[None]:
        """A peer asks for a feature."""
        asked = {"original_request": {"feature": feature, "requirements": requirements}, "requestor": requestor}
        return self.hear(self.message(MessageType.FEATURE_REQUEST, asked, sender=requestor))

    @inlineCallbacks
    def settle(self) -> Any:
        """Run the loops until both wait, then stop them."""
        worker = self.trainer.worker
        self.clock.isHasty = True
        worker.start()
        while not (worker.isIdle and self.local.held):
            yield task.deferLater(cast(IReactorTime, reactor), 0)
        self.trainer.running = 0
        stopped = worker.stop()
        yield self.local.stop()
        yield stopped
        self.trainer.running = 1
        self.local.script = []
