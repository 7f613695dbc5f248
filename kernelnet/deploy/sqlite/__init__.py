"""
A component as the page cache of this process's SQLite.

  - C{installation}: puts it there, before C{sqlite3} is imported
"""

from kernelnet.deploy.sqlite.installation import DeployError, install

__all__ = ["DeployError", "install"]
