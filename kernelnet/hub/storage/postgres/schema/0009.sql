-- Several hubs, called nodes, on this database: which there are, and who is connected where.

CREATE TABLE nodes (
    name        text COLLATE "C" PRIMARY KEY,
    address     text NOT NULL,
    lease_until double precision NOT NULL,
    started     double precision NOT NULL,
    version     text NOT NULL,
    draining    integer NOT NULL,
    status      text NOT NULL
);

CREATE TABLE presence (
    ai_id text COLLATE "C" PRIMARY KEY,
    node  text COLLATE "C" NOT NULL,
    gen   bigint NOT NULL,
    since double precision NOT NULL
);
CREATE INDEX presence_node ON presence (node);
CREATE SEQUENCE presence_gen;

-- Every commit that gave numbers wakes the nodes.
CREATE FUNCTION wake_nodes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.given <> OLD.given THEN
        PERFORM pg_notify('kernelnet', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER wakes AFTER UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION wake_nodes();
