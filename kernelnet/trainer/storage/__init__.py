"""
A trainer's own file and what stands in it.  Nothing else opens it: other parts hand SQL to C{Store} and C{Changes}.

  - C{database}: `Store`, the SQLite file, and `Changes`, what becomes durable together; its schema and upgrades
  - C{offline}: components in it, for a command that looks on
  - C{spool}: observations that commands leave for it; C{share_requests}: traces that they want shared
  - C{outbox}: messages until the hub has acked them: said within `Changes`, sent after their commit
  - C{bounded_table}: tables of what strangers sent, within a number of entries and of bytes
  - C{known_component}: a component as it is kept, with this trainer's own verdict
  - C{knowledge_base}: patterns, components with verdicts, building blocks, reports, and who is there
"""
