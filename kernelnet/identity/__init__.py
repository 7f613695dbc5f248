"""
Identity of hub and trainers: state directory, certificate authority, the hub's certificate, tokens, TLS options.

A fresh state directory gets all that a hub and the trainers of the same user need; nothing has to be
configured first::

    <state>/              0700, owned by the user who runs the hub
      ca.pem  ca.key      the certificate authority (ECDSA P-256, ten years)
      hub.pem hub.key     the hub's certificate, for localhost and the machine's names (one year)
      root.pem            while the hub runs with a certificate of the operator's PKI: its root
      join.token          lets a version 2 trainer enrol under a new ai_id (0600)
      hub_data.db  hub.sock  hub.pid  hub.log      the hub's own
      trainers/<ai_id>/   each trainer's own: credential, ca.pem from joining, trainer.db, trainer.log

C{certs/README.rst} explains each file and how it is made again.

  - C{errors}: `IdentityError`
  - C{secret}: tokens, their hashes, files for secrets, join strings
  - C{certificates}: the CA, what it signs, what a certificate says
  - C{state}: the state directory, and whether it is still there
  - C{tls}: TLS options of both ends
"""

from kernelnet.identity.certificates import RENEW_BEFORE
from kernelnet.identity.errors import IdentityError
from kernelnet.identity.secret import JoinString, isToken, newToken, readToken, tokenHash, writeSecret
from kernelnet.identity.state import FilesInPlace, StateDirectory, checkAiId, defaultState
from kernelnet.identity.tls import KeyAndChain, ReplaceableTLS, clientTLS, serverTLS, unverifiedTLS

__all__ = [
    "RENEW_BEFORE",
    "FilesInPlace",
    "IdentityError",
    "JoinString",
    "KeyAndChain",
    "ReplaceableTLS",
    "StateDirectory",
    "checkAiId",
    "clientTLS",
    "defaultState",
    "isToken",
    "newToken",
    "readToken",
    "serverTLS",
    "tokenHash",
    "unverifiedTLS",
    "writeSecret",
]
