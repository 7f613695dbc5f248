"""
The hub's HTTP face: a status API for programs, metrics, and pages for people.

  - `server`: where it listens, and what every answer has in common
  - `readiness`: whether the hub takes messages, for a balancer; also while it starts
  - `connection_limits`: which connections it keeps, and how long it waits for a request
  - `signin`: who may look: one-time links for browsers, tokens of viewers for programs
  - `api`: the resources under C{/api/}
  - `task_words`: tasks with their settings in words
  - `response_cache`: what several viewers share of it
  - `traffic`: C{/api/traffic}, the last ten minutes
  - `event_stream`: C{/api/events}, the log as server-sent events
  - `metrics`: C{/metrics} for Prometheus
  - `error_pages`: what a browser is shown that is refused

It only reads.  What it says of components and AIs comes from strangers, and is sent as JSON text alone.
"""
