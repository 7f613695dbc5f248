-- Version 9: several hubs, called nodes, on one database.  A file has one, and leaves these empty; on a server they tell
-- which nodes there are, and who is connected where.  A backup has neither.

CREATE TABLE nodes (
    name        TEXT PRIMARY KEY,
    address     TEXT NOT NULL,     -- host and port, for eyes
    lease_until REAL NOT NULL,     -- Unix seconds, by the server's clock: from then on its AIs count as gone
    started     REAL NOT NULL,
    version     TEXT NOT NULL,
    draining    INTEGER NOT NULL,  -- 1: it takes nobody new
    status      TEXT NOT NULL      -- JSON: its counters
) WITHOUT ROWID;

CREATE TABLE presence (
    ai_id TEXT PRIMARY KEY,
    node  TEXT NOT NULL,
    gen   INTEGER NOT NULL,        -- of two connections of an AI the one with the higher number is the newer
    since REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX presence_node ON presence (node);
