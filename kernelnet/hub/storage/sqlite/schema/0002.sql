-- Version 2: checksums of the log's rows, and what retention needs.

-- CRC-32 of body, digest and recipients (kernelnet.hub.storage.integrity); NULL in rows from before version 2, which end
-- where meta.checksums_from says.
ALTER TABLE events ADD COLUMN checksum INTEGER;
INSERT INTO meta SELECT 'checksums_from', COALESCE(MAX(seq), 0) + 1 FROM events;

-- The unique keys of rows that retention removed: a repetition is still known, and acked with its first seq.
CREATE TABLE removed_keys (
    sender_id  TEXT NOT NULL,
    message_id TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    digest     BLOB NOT NULL,
    PRIMARY KEY (sender_id, message_id)
) WITHOUT ROWID;

-- At the time `at` (Unix seconds) the log had reached `seq`, and `bytes` had gone into it since counting began.
-- Retention goes by these marks: the hub's own clock, not the authors' timestamps.
CREATE TABLE log_marks (
    seq   INTEGER PRIMARY KEY,
    at    REAL NOT NULL,
    bytes INTEGER NOT NULL
);
