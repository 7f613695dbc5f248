-- Version 7: no message costs more the more is stored.

-- Who has a digest under how many ids, and who reported what on it, without a look at the rows.
DROP INDEX shared_components_digest;
CREATE INDEX shared_components_digest ON shared_components (digest, ai_id);
DROP INDEX performance_reports_digest;
CREATE INDEX performance_reports_digest ON performance_reports (digest, ai_id, verdict);

-- The best of a feature, and of a name, but for the requestor's own.
CREATE INDEX shared_components_feature
    ON shared_components (feature, standing DESC, development_level DESC, seq DESC, ai_id) WHERE kind = 'component';
CREATE INDEX shared_components_name
    ON shared_components (name, standing DESC, development_level DESC, seq DESC, ai_id) WHERE kind = 'component';
