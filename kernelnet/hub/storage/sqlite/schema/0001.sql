-- Version 1 of the hub's database.
-- `events` is the log: the truth.  All other tables but `tokens`, `ais` and `meta` are projections: they are
-- written in the same transaction as the event they come from, so that log and tables can't disagree.
-- Times in columns named *_at are Unix seconds; `timestamp` is what the author wrote (RFC 3339).

-- schema_version; log_id (random: tells one database from another, also from its restored backup).
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row for each logged message, and for each that the hub made itself (sender_id 'hub').
CREATE TABLE events (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    sender_id    TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    message_type TEXT NOT NULL,
    target       TEXT,               -- target_ai as the author gave it
    timestamp    TEXT NOT NULL,
    recipients   TEXT,               -- NULL: all but the sender; else a JSON list of ids.  Decided once, here
    body         BLOB NOT NULL,      -- the six-field line as recipients get it, without seq and newline
    digest       BLOB NOT NULL,      -- of what the author sent: tells a repetition from a conflict
    UNIQUE (sender_id, message_id)
);

-- The newest version of each pattern by each author.
CREATE TABLE shared_patterns (
    ai_id          TEXT NOT NULL,
    pattern_id     TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    type           TEXT NOT NULL,
    confidence     REAL NOT NULL,
    specialization TEXT NOT NULL,
    timestamp      TEXT NOT NULL,
    body           BLOB NOT NULL,    -- the pattern as JSON
    PRIMARY KEY (ai_id, pattern_id)
);
CREATE INDEX shared_patterns_best ON shared_patterns (confidence DESC, seq DESC);

-- Components (kind 'component') and building blocks (kind 'code').
CREATE TABLE shared_components (
    ai_id             TEXT NOT NULL,
    component_id      TEXT NOT NULL,
    kind              TEXT NOT NULL,
    seq               INTEGER NOT NULL,
    name              TEXT NOT NULL,
    feature           TEXT NOT NULL,    -- the workbench it was measured on, else the author's specialization
    digest            TEXT NOT NULL,    -- what verdicts are about; '' for building blocks
    development_level REAL NOT NULL,    -- as claimed; 0 where nothing is claimed
    confirmed         INTEGER NOT NULL DEFAULT 0,  -- by how many AIs other than the author
    refuted           INTEGER NOT NULL DEFAULT 0,
    timestamp         TEXT NOT NULL,
    body              BLOB NOT NULL,    -- the component as JSON
    PRIMARY KEY (ai_id, component_id)
);
CREATE INDEX shared_components_best
    ON shared_components (confirmed - refuted DESC, development_level DESC, seq DESC);
CREATE INDEX shared_components_digest ON shared_components (digest);

-- The newest report of each AI on each component.
CREATE TABLE performance_reports (
    ai_id        TEXT NOT NULL,
    component_id TEXT NOT NULL,
    digest       TEXT NOT NULL,     -- '' where the report names none
    seq          INTEGER NOT NULL,
    verdict      TEXT,              -- confirmed, refuted, unmeasurable; NULL: the author's own figures
    timestamp    TEXT NOT NULL,
    body         BLOB NOT NULL,     -- the report as JSON
    PRIMARY KEY (ai_id, component_id, digest)
);
CREATE INDEX performance_reports_component ON performance_reports (component_id, seq DESC);
CREATE INDEX performance_reports_digest ON performance_reports (digest);

-- Collaborations.  state: offered, active, completed, declined, expired.
CREATE TABLE collaboration_sessions (
    session_id  TEXT PRIMARY KEY,
    initiator   TEXT NOT NULL,
    type        TEXT NOT NULL,
    description TEXT NOT NULL,
    state       TEXT NOT NULL,
    partner     TEXT,               -- who accepted
    invited     TEXT NOT NULL,      -- a JSON list of ids
    declined    TEXT NOT NULL,      -- those of them who declined
    body        BLOB NOT NULL,      -- the invitation as JSON
    component   TEXT,               -- id of the component it ended in
    created_at  REAL NOT NULL,
    changed_at  REAL NOT NULL,
    expires_at  REAL                -- NULL: ended
) WITHOUT ROWID;
CREATE INDEX collaboration_sessions_due ON collaboration_sessions (expires_at) WHERE expires_at IS NOT NULL;

-- Each AI's last hello, so that one that is away is matched too.
CREATE TABLE ais (
    ai_id    TEXT PRIMARY KEY,
    hello    BLOB NOT NULL,         -- the payload as JSON
    protocol INTEGER NOT NULL,
    seen_at  REAL NOT NULL,
    read_seq INTEGER                -- how far a version 2 AI had read when it said hello
) WITHOUT ROWID;

-- Who may come in.  Only hashes: nobody can log in with what stands here.
CREATE TABLE tokens (
    hash       TEXT PRIMARY KEY,    -- SHA-256, hex
    ai_id      TEXT NOT NULL,
    kind       TEXT NOT NULL,       -- enrolled (by the join token) or issued (by an operator)
    created_at REAL NOT NULL,
    expires_at REAL,
    used_at    REAL,                -- first use
    revoked_at REAL
) WITHOUT ROWID;
CREATE INDEX tokens_ai ON tokens (ai_id);
