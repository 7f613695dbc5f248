"""
The statements of `kernelnet.hub.storage.statements` in SQL that SQLite and PostgreSQL both take.

Each engine gives an `Execute` of its own, and what they can't say alike (`Dialect`).

  - `execution`: how statements are executed, and what differs
  - `transaction`: `SqlReader`, `SqlTransaction`, and the commit
  - `log`: what is asked of the log, and the marks by which retention goes
  - `access`, `owners`, `certificates`, `sessions`, `patterns`, `components`, `reports`, `observations`: the other
    groups
"""
