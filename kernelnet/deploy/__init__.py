"""
Deployments: exports put to use on this machine.

  - C{sqlite}: in the SQLite of a Python program
"""
