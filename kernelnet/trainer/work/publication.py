"""
`Publisher`: what was made here is kept and said, in one transaction with all else that comes of it.

Nothing is judged here.  A component has passed the guard of `kernelnet.learning` before it is published.
"""

from __future__ import annotations

from collections.abc import Callable

from kernelnet.artifacts import CodeBlock, Component, Pattern
from kernelnet.message import CodeShare, ComponentReference, ComponentShare, MessageType, PatternShare
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox

__all__ = ["Publisher"]

Reference = Callable[[Component], Component | None]


class Publisher:
    """
    Says what one trainer has made.

    @param aiId: whose it is.
    @param reference: has a source sent that is too large for a peer, and gives the component without; else C{None}.
    """

    def __init__(self, aiId: str, knowledge: KnowledgeBase, outbox: Outbox, reference: Reference) -> None:
        self._aiId = aiId
        self._reference = reference
        self._knowledge = knowledge
        self._outbox = outbox

    def publishComponent(
        self, share: ComponentShare, changes: Changes, target: str | None = None, level: float | None = None
    ) -> None:
        """
        Keep a component of our own, which counts as confirmed, and share it.

        @param share: the component, and what it is an answer to.
        @param target: whom it is for; C{None}: all.
        @param level: on validation, as measured again here.
        """
        # What completes a session has to be in the line, as far as it goes.
        reference = self._reference(share.component) if share.session_id is None else None
        self._knowledge.addComponent(self._aiId, reference or share.component, changes, level)
        if reference is None:
            self._outbox.say(MessageType.OS_COMPONENT_SHARE, share, changes, target)
        else:
            said = ComponentReference(reference, share.original_requestor, share.feature_name)
            self._outbox.say(MessageType.OS_COMPONENT_REFERENCE, said, changes, target)

    def sharePattern(self, pattern: Pattern, changes: Changes) -> bool:
        """Keep a pattern of our own and share it with all.  @return: C{False}: it was shared before."""
        if (self._aiId, pattern.id) in self._knowledge.patterns:
            return False
        self._knowledge.addPattern(self._aiId, pattern, changes)
        self._outbox.say(MessageType.PATTERN_SHARE, PatternShare(pattern=pattern), changes)
        return True

    def shareBlock(self, block: CodeBlock, changes: Changes) -> bool:
        """Keep a building block of our own and share it with all.  @return: C{False}: it was shared before."""
        if (self._aiId, block.id) in self._knowledge.blocks:
            return False
        self._knowledge.addBlock(self._aiId, block, changes)
        self._outbox.say(MessageType.CODE_SHARE, CodeShare(code=block), changes)
        return True
