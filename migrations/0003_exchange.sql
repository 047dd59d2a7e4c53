-- Portals whose writes are exchanges of documents: what was exchanged, and what a portal wants to be given back at the next renewal.

-- The register of exchange: one row a record, whatever became of it. Keys, ids, codes and times only.
CREATE TABLE exchange (
    feed_id             INTEGER NOT NULL REFERENCES feed (id),
    key                 BLOB    NOT NULL,            -- as in refusal
    version             BLOB,                        -- sixteen bytes: the version that the state speaks of
    state               INTEGER NOT NULL CHECK (state IN (0, 1, 2, 3, 4)), -- 0 ready, 1 sent, 2 confirmed, 3 refused, 4 unknown
    receipt             TEXT,                        -- JSON: what the portal gave back last
    sent                INTEGER,                     -- when the record last went out
    changed             INTEGER NOT NULL,            -- when the row was last stated
    code                TEXT,                        -- why it is not simply well
    write_back_attempts INTEGER,                     -- null: nothing is to be written back
    write_back_next     INTEGER,
    PRIMARY KEY (feed_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX exchange_state ON exchange (feed_id, state, write_back_attempts);

-- Secrets that portals replace. No verb prints them.
CREATE TABLE secret (
    portal TEXT NOT NULL,                            -- the portal's name in the configuration
    name   TEXT NOT NULL,
    secret TEXT NOT NULL,
    PRIMARY KEY (portal, name)
) STRICT, WITHOUT ROWID;
