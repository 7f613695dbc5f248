"""
Meaning of each message, and whom it concerns.

  - `router`: each logged message type: what is stored of it, and to whom it goes
  - `payload_bounds`: how much of a payload is kept, or passed on beside what others said
  - `directory`: the AIs that are known, and which of them can do what
  - `collaboration_sessions`: collaborations, from offer to end
  - `session_transcripts`: steps that those who take part in one tell
"""
