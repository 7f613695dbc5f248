"""
Messages of the hub, and their meaning for a trainer.

  - C{delivery}: whom the connection serves: batches in their order, with what failed tried again
  - C{dispatcher}: what each message means, a table from type to method
  - C{payload_exchange}: blobs on their way to the hub and from it; C{trace_fetching}: traces that claims are about;
    C{trace_sharing}: those that peers may have; C{source_sharing}: sources that are too large for a line
  - C{hub_sync}: the hello, the cursor, who is there, and the pages that a newcomer reads
"""
