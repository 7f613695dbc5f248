-- Version 3: appending costs the same however long the log and however many the senders.
-- The table is written anew, since SQLite can't take a UNIQUE constraint away: some minutes for ten million rows.

-- As before, but for the constraint, and `digest`: x'' now where `body` is what the author sent, so that it can be
-- computed when it is asked for, which is seldom (kernelnet.hub.storage.integrity.digestOf).
CREATE TABLE events_3 (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    sender_id    TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    message_type TEXT NOT NULL,
    target       TEXT,               -- target_ai as the author gave it
    timestamp    TEXT NOT NULL,
    recipients   TEXT,               -- NULL: all but the sender; else a JSON list of ids.  Decided once, here
    body         BLOB NOT NULL,      -- the six-field line as recipients get it, without seq and newline
    digest       BLOB NOT NULL,      -- tells a repetition from a conflict
    checksum     INTEGER             -- CRC-32 of body, digest and recipients; NULL in rows from before version 2
);
INSERT INTO events_3 (seq, sender_id, message_id, message_type, target, timestamp, recipients, body, digest, checksum)
    SELECT seq, sender_id, message_id, message_type, target, timestamp, recipients, body, digest, checksum
    FROM events ORDER BY seq;
-- No number is given twice, also when retention has removed the last row.
DELETE FROM sqlite_sequence WHERE name = 'events_3';
INSERT INTO sqlite_sequence SELECT 'events_3', seq FROM sqlite_sequence WHERE name = 'events';
DROP TABLE events;
ALTER TABLE events_3 RENAME TO events;

-- The id first: ids that sort by time meet at the index's end, on pages that are in memory, whoever sends them.
-- With the sender first each sender has a place of its own, and a commit writes a page for each.
CREATE UNIQUE INDEX events_id ON events (message_id, sender_id);
