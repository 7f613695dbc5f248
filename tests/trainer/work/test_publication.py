"""Publishing: what was made here is kept and said in one transaction, once."""

from typing import Any

from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import CodeBlock, Pattern, Verdict
from kernelnet.message import ComponentShare, MessageType
from kernelnet.trainer.storage.database import Changes
from tests.trainer.messaging.test_source_sharing import large
from tests.trainer.support import component
from tests.trainer.work.support import WorkTestCase

T = MessageType


class PublisherTests(WorkTestCase):
    @inlineCallbacks
    def test_component(self) -> Any:
        """A component of our own is confirmed, may be built upon, and is said to all."""
        changes = Changes()
        made = component("mine")
        self.trainer.publisher.publishComponent(ComponentShare(component=made), changes)
        self.assertEqual(self.said(), [])
        yield self.trainer.outbox.commit(changes)
        (share,) = self.said()
        self.assertEqual((share.message_type, share.target_ai), (T.OS_COMPONENT_SHARE, None))
        self.assertEqual(share.payload["component"]["id"], "mine")
        known = self.trainer.knowledge.components[made.digest]
        self.assertEqual((known.source, known.verdict), ("AI_1", Verdict.CONFIRMED))
        stored = yield self.trainer.store.read("SELECT source, verdict FROM components")
        self.assertEqual(stored, [("AI_1", "confirmed")])

    @inlineCallbacks
    def test_answer(self) -> Any:
        """A component that is an answer goes to who asked, and says what it answers."""
        changes = Changes()
        share = ComponentShare(component=component("mine"), original_requestor="AI_2", feature_name="file_system")
        self.trainer.publisher.publishComponent(share, changes, target="AI_2")
        yield self.trainer.outbox.commit(changes)
        (said,) = self.said(T.OS_COMPONENT_SHARE)
        self.assertEqual((said.target_ai, said.payload["feature_name"]), ("AI_2", "file_system"))

    @inlineCallbacks
    def test_reference(self) -> Any:
        """One with a source too large for a peer goes by reference, which is kept; what ends a session in its line."""
        made = large(500_000)
        for share, kind in (
            (ComponentShare(component=made), T.OS_COMPONENT_REFERENCE),
            (ComponentShare(component=made, session_id="s", collaboration_complete=True), T.OS_COMPONENT_SHARE),
        ):
            changes = Changes()
            self.trainer.publisher.publishComponent(share, changes)
            yield self.trainer.outbox.commit(changes)
            (said,) = self.said()
            self.assertEqual(said.message_type, kind)
        ((_, known),) = self.trainer.knowledge.components.items()
        self.assertEqual((known.isReference, known.verdict), (True, Verdict.CONFIRMED))
        self.assertEqual(known.component.source_size, 500_000)
        self.assertEqual(self.trainer.knowledge.usable(), [])
        self.assertEqual(len([*(self.trainer.folder / "sources").iterdir()]), 1)

    @inlineCallbacks
    def test_once(self) -> Any:
        """A pattern or a building block is shared once; a peer's of the same id is no reason not to."""
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": {"id": "p", "type": "loop", "confidence": 0.5}}))
        yield self.hear(self.message(T.CODE_SHARE, {"code": {"id": "b", "data": {}}}))
        publisher = self.trainer.publisher
        changes = Changes()
        self.assertTrue(publisher.sharePattern(Pattern("p", "loop", 0.9), changes))
        self.assertFalse(publisher.sharePattern(Pattern("p", "loop", 0.9), changes))
        self.assertTrue(publisher.shareBlock(CodeBlock("b"), changes))
        self.assertFalse(publisher.shareBlock(CodeBlock("b"), changes))
        yield self.trainer.outbox.commit(changes)
        self.assertEqual([m.message_type for m in self.said()], [T.PATTERN_SHARE, T.CODE_SHARE])
        self.assertEqual(self.trainer.knowledge.patterns["AI_1", "p"].confidence, 0.9)
