"""
Collaboration sessions, as one of the two who take part sees them.

  - C{sessions}: `Sessions`: whom to ask, when to accept, and what is said of a session's end
  - C{session_state}: `Session`, what is kept of each, and the words for its steps
  - C{proposals}: what is asked for, of each type of session
  - C{session_work}: the four steps that end in a component, or in a reason why there is none
  - C{expression_hints}: expressions that are given to a peer, and those that come from one
"""
