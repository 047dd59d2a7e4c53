-- The tables of the demo hospital's information system: its own names, codes and forms, as such systems have them.
-- Times are text with a blank inside; some tables keep GUIDs in upper case, one keeps them without hyphens.
CREATE TABLE departments (
    id          INTEGER PRIMARY KEY,
    guid        TEXT NOT NULL UNIQUE,
    org_oid     TEXT NOT NULL,
    oid         TEXT NOT NULL,
    title       TEXT NOT NULL UNIQUE,
    address     TEXT NOT NULL,
    fias_guid   TEXT,
    okato       TEXT,
    phone       TEXT,
    attachment  INTEGER NOT NULL,
    ages        TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE TABLE resources (
    id            INTEGER PRIMARY KEY,
    guid          TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL,
    department_id INTEGER NOT NULL REFERENCES departments (id),
    attachment    INTEGER NOT NULL,
    archived      INTEGER NOT NULL DEFAULT 0,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
);
CREATE TABLE doctors (
    resource_id     INTEGER PRIMARY KEY REFERENCES resources (id),
    post_code       INTEGER NOT NULL,
    speciality_code INTEGER NOT NULL,
    snils           INTEGER NOT NULL,
    last_name       TEXT NOT NULL,
    first_name      TEXT NOT NULL,
    middle_name     TEXT,
    note            TEXT
);
CREATE TABLE machines (
    resource_id INTEGER PRIMARY KEY REFERENCES resources (id),
    model       TEXT NOT NULL
);
CREATE TABLE rooms (
    resource_id INTEGER PRIMARY KEY REFERENCES resources (id),
    number      INTEGER NOT NULL,
    title       TEXT NOT NULL
);
CREATE TABLE services (
    id          INTEGER PRIMARY KEY,
    guid        TEXT NOT NULL UNIQUE,
    resource_id INTEGER NOT NULL REFERENCES resources (id),
    code        TEXT NOT NULL,
    price       REAL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE TABLE profiles (
    id           INTEGER PRIMARY KEY,
    guid         TEXT NOT NULL UNIQUE,
    resource_id  INTEGER NOT NULL REFERENCES resources (id),
    profile_code INTEGER NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL
);
CREATE TABLE absences (
    id          INTEGER PRIMARY KEY,
    guid        TEXT NOT NULL UNIQUE,
    resource_id INTEGER NOT NULL REFERENCES resources (id),
    cause       TEXT NOT NULL,
    begins_on   TEXT NOT NULL,
    ends_on     TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE TABLE slots (
    id            INTEGER PRIMARY KEY,
    guid          TEXT NOT NULL UNIQUE,
    department_id INTEGER NOT NULL REFERENCES departments (id),
    resource_id   INTEGER NOT NULL REFERENCES resources (id),
    channels      TEXT NOT NULL,
    ages          TEXT NOT NULL,
    starts_at     TEXT NOT NULL,
    minutes       INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
);
CREATE TABLE referrals (
    id                 INTEGER PRIMARY KEY,
    guid               TEXT NOT NULL UNIQUE,
    patient_id         TEXT NOT NULL,
    kind               TEXT NOT NULL,
    number             TEXT NOT NULL,
    speciality_code    INTEGER,
    post_title         TEXT,
    service_code       TEXT,
    starts_on          TEXT NOT NULL,
    ends_on            TEXT,
    to_department_id   INTEGER NOT NULL REFERENCES departments (id),
    profile_code       INTEGER NOT NULL,
    from_department_id INTEGER REFERENCES departments (id),
    from_resource_id   INTEGER NOT NULL REFERENCES resources (id),
    form_code          INTEGER NOT NULL,
    state              INTEGER NOT NULL,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);
CREATE TABLE visits (
    id          INTEGER PRIMARY KEY,
    guid        TEXT NOT NULL UNIQUE,
    patient_id  TEXT NOT NULL,
    slot_id     INTEGER NOT NULL REFERENCES slots (id),
    referral_id INTEGER REFERENCES referrals (id),
    status      INTEGER NOT NULL,
    source      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    case_number TEXT
);
-- Patients of the register whom the hospital knows: those who may book. Visits that were made otherwise name others, too.
CREATE TABLE patients (
    id         INTEGER PRIMARY KEY,
    guid       TEXT NOT NULL UNIQUE,
    birth_date TEXT NOT NULL
);
-- Rows made wrong on purpose, for the demo's own arithmetic; no view shows this table.
CREATE TABLE demo_faults (
    feed   TEXT NOT NULL,
    row_id INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (feed, row_id)
);
