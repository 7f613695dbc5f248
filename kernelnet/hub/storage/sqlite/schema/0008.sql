-- Version 8: votes are counted by owner, and certificates that verdicts are signed with.

-- Whose an AI is, as the operator says.  An AI that isn't here speaks for itself alone.
CREATE TABLE owners (
    ai_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL
) WITHOUT ROWID;

-- What stands in owners of ai_id, so that counting asks no other table; and the one who has a vote, which no AI's own id
-- can be confused with, as these have no blank.
ALTER TABLE shared_patterns ADD COLUMN owner TEXT;
ALTER TABLE shared_patterns ADD COLUMN voice TEXT AS (COALESCE('owner ' || owner, ai_id));
ALTER TABLE shared_components ADD COLUMN owner TEXT;
ALTER TABLE shared_components ADD COLUMN voice TEXT AS (COALESCE('owner ' || owner, ai_id));
ALTER TABLE performance_reports ADD COLUMN owner TEXT;
ALTER TABLE performance_reports ADD COLUMN voice TEXT AS (COALESCE('owner ' || owner, ai_id));
ALTER TABLE workbench_voices ADD COLUMN owner TEXT;
ALTER TABLE workbench_voices ADD COLUMN voice TEXT AS (COALESCE('owner ' || owner, ai_id));

-- Who said what on a digest is counted without a look at the rows; an index with voice itself would be no covering one.
CREATE INDEX performance_reports_voices ON performance_reports (digest, owner, ai_id, verdict);

-- Owners take turns now, and authors are asked for by id.
DROP INDEX shared_components_turns;
DROP INDEX shared_patterns_turns;
CREATE INDEX shared_components_turns ON shared_components (voice, standing, development_level DESC, seq DESC);
CREATE INDEX shared_patterns_turns ON shared_patterns (voice, confidence DESC, seq DESC);

-- The certificates that the hub gave for keys by which verdicts are signed; a revoked one stays here until it expires.
CREATE TABLE signing_certificates (
    serial     TEXT PRIMARY KEY,     -- hex
    ai_id      TEXT NOT NULL,
    issued_at  REAL NOT NULL,
    expires_at REAL NOT NULL,
    revoked_at REAL
) WITHOUT ROWID;
CREATE INDEX signing_certificates_ai ON signing_certificates (ai_id);
