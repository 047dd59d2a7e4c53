-- The ledger of one daemon: what each portal has acknowledged, by key and fingerprint. Never a body, never a name.

-- One row a feed: what readers see without touching the journal.
CREATE TABLE feed (
    id              INTEGER PRIMARY KEY,
    portal          TEXT    NOT NULL,            -- the portal's name in the configuration
    name            TEXT    NOT NULL,            -- the feed's name inside its portal
    -- progress
    watermark       INTEGER,                     -- largest change time read, microseconds, UTC
    last_full_scan  INTEGER,                     -- seconds since 1970-01-01T00:00:00Z, as every time below
    last_success    INTEGER,
    encoder         INTEGER NOT NULL DEFAULT 0,  -- version of the encoder whose fingerprints stand in the journal
    -- counts, as of the last settlement that gave them
    accepted        INTEGER NOT NULL DEFAULT 0,
    pending         INTEGER NOT NULL DEFAULT 0,
    held            INTEGER NOT NULL DEFAULT 0,
    rejected        INTEGER NOT NULL DEFAULT 0,
    unknown         INTEGER NOT NULL DEFAULT 0,
    oldest_pending  INTEGER,
    -- size of the journal: running totals, so that nobody counts
    journal_rows    INTEGER NOT NULL DEFAULT 0,
    journal_entries INTEGER NOT NULL DEFAULT 0,
    UNIQUE (portal, name)
) STRICT;

-- The journal's heads, in the order of the calls. Small and apart from the bodies: closing a mark rewrites one small
-- row and leaves what was sent where it lies.
CREATE TABLE journal (
    feed_id INTEGER NOT NULL REFERENCES feed (id),
    id      INTEGER NOT NULL,                    -- also the number of its body; grows over all feeds
    state   INTEGER NOT NULL CHECK (state IN (0, 1, 2)), -- 0 open mark, 1 acknowledged mark, 2 entries as stated
    entries INTEGER NOT NULL,                    -- steps in the body
    PRIMARY KEY (feed_id, id)
) STRICT, WITHOUT ROWID;

-- The journal's bodies: some steps each, in the ledger's own binary form with a checksum at its end.
CREATE TABLE journal_body (
    id   INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- Why records do not flow, for people: one row a key.
CREATE TABLE refusal (
    feed_id    INTEGER NOT NULL REFERENCES feed (id),
    key        BLOB    NOT NULL,                 -- 0 and the sixteen bytes of a GUID, or 1 and a text
    state      INTEGER NOT NULL,                 -- 2 held, 3 rejected, 4 unknown
    code       TEXT    NOT NULL,
    violations TEXT    NOT NULL,                 -- JSON array of {field, rule, text}
    text       TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    PRIMARY KEY (feed_id, key)
) STRICT, WITHOUT ROWID;

-- Rows that are no records: without a key, or the second of a key. Replaced as a whole by each full scan.
CREATE TABLE finding (
    feed_id    INTEGER NOT NULL REFERENCES feed (id),
    position   INTEGER NOT NULL,                 -- in the order of the scan
    key        BLOB,
    state      INTEGER NOT NULL,
    code       TEXT    NOT NULL,
    violations TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    PRIMARY KEY (feed_id, position)
) STRICT, WITHOUT ROWID;
