"""
A component as the page cache of SQLite, in this process or in a command.

  - C{installation}: puts it there, before C{sqlite3} is imported
  - C{tracing}: what a program asks of it
  - C{measurement}: SQL with SQLite's own cache and with the component's, by C{runner.c}
"""

from kernelnet.deploy.sqlite.installation import DeployError, install

__all__ = ["DeployError", "install"]
