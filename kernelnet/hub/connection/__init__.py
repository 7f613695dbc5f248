"""
Connections of clients: let in, served, told of what is committed, and ended.

  - `interfaces`: what the parts here see of each other, and of a connection
  - `factory`: makes connections of the hub's port, or turns them away
  - `protocol`: one connection, from its first byte to its last; `context`: the parts that it needs
  - `hello`: what a hello does, and how it is answered
  - `connections`: who is connected; how all of them are closed for a while or for good
  - `other_nodes`: other hubs on the same database, and what their words mean here
  - `presence`: who is here, and what others are told of who comes and goes
  - `search_history`: what AIs that are here tell of their searches
  - `absence`: who has been gone for so long that others should not wait for it
  - `idleness`: who works on nothing of a session that it accepted
  - `fan_out`: what a commit means for all of them
  - `log_reader`: a connection as a reader of the log: live, or lagging behind
  - `back_pressure`: reasons for which a client is not read for a while
  - `liveness`: the silent are pinged, the dead dropped
  - `payload_shelf`: requests for what is too large for a line, answered
  - `limits`: how much of everything anybody may have; `rate_limits`: the counting; `admission`: both applied
  - `sockets`: options of a socket, and how many a process may have
  - `dual_stack`: the port, for IPv4 and IPv6
  - `buffered_tls`: the port's TLS, and how what is written gets out quickly
  - `handshake_turns`: so many TLS handshakes at once
"""
