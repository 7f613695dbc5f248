"""
Blobs, too large for a line: kept beside the database, by the digest of their bytes.

  - `store`: the interface behind which blobs are kept
  - `memory`: blobs in memory
  - `files`: blobs as files of the state directory
  - `shelf`: who offers which blob, and how much of it is taken; `options`: of the command line, for that

`shelf` alone decides what is kept; a store keeps what it is told to.
"""
