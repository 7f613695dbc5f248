-- The tables of SQLite's schema of the same version, column by column; there each is explained.
-- Texts are ordered by their bytes.

CREATE TABLE meta (
    key   text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- The last number that the log gave; who writes holds this row until the commit.
CREATE TABLE log_head (
    given bigint NOT NULL
);
INSERT INTO log_head VALUES (0);

CREATE TABLE events (
    seq          bigint PRIMARY KEY,
    sender_id    text COLLATE "C" NOT NULL,
    message_id   text COLLATE "C" NOT NULL,
    message_type text COLLATE "C" NOT NULL,
    target       text,
    timestamp    text NOT NULL,
    recipients   text,
    body         bytea NOT NULL,
    digest       bytea NOT NULL,       -- never empty: computed when the row is written
    checksum     bigint
);
-- Lines are JSON of some hundred bytes: compressed they cost the server more than the room is worth.
ALTER TABLE events ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX events_id ON events (message_id, sender_id);

CREATE TABLE removed_keys (
    sender_id  text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    seq        bigint NOT NULL,
    digest     bytea NOT NULL,
    PRIMARY KEY (message_id, sender_id)
);

CREATE TABLE log_marks (
    seq   bigint PRIMARY KEY,
    at    double precision NOT NULL,
    bytes bigint NOT NULL
);

CREATE TABLE shared_patterns (
    ai_id          text COLLATE "C" NOT NULL,
    pattern_id     text COLLATE "C" NOT NULL,
    seq            bigint NOT NULL,
    type           text COLLATE "C" NOT NULL,
    confidence     double precision NOT NULL,
    specialization text COLLATE "C" NOT NULL,
    timestamp      text NOT NULL,
    body           bytea NOT NULL,
    owner          text COLLATE "C",
    voice          text COLLATE "C" GENERATED ALWAYS AS (COALESCE('owner ' || owner, ai_id)) STORED,
    PRIMARY KEY (ai_id, pattern_id)
);
CREATE INDEX shared_patterns_best ON shared_patterns (confidence DESC, seq DESC);
CREATE INDEX shared_patterns_turns ON shared_patterns (voice, confidence DESC, seq DESC);

CREATE TABLE shared_components (
    ai_id             text COLLATE "C" NOT NULL,
    component_id      text COLLATE "C" NOT NULL,
    kind              text COLLATE "C" NOT NULL,
    seq               bigint NOT NULL,
    name              text COLLATE "C" NOT NULL,
    feature           text COLLATE "C" NOT NULL,
    digest            text COLLATE "C" NOT NULL,
    development_level double precision NOT NULL,
    confirmed         integer NOT NULL DEFAULT 0,
    refuted           integer NOT NULL DEFAULT 0,
    timestamp         text NOT NULL,
    body              bytea NOT NULL,
    workbench_digest  text COLLATE "C" NOT NULL DEFAULT '',
    older_rules       integer NOT NULL DEFAULT 0,
    standing          integer GENERATED ALWAYS AS (
        (confirmed > refuted)::integer - (confirmed < refuted)::integer - 3 * older_rules
    ) STORED,
    owner             text COLLATE "C",
    voice             text COLLATE "C" GENERATED ALWAYS AS (COALESCE('owner ' || owner, ai_id)) STORED,
    PRIMARY KEY (ai_id, component_id)
);
CREATE INDEX shared_components_best ON shared_components (standing DESC, development_level DESC, seq DESC);
CREATE INDEX shared_components_turns ON shared_components (voice, standing, development_level DESC, seq DESC);
CREATE INDEX shared_components_digest ON shared_components (digest, ai_id);
CREATE INDEX shared_components_feature
    ON shared_components (feature, standing DESC, development_level DESC, seq DESC, ai_id) WHERE kind = 'component';
CREATE INDEX shared_components_name
    ON shared_components (name, standing DESC, development_level DESC, seq DESC, ai_id) WHERE kind = 'component';

CREATE TABLE performance_reports (
    ai_id        text COLLATE "C" NOT NULL,
    component_id text COLLATE "C" NOT NULL,
    digest       text COLLATE "C" NOT NULL,
    seq          bigint NOT NULL,
    verdict      text COLLATE "C",
    timestamp    text NOT NULL,
    body         bytea NOT NULL,
    owner        text COLLATE "C",
    voice        text COLLATE "C" GENERATED ALWAYS AS (COALESCE('owner ' || owner, ai_id)) STORED,
    PRIMARY KEY (ai_id, component_id, digest)
);
CREATE INDEX performance_reports_component ON performance_reports (component_id, seq DESC);
CREATE INDEX performance_reports_digest ON performance_reports (digest, ai_id, verdict);
CREATE INDEX performance_reports_voices ON performance_reports (digest, owner, ai_id, verdict);

CREATE TABLE collaboration_sessions (
    session_id  text COLLATE "C" PRIMARY KEY,
    initiator   text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    description text NOT NULL,
    state       text COLLATE "C" NOT NULL,
    partner     text COLLATE "C",
    invited     text NOT NULL,
    declined    text NOT NULL,
    body        bytea NOT NULL,
    component   text,
    created_at  double precision NOT NULL,
    changed_at  double precision NOT NULL,
    expires_at  double precision,
    transcript  bytea
);
CREATE INDEX collaboration_sessions_due ON collaboration_sessions (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE ais (
    ai_id    text COLLATE "C" PRIMARY KEY,
    hello    bytea NOT NULL,
    protocol integer NOT NULL,
    seen_at  double precision NOT NULL,
    read_seq bigint
);

CREATE TABLE tokens (
    hash       text COLLATE "C" PRIMARY KEY,
    ai_id      text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision,
    used_at    double precision,
    revoked_at double precision
);
CREATE INDEX tokens_ai ON tokens (ai_id);

CREATE TABLE workbench_rules (
    workbench text COLLATE "C" PRIMARY KEY,
    digest    text COLLATE "C" NOT NULL,
    installed integer NOT NULL
);

CREATE TABLE workbench_voices (
    workbench text COLLATE "C" NOT NULL,
    ai_id     text COLLATE "C" NOT NULL,
    digest    text COLLATE "C" NOT NULL,
    seq       bigint NOT NULL,
    owner     text COLLATE "C",
    voice     text COLLATE "C" GENERATED ALWAYS AS (COALESCE('owner ' || owner, ai_id)) STORED,
    PRIMARY KEY (workbench, ai_id)
);

CREATE TABLE observations (
    ai_id        text COLLATE "C" NOT NULL,
    component_id text COLLATE "C" NOT NULL,
    digest       text COLLATE "C" NOT NULL,
    environment  text COLLATE "C" NOT NULL,
    site         text COLLATE "C" NOT NULL,
    conditions   text COLLATE "C" NOT NULL,
    seq          bigint NOT NULL,
    timestamp    text NOT NULL,
    body         bytea NOT NULL,
    PRIMARY KEY (ai_id, component_id, digest, environment, site, conditions)
);
CREATE INDEX observations_digest ON observations (digest, seq DESC);
CREATE INDEX observations_author ON observations (ai_id, digest, seq);

CREATE TABLE owners (
    ai_id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL
);

CREATE TABLE signing_certificates (
    serial     text COLLATE "C" PRIMARY KEY,
    ai_id      text COLLATE "C" NOT NULL,
    issued_at  double precision NOT NULL,
    expires_at double precision NOT NULL,
    revoked_at double precision
);
CREATE INDEX signing_certificates_ai ON signing_certificates (ai_id);
