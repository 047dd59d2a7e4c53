-- What the hospital's other offices keep. Columns named register_no, set_no, nmo_url, nmo_state, pos_id and ekdo_id are empty until the
-- daemon writes back what a portal gave; no view shows them.

-- Labour protection: protocols of tests, and who was tested.
CREATE TABLE organizations (
    id    INTEGER PRIMARY KEY,
    inn   TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL
);
CREATE TABLE protocols (
    id         INTEGER PRIMARY KEY,
    number     TEXT NOT NULL UNIQUE,
    tested_on  TEXT NOT NULL,
    program    INTEGER NOT NULL,
    trainer_id INTEGER NOT NULL REFERENCES organizations (id)
);
CREATE TABLE tests (
    id           INTEGER PRIMARY KEY,
    protocol_id  INTEGER NOT NULL REFERENCES protocols (id),
    employer_id  INTEGER NOT NULL REFERENCES organizations (id),
    last_name    TEXT NOT NULL,
    first_name   TEXT NOT NULL,
    middle_name  TEXT,
    snils        INTEGER,
    foreign_no   TEXT,
    citizenship  TEXT,
    post         TEXT NOT NULL,
    passed       INTEGER NOT NULL,
    register_no  TEXT,
    set_no       TEXT
);

-- The education platform: courses, and who takes them. progress: 0 began, 1 learns, 2 failed, 3 passed.
CREATE TABLE courses (
    id             INTEGER PRIMARY KEY,
    code           TEXT NOT NULL UNIQUE,
    title          TEXT NOT NULL,
    description    TEXT NOT NULL,
    annotation     TEXT NOT NULL,
    hours          INTEGER NOT NULL,
    price          REAL,
    opened_on      TEXT NOT NULL,
    speciality     TEXT NOT NULL,
    for_nurses     INTEGER NOT NULL,
    guideline      TEXT,
    guideline_year INTEGER,
    closed         INTEGER NOT NULL DEFAULT 0,
    nmo_url        TEXT,
    nmo_state      TEXT
);
CREATE TABLE learners (
    id          INTEGER PRIMARY KEY,
    course_id   INTEGER NOT NULL REFERENCES courses (id),
    snils       INTEGER NOT NULL,
    pin         TEXT NOT NULL,
    progress    INTEGER NOT NULL,
    changed_on  TEXT NOT NULL,
    percent     INTEGER,
    mark        INTEGER,
    certificate TEXT
);

-- Public relations: polls, votings, and what was voted on. Times are seconds since 1970.
CREATE TABLE surveys (
    id          INTEGER PRIMARY KEY,
    title       TEXT NOT NULL,
    description TEXT,
    people      INTEGER NOT NULL,
    begins      INTEGER NOT NULL,
    ends        INTEGER NOT NULL,
    note        TEXT,
    pos_id      TEXT
);
CREATE TABLE votings (
    id          INTEGER PRIMARY KEY,
    title       TEXT NOT NULL,
    municipal   INTEGER NOT NULL,
    people      INTEGER NOT NULL,
    begins      INTEGER NOT NULL,
    ends        INTEGER NOT NULL,
    pos_id      TEXT
);
CREATE TABLE candidates (
    id          INTEGER PRIMARY KEY,
    voting_id   INTEGER NOT NULL REFERENCES votings (id),
    title       TEXT NOT NULL,
    votes       INTEGER NOT NULL,
    winner      INTEGER NOT NULL DEFAULT 0,
    pos_id      TEXT
);

-- Personnel: documents that are finished and signed, with the names of their files.
CREATE TABLE documents (
    id          INTEGER PRIMARY KEY,
    employee    TEXT NOT NULL,
    subtype     TEXT NOT NULL,
    number      TEXT NOT NULL,
    signed_on   TEXT NOT NULL,
    file        TEXT NOT NULL,
    signature   TEXT NOT NULL,
    qualified   INTEGER NOT NULL,
    ekdo_id     TEXT
);
