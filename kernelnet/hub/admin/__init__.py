"""
Commands of an operator to a running hub.

  - `control_server`: the socket by which ``kernelnet`` commands talk to it
  - `control_client`: the commands' side of it, also while no hub runs
  - `status`: the hub's own account of how it stands
  - `online_backup`: a backup made, and gone back to, while it runs
"""
