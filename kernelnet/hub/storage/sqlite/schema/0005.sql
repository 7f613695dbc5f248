-- Version 5: confirmed components stand before what is merely claimed, and claims of a workbench's older rules last.

-- The rules (IWorkbench.digest) that a component's claim was measured under; '' where it claims nothing.
ALTER TABLE shared_components ADD COLUMN workbench_digest TEXT NOT NULL DEFAULT '';
-- Whether these are others than those in workbench_rules: such a claim can't be compared with newer ones.
ALTER TABLE shared_components ADD COLUMN older_rules INTEGER NOT NULL DEFAULT 0;
-- 1: more AIs confirm it than refute it; 0: as many, mostly none; -1: fewer; three less where its claim is of older rules.
ALTER TABLE shared_components ADD COLUMN standing INTEGER
    AS ((confirmed > refuted) - (confirmed < refuted) - 3 * older_rules);

-- The rules of each workbench that are in force: those installed beside the hub, else those that most voices are for.
CREATE TABLE workbench_rules (
    workbench TEXT PRIMARY KEY,
    digest    TEXT NOT NULL,
    installed INTEGER NOT NULL        -- whether it is installed beside the hub
) WITHOUT ROWID;
-- The voice of each AI: the rules of that claim of another's which it confirmed last.
CREATE TABLE workbench_voices (
    workbench TEXT NOT NULL,
    ai_id     TEXT NOT NULL,
    digest    TEXT NOT NULL,
    seq       INTEGER NOT NULL,       -- of its report
    PRIMARY KEY (workbench, ai_id)
) WITHOUT ROWID;

UPDATE shared_components SET workbench_digest =
    COALESCE(json_extract(CAST(body AS TEXT), '$.manifest.report.workbench_digest'), '')
    WHERE kind = 'component' AND json_valid(CAST(body AS TEXT));
INSERT INTO workbench_voices
    SELECT feature, voice, workbench_digest, said FROM (
        SELECT c.feature, r.ai_id AS voice, c.workbench_digest, r.seq AS said,
               ROW_NUMBER() OVER (PARTITION BY c.feature, r.ai_id ORDER BY r.seq DESC, c.seq DESC) AS place
        FROM shared_components c JOIN performance_reports r ON r.digest = c.digest AND r.ai_id != c.ai_id
        WHERE c.kind = 'component' AND c.workbench_digest != '' AND r.verdict = 'confirmed'
    ) WHERE place = 1;
INSERT INTO workbench_rules
    SELECT workbench, digest, 0 FROM (
        SELECT workbench, digest,
               ROW_NUMBER() OVER (PARTITION BY workbench ORDER BY COUNT(*) DESC, MAX(seq) DESC) AS place
        FROM (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY workbench ORDER BY seq DESC) AS newest FROM workbench_voices
        ) WHERE newest <= 16 GROUP BY workbench, digest
    ) WHERE place = 1;
UPDATE shared_components SET older_rules = 1
    WHERE workbench_digest != '' AND EXISTS (
        SELECT 1 FROM workbench_rules w
        WHERE w.workbench = shared_components.feature AND w.digest != shared_components.workbench_digest
    );

-- The one order of lists and pages; and each author's share of it, by which authors take turns.
DROP INDEX shared_components_best;
CREATE INDEX shared_components_best ON shared_components (standing DESC, development_level DESC, seq DESC);
CREATE INDEX shared_components_turns ON shared_components (ai_id, standing, development_level DESC, seq DESC);
CREATE INDEX shared_patterns_turns ON shared_patterns (ai_id, confidence DESC, seq DESC);
