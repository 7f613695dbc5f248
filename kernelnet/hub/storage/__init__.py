"""
The log and all else that is stored, whichever engine has it.

  - `engine`: the interface behind which a database's ways stand
  - `transaction`: what may be read, and what may be written in one commit; `Work`, which is written
  - ``statements/``: the named statements, all that is asked of a database
  - `group_commit`: how an engine applies many works in one transaction
  - `fair_queue`: whose works come next, by what those of each AI have cost
  - ``sql/``: these in SQL, for the engines whose databases speak it
  - ``sqlite/``: the engine on an SQLite file
  - ``postgres/``: the engine on PostgreSQL
  - ``memory/``: the engine in memory
  - ``blobs/``: all that is too large for a line, beside the database
  - `high_water`: the highest number that was given out, kept outside the database
  - `cluster`: the other hubs that use the same database
  - `operation`: these for their operator's commands
  - `schemas`: the SQL of an engine's schema versions
  - `event_log`: the durable, numbered sequence of messages, for everybody else
  - `log_pages`: stretches of the log as its readers see them
  - `retention`, `retention_policy`: the log's beginning removed in time, and the options for that
  - `disk_space`: whether the disk has room, and the check of all rows after an unclean end
  - `integrity`: digests and checksums of the log's rows
  - `latency_histogram`: durations counted in buckets
  - `offline`: the database read, or written, by a command
  - `errors`: errors of the database, whichever engine has it
"""
