"""
What every engine of the hub's storage promises, in tests that run on each of them (`tests.hub.databases.ENGINES`).

  - `support`: the test case, with works, messages and rows to write
  - `test_protocols`: an engine, its reader and its transaction have all that is asked for
  - `test_commits`: works in one transaction, and what becomes of those that fail
  - `test_engine`: opened, closed, errors, damage
  - `test_backups`: made and gone back to, where an engine has them
  - `test_log`: numbers, repetitions, pages, what is asked of the log
  - `test_marks`: marks, and the log's beginning removed
  - `test_access`: tokens, and AIs that said hello
  - `test_sessions`: collaborations
  - `test_patterns`, `test_components`, `test_reports`: the projections
  - `test_alike`: any works leave the same as in memory
"""
