"""
What is too large for a line, by the digest of its bytes, kept beside the database.

  - `store`: the interface behind which blobs are kept
  - `memory`: blobs in memory
  - `files`: blobs as files of the state directory
  - `shelf`: who offers which blob, and how much of it is taken; `options`: of the command line, for that

`shelf` alone decides what is kept; a store keeps what it is told to.
"""
