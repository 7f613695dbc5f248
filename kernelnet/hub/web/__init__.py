"""
The hub's HTTP face: a status API for programs, metrics, and pages for people.

  - `server`: where it listens, and what every answer has in common
  - `visitors`: which connections it keeps, and how long it waits for a request
  - `signin`: who may look: one-time links for browsers, tokens of viewers for programs
  - `api`: the resources under C{/api/}
  - `answers`: what several viewers share of it
  - `history`: C{/api/traffic}, the last ten minutes
  - `feed`: C{/api/events}, the log as server-sent events
  - `metrics`: C{/metrics} for Prometheus

It only reads.  What it says of components and AIs comes from strangers, and is sent as JSON text alone.
"""
