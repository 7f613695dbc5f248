"""
The trainer's end of a connection to the hub; it knows neither what is stored nor what is learned.

  - C{config}: `TrainerConfig`, where the hub is, and as whom we come; C{addresses}: addresses that take turns
  - C{interfaces}: what a connection, its owner and whom it serves know of each other
  - C{protocol}: one connection: lines to messages, pings answered, what was wrong with a certificate
  - C{reconnect}: the reconnecting factory: connects again, there or elsewhere, after pauses that grow
  - C{credentials}: what a trainer proves itself with, and the CA that it trusts
  - C{root_discovery}: the first look at a hub on another machine
  - C{client}: `HubClient`, which puts these together and says the handshake
"""
