"""
The hub's HTTP face: a status API for programs, metrics, and pages for people.

  - `server`: where it listens, and what every answer has in common
  - `signin`: who may look: one-time links for browsers, tokens of viewers for programs
  - `api`: the resources under C{/api/}
  - `feed`: C{/api/events}, the log as server-sent events
  - `metrics`: C{/metrics} for Prometheus

It only reads.  What it says of components and AIs comes from strangers, and is sent as JSON text alone.
"""
