"""
Views of what is stored, as others are told of it: each is a function of a `kernelnet.hub.storage.transaction.Reader`.

  - `projections`: patterns, components and reports stored from messages, and read in the pages that newcomers get;
    `former_cursors`: where earlier hubs said that these go on
  - `components`: components with everybody's verdict and their lineage
  - `confirmations`: what those who confirmed a component say of it, and of hand-made policies
  - `progress`: the steps by which the best level on each task rose; `overview`: the first glance at all of them
  - `families`: of which structure the best are, and of how many owners
  - `sites`: where components and families were tried on trainers' own traces, and what came of it
  - `kept`: these two, until they change
  - `patterns`, `sessions`, `ais`: the same for patterns, collaborations, and AIs that said hello
"""
