-- Blobs, too large for a line, for all nodes: what is whole, what is being sent, and the parts of both.

CREATE TABLE blobs (
    digest  text COLLATE "C" PRIMARY KEY,
    content bigint NOT NULL,
    note    bytea NOT NULL
);

CREATE TABLE blob_uploads (
    digest  text COLLATE "C" NOT NULL,
    ai_id   text COLLATE "C" NOT NULL,
    content bigint NOT NULL,
    note    bytea NOT NULL,
    at      double precision NOT NULL,
    PRIMARY KEY (digest, ai_id)
);

CREATE TABLE blob_parts (
    content bigint NOT NULL,
    number  integer NOT NULL,
    data    bytea NOT NULL,
    PRIMARY KEY (content, number)
);
ALTER TABLE blob_parts ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE SEQUENCE blob_contents;
-- Counted on by each change of the first two, so that a node sees that another has changed them.
CREATE SEQUENCE blob_changes;
