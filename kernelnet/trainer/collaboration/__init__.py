"""
Collaboration sessions, as one of the two who take part sees them.

  - C{sessions}: `Sessions`: when to accept, what becomes of a session, and what is said of its end; runs its work
  - C{offers}: `Offers`: requests of ours that are open, and when there is another
  - C{session_state}: `Session`, what is kept of each, and the words for its steps
  - C{notes}: `SessionNotes`: texts that the two write to each other while a session is active
  - C{proposals}: what is asked for, of each type of session
  - C{session_work}: the four steps that end in a component, or in a reason why there is none
  - C{expression_hints}: expressions that are given to a peer, and those that come from one
"""
