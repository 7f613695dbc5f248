"""
The named statements: all that is asked of a database, a group for each kind of thing.

A group C{…Queries} reads; the group without that suffix writes, too.  A `kernelnet.hub.storage.transaction.Reader` has
the former, a `kernelnet.hub.storage.transaction.Transaction` the latter.  Each statement's docstring says all that an
engine must do; what is decided from the rows (who may enrol, how a session moves, what is best) is decided by callers.

For all of them:

  - What stands in a transaction before a statement is seen by it.
  - "By id" orders texts by their UTF-8 bytes (as SQLite's BINARY and PostgreSQL's "C" do).
  - Times are Unix seconds; C{timestamp} is what an author's clock said (RFC 3339).  Bodies are JSON, UTF-8.
  - An C{Iterator} may read as it goes on: it is used up or left within the function that was given the reader.

Modules:

  - `log`: the log's rows without their content, and the marks by which retention goes
  - `access`: tokens, and AIs that said hello
  - `owners`: owners of AIs, by whom votes are counted
  - `certificates`: certificates of the keys that AIs sign their verdicts with
  - `sessions`: collaborations
  - `patterns`: patterns that were shared
  - `components`: components and building blocks, and what verdicts say about them
  - `reports`: reports on components
  - `observations`: components at work, which no verdict depends on
"""
