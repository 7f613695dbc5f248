"""
The hub: it logs what trainers share, acknowledges it, and passes it on.

  - `tap`: options of ``twistd kernelhub``, and the service that starts and stops everything in order
  - `protocol`: one connection, from its first byte to its last
  - `greeting`: what a hello does, and how it is answered
  - `factory`: who is connected; what a commit means for all of them
  - `cursors`: a connection as a reader of the log: live, or lagging behind
  - `router`: what each logged message type means
  - `sessions`: collaborations, from offer to end
  - `knowledge`: patterns, components and reports, and the pages that newcomers get
  - `registry`: the AIs that are known, and which of them can do what
  - `tokens`: who may come in; `limits`: how much of everything anybody may have; `gate`: the limits applied
  - `log`: the durable, numbered sequence of messages; `commit`: what one transaction does; `events`: stretches of it
  - `database`, ``schema/``: the SQLite file, its pragmas, its versions; `integrity`: whether it is what the hub wrote
  - `storage`: whether the disk has room; `retention`: how long the log is kept
  - `backup`: copies of the database, made and gone back to; `restoring`: the same while the hub runs
  - `tls`: the port, and how what is written gets out quickly
  - `control`: the socket by which ``kernelnet`` commands talk to a running hub
  - `status`: what the hub says of itself

A message's way: `protocol` checks it, `router` says in the reactor's thread whom it concerns and what is to be
written, `log` writes it in the writer's thread together with all else that came meanwhile, and after the commit
`factory` acknowledges and delivers it.
"""
