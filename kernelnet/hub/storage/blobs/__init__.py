"""
Blobs, too large for a line: kept by the digest of their bytes, beside the database or, on a server, in it.

  - `store`: the interface behind which blobs are kept, and what is copied from one to another
  - `memory`: blobs in memory
  - `files`: blobs as files of the state directory; on a server `kernelnet.hub.storage.postgres.blobs` keeps them
  - `examination`: them counted and checked, for commands
  - `shelf`: who offers which blob, and how much of it is taken; `options`: of the command line, for that

`shelf` alone decides what is kept; a store keeps what it is told to.
"""
