"""
Blobs, too large for a line: kept by the digest of their bytes, beside the database or, on a server, in it.

  - `store`: the interface behind which blobs are kept, and what is copied from one to another
  - `memory`: blobs in memory
  - `files`: blobs as files of the state directory; on a server `kernelnet.hub.storage.postgres.blobs` keeps them
  - `examination`: them counted and checked, for commands
  - `shelf`: how much of what is offered is taken, and kept; `offers`: who offers which blob, and as which trace
  - `options`: of the command line, for the shelf

`shelf` alone decides what is kept; a store keeps what it is told to.
"""
