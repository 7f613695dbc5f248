"""
One AI: it learns, builds, shares, measures again, collaborates.

From bottom to top; each imports only what stands above it in this list:

  - C{errors}: why a trainer ended; C{profile}: `Profile`, who it is
  - C{storage}: the SQLite file, and what stands in it: outbox, knowledge, with jobs, sessions and cursor of those above
  - C{connection}: the connection to the hub, which knows nothing of the rest: `storage` and it don't know each other
  - C{work}: rounds of the own search, and jobs that messages gave to it, claims to verify among them
  - C{collaboration}: sessions with a peer, whose work is such a job
  - C{messaging}: what the hub's messages mean; whom the connection serves
  - C{progress}: what is shown of all this
  - C{goodbye}: the last seconds of all this
  - C{service}: `Trainer`, which alone knows all parts and hands each the few that it needs
  - C{tap}: C{twistd kerneltrainer}, options and wiring; C{api}: the same as a Python object
  - C{training}: the old address of what is in `kernelnet.learning` now

Learning itself, without a hub, is `kernelnet.learning`.
"""
