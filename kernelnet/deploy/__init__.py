"""
Deployments: exports put to use on this machine.

  - C{sqlite}: in SQLite, of a Python program or of a command
"""
