-- Version 10: blobs, too large for a line.  A hub on a file keeps them as files beside it, and leaves these empty; on a
-- server they are here for all nodes.  A backup has none.

CREATE TABLE blobs (
    digest  TEXT PRIMARY KEY,      -- SHA-256 of the bytes, hex
    content INTEGER NOT NULL,      -- which parts are it
    note    BLOB NOT NULL          -- JSON: size, last use, who offers it as which trace
) WITHOUT ROWID;

CREATE TABLE blob_uploads (
    digest  TEXT NOT NULL,
    ai_id   TEXT NOT NULL,         -- who sends it
    content INTEGER NOT NULL,
    note    BLOB NOT NULL,         -- JSON: what was said at its begin
    at      REAL NOT NULL,         -- Unix seconds of the last part
    PRIMARY KEY (digest, ai_id)
) WITHOUT ROWID;

CREATE TABLE blob_parts (
    content INTEGER NOT NULL,
    number  INTEGER NOT NULL,      -- from 0 on
    data    BLOB NOT NULL,         -- 256 KiB, the last one less
    PRIMARY KEY (content, number)
);
