"""
Notes of a session: texts that the two who take part write to each other while it is active.

The hub keeps them in the session's transcript; here both see them until it has ended.  A trainer that searches by
itself reads none: they are for those who can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kernelnet.message import CollaborationResponse, MessageType, SessionStep
from kernelnet.trainer.collaboration.session_state import Session
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.untrusted import MAX_NOTE, MAX_NOTES

__all__ = ["NoteRefused", "SessionNotes"]


class NoteRefused(Exception):
    """A note that can't be said; one line, which says what would be right."""


class SessionNotes:
    """
    @param sessions: by id.
    @param keep: writes down what became of one.
    """

    def __init__(
        self,
        aiId: str,
        sessions: Mapping[str, Session],
        keep: Callable[[Session, Changes], None],
        outbox: Outbox,
    ) -> None:
        self._aiId = aiId
        self._sessions = sessions
        self._keep = keep
        self._outbox = outbox

    def left(self, session: Session) -> int:
        """Number of notes that may still be said in a session."""
        return MAX_NOTES - sum(note.by == self._aiId for note in session.notes)

    def say(self, sessionId: str, text: str, changes: Changes) -> None:
        """
        Say a note to the other, and to whoever reads the transcript.

        @raise NoteRefused: no such session is active, it has enough of them, or the text is none that it takes.
        """
        session = self._sessions.get(sessionId)
        if session is None or session.status != "active":
            raise NoteRefused(f"no session {sessionId[:80]!r} is active: a note belongs to one that is")
        if not text.strip() or len(text) > MAX_NOTE:
            raise NoteRefused(f"a note has 1 to {MAX_NOTE} characters, not {len(text)}")
        if self.left(session) <= 0:
            raise NoteRefused(f"you said {MAX_NOTES} notes in this session, and it takes no more")
        self._add(session, self._aiId, text, changes)
        note = CollaborationResponse(session.session_id, "note", text)
        self._outbox.say(MessageType.COLLABORATION_RESPONSE, note, changes)

    def came(self, sender: str, note: CollaborationResponse, changes: Changes) -> None:
        """Keep what the other said; of anybody else, and of a session that has ended, nothing is."""
        session = self._sessions.get(note.session_id)
        if session is None or session.status != "active" or sender != session.peer:
            return
        if sum(known.by == sender for known in session.notes) < MAX_NOTES:
            self._add(session, sender, note.reason[:MAX_NOTE], changes)

    def _add(self, session: Session, by: str, text: str, changes: Changes) -> None:
        session.notes = [*session.notes, SessionStep(by=by, what="note", note=text)]
        self._keep(session, changes)
