"""
The hub: it logs what trainers share, acknowledges it, and passes it on.

  - ``storage/``: the log and all else that is stored, behind one interface for all engines
  - ``views/``: what is stored, as others see it: patterns, components, sessions, progress
  - ``auth/``: who may come in: tokens, certificates
  - ``routing/``: what each message means, and whom it concerns
  - ``connection/``: the clients: let in, served, told of what is committed
  - ``admin/``: what ``kernelnet`` commands ask of a running hub
  - ``web/``: its HTTP face: the dashboard, its API, metrics
  - `config`: what its options mean
  - `workbench_rules`: the workbenches that are installed here, and their rules
  - `composition`: all parts put together
  - `service`: that in its state directory, started and stopped in order
  - `tap`: the options of ``twistd kernelhub``

Each of these may import those above it, but ``views`` and ``auth`` don't know each other; `composition` alone knows
all parts.

A message's way: `connection.protocol` checks it, `routing.router` says in the reactor's thread whom it concerns and
what is to be written, `storage.event_log` has it written together with all else that came meanwhile, and after the
commit `connection.fan_out` acknowledges and delivers it.
"""
