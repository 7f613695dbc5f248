"""
One AI: it learns, builds, shares, measures again, collaborates.

  - C{tap}: C{twistd kerneltrainer}, options and wiring; C{api}: the same as a Python object
  - C{service}: `Trainer`, which puts the parts together
  - C{factory}, C{protocol}: the connection to the hub; C{addresses}: where it may be, and when to try again
  - C{credentials}: what it proves itself with; C{joining}: the first look at a hub on another machine
  - C{delivery}: batches in their order, with what failed tried again; C{inbox}: what each message means
  - C{outbox}: what is said and not acked yet
  - C{knowledge}: what is known and with which verdict; C{store}: the SQLite file behind all of these
  - C{workshop}: the work, in two lanes; C{jobs}: what messages asked for, and whose turn it is
  - C{division}: which task a round is for; C{witnesses}: who measures which claim
  - C{collaboration}: sessions and their four steps
  - C{training}: learning itself, without a hub (`IntegratedKernelTrainer`)
  - C{specializations}: who can do what, and who complements whom
  - C{bridge}: lets it be awaited under plain asyncio
"""
