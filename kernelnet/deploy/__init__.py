"""
Deployments: exports put to use on this machine.

  - C{sqlite}: in SQLite, of a Python program or of a command
  - C{bpf_tcp}: in the Linux kernel, as a congestion control
  - C{errors}: what can go wrong, in sentences
  - C{measurement}: what a measurement in a real system gave
"""
