"""
Authentication: who a client is, by its token; and the certificate by which the hub shows itself.

  - `tokens`: tokens by their hash: checked, given, rotated, revoked
  - `authenticator`: handshakes answered by these
  - `token_commands`: the commands about tokens, each done within one transaction
  - `signing`: certificates for the keys that verdicts are signed with, and the list of those that were revoked
  - `certificates`: the hub's certificate: made, renewed, or an operator's own
"""
