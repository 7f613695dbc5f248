"""
Meaning of each message, and whom it concerns.

  - `router`: each logged message type: what is stored of it, and to whom it goes
  - `directory`: the AIs that are known, and which of them can do what
  - `collaboration_sessions`: collaborations, from offer to end
"""
