-- What is remembered beside records, and what operators have asked for.

-- Small things: a paused unit, a tripped fuse, a learnt batch size, where an audit got to.
CREATE TABLE note (
    portal TEXT NOT NULL,                        -- the portal's name in the configuration
    feed   TEXT NOT NULL,                        -- the feed's name; empty for what concerns the whole portal
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,                        -- which of its kind: a unit's key; may be empty
    body   TEXT NOT NULL,                        -- JSON
    PRIMARY KEY (portal, feed, kind, name)
) STRICT, WITHOUT ROWID;

-- Words of operators, until the process that holds the ledger has taken them up. Numbers are never used twice.
CREATE TABLE word (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    portal   TEXT    NOT NULL,
    feed     TEXT    NOT NULL,                   -- empty for what concerns the whole portal
    kind     TEXT    NOT NULL,
    argument TEXT    NOT NULL,                   -- JSON
    said     INTEGER NOT NULL                    -- seconds since 1970-01-01T00:00:00Z
) STRICT;
