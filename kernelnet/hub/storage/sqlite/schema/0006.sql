-- Version 6: observations, which are no verdicts and never stand in the place of one.

-- The newest of each AI on a component at a site under the same conditions.  Bounded by the hub's code: so many of an
-- AI on a component, and in all; what goes then is the oldest of whose are most.
CREATE TABLE observations (
    ai_id        TEXT NOT NULL,
    component_id TEXT NOT NULL,
    digest       TEXT NOT NULL,
    environment  TEXT NOT NULL,      -- real or simulated
    site         TEXT NOT NULL,      -- random name of the place
    conditions   TEXT NOT NULL,      -- SHA-256 of target, workload and settings
    seq          INTEGER NOT NULL,
    timestamp    TEXT NOT NULL,
    body         BLOB NOT NULL,      -- the observation as JSON
    PRIMARY KEY (ai_id, component_id, digest, environment, site, conditions)
);
CREATE INDEX observations_digest ON observations (digest, seq DESC);
CREATE INDEX observations_author ON observations (ai_id, digest, seq);
