-- A small hospital for PostgreSQL, and the eight views through which Vitrina reads it. docs/views.md explains them one by one.
--
--     createdb example && psql -v ON_ERROR_STOP=1 -d example -f fer-postgres.sql
--
-- Take the views as a pattern: put your own tables, columns and codes in the place of these. The tables and rows are here so that everything can
-- be tried before.

-- ---------------------------------------------------------------------------------------------------------------------------- tables

CREATE TABLE organisation (
    id         integer PRIMARY KEY,
    oid        varchar(64) NOT NULL,            -- of the legal entity
    updated_at timestamp NOT NULL
);

CREATE TABLE department (
    id              integer PRIMARY KEY,
    guid            uuid NOT NULL UNIQUE,       -- made once, when the department was entered
    organisation_id integer NOT NULL REFERENCES organisation (id),
    oid             varchar(64) NOT NULL,       -- of the department itself
    kind            integer NOT NULL,           -- 1 outpatient, 2 hospital, 3 laboratory, 4 instrumental diagnostics
    name            varchar(512) NOT NULL,
    address         varchar(512) NOT NULL,
    fias_guid       uuid,
    phone           varchar(45),
    receives        integer NOT NULL,           -- 0 nobody, 1 its own attached, 2 all attached in the region, 3 everybody
    ages            integer NOT NULL,           -- 1 adults, 2 children, 3 both
    created_at      timestamp NOT NULL,
    updated_at      timestamp NOT NULL
);

CREATE TABLE resource (
    id              integer PRIMARY KEY,
    guid            uuid NOT NULL UNIQUE,
    department_id   integer NOT NULL REFERENCES department (id),
    kind            integer NOT NULL,           -- 1 doctor, 2 machine, 3 room
    receives        integer NOT NULL,           -- as of departments
    post_code       integer,                    -- doctors: post and speciality by the federal registers
    speciality_code integer,
    snils           varchar(14),
    last_name       varchar(100),
    first_name      varchar(100),
    middle_name     varchar(100),
    title           varchar(200),               -- machines and rooms
    room_number     varchar(20),
    closed_on       date,                       -- the last day of an employment, a machine, a room
    created_at      timestamp NOT NULL,
    updated_at      timestamp NOT NULL
);

CREATE TABLE resource_service (
    id          integer PRIMARY KEY,
    guid        uuid NOT NULL UNIQUE,
    resource_id integer NOT NULL REFERENCES resource (id),
    code        varchar(20) NOT NULL,           -- by the federal register of services
    price       numeric(10, 2),
    created_at  timestamp NOT NULL,
    updated_at  timestamp NOT NULL
);

CREATE TABLE resource_profile (
    id           integer PRIMARY KEY,
    guid         uuid NOT NULL UNIQUE,
    resource_id  integer NOT NULL REFERENCES resource (id),
    profile_code integer NOT NULL,              -- by the federal register of profiles
    created_at   timestamp NOT NULL,
    updated_at   timestamp NOT NULL
);

CREATE TABLE absence (
    id          integer PRIMARY KEY,
    guid        uuid NOT NULL UNIQUE,
    resource_id integer NOT NULL REFERENCES resource (id),
    cause       integer NOT NULL,               -- 1 vacation, 2 illness, 3 dismissal, 4 repair
    first_day   date NOT NULL,
    last_day    date NOT NULL,
    created_at  timestamp NOT NULL,
    updated_at  timestamp NOT NULL
);

CREATE TABLE timetable (
    id          integer PRIMARY KEY,
    guid        uuid NOT NULL UNIQUE,
    resource_id integer NOT NULL REFERENCES resource (id),
    starts_at   timestamp NOT NULL,             -- on the hospital's clock
    minutes     integer NOT NULL,
    ages        integer NOT NULL,               -- 1 adults, 2 children over a year, 3 infants, 4 everybody
    for_site    integer NOT NULL,               -- 1: citizens may book it themselves
    by_referral integer NOT NULL,               -- 1: for patients with a referral
    state       integer NOT NULL,               -- 0 free, 1 booked, 2 annulled, 3 held for a patient, 4 blocked
    created_at  timestamp NOT NULL,
    updated_at  timestamp NOT NULL
);

CREATE TABLE patient (
    id         integer PRIMARY KEY,             -- the number of the card: means nothing outside
    rrp_id     uuid UNIQUE,                     -- given by the regional register of patients; none yet for some
    last_name  varchar(100) NOT NULL,
    updated_at timestamp NOT NULL
);

CREATE TABLE referral (
    id                 integer PRIMARY KEY,
    guid               uuid NOT NULL UNIQUE,
    patient_id         integer NOT NULL REFERENCES patient (id),
    number             varchar(45) NOT NULL,
    kind               integer NOT NULL,        -- 1 consultation, 2 research
    form_code          integer NOT NULL,        -- by the federal register of kinds of referrals
    first_day          date NOT NULL,
    last_day           date,
    from_resource_id   integer NOT NULL REFERENCES resource (id),
    to_department_id   integer NOT NULL REFERENCES department (id),
    profile_code       integer NOT NULL,
    speciality_code    integer,                 -- of consultations
    post_title         varchar(200),
    service_code       varchar(20),             -- of research
    service_title      varchar(200),
    state              integer NOT NULL,        -- 0 open, 1 booked, 2 withdrawn
    created_at         timestamp NOT NULL,
    updated_at         timestamp NOT NULL
);

CREATE TABLE visit (
    id           integer PRIMARY KEY,
    guid         uuid NOT NULL UNIQUE,          -- for citizens' bookings this is the book_ext_id that was answered
    timetable_id integer NOT NULL REFERENCES timetable (id),
    patient_id   integer NOT NULL REFERENCES patient (id),
    referral_id  integer REFERENCES referral (id),
    channel      integer NOT NULL,              -- 1 state services site, 2 infomat, 3 doctor, 4 registry, 5 another site
    kind         integer NOT NULL,              -- 1 appointment, 2 vaccination, 3 dispensary, 4 check-up, 5 observation, 6 online, 7 paid
    state        integer NOT NULL,              -- 1 booked, 2 cancelled, 3 took place, 4 did not come, 5 cancelled at the desk
    created_at   timestamp NOT NULL,
    updated_at   timestamp NOT NULL
);

-- ----------------------------------------------------------------------------------------------------------------------------- views

CREATE VIEW vitrina_fer_mo AS
SELECT d.guid AS id,
       o.oid AS parent_id,
       d.oid AS branch_oid,
       d.name AS name,
       d.address AS address,
       d.fias_guid AS address_fias_guid,
       d.phone AS phone,
       CASE d.receives WHEN 1 THEN 'ATTACHED_MO' WHEN 2 THEN 'ATTACHED_REG' WHEN 3 THEN 'ALL' ELSE 'NONE' END AS enabled,
       CASE d.ages WHEN 1 THEN 'ADULT' WHEN 2 THEN 'CHILD' ELSE 'ALL' END AS tag_age,
       d.created_at AS create_ts,
       GREATEST(d.updated_at, o.updated_at) AS updated_at
FROM department d
JOIN organisation o ON o.id = d.organisation_id
WHERE d.kind IN (1, 3, 4);

-- What is shown: whatever hangs on anything else would wait for a resource that the portal never gets.
CREATE VIEW shown_resource AS
SELECT r.id, r.guid, d.guid AS department_guid
FROM resource r
JOIN department d ON d.id = r.department_id
WHERE d.kind IN (1, 3, 4) AND (r.closed_on IS NULL OR r.closed_on >= CURRENT_DATE);

CREATE VIEW vitrina_fer_resource AS
SELECT r.guid AS id,
       CASE r.kind WHEN 1 THEN 'SPECIALIST' WHEN 2 THEN 'MACHINE' ELSE 'ROOM' END AS type,
       x.department_guid AS mo_id,
       CASE r.receives WHEN 1 THEN 'ATTACHED_MO' WHEN 2 THEN 'ATTACHED_REG' WHEN 3 THEN 'ALL' ELSE 'NONE' END AS enabled,
       r.post_code AS post_id,
       r.speciality_code AS speciality_id,
       r.snils AS snils,
       r.last_name AS last_name,
       r.first_name AS first_name,
       r.middle_name AS middle_name,
       r.title AS machine_name,
       r.room_number AS room_number,
       r.title AS room_name,
       r.created_at AS create_ts,
       r.updated_at AS updated_at
FROM resource r
JOIN shown_resource x ON x.id = r.id;

CREATE VIEW vitrina_fer_service AS
SELECT s.guid AS id,
       r.guid AS resource_id,
       s.code AS code,
       s.price AS price,
       s.created_at AS create_ts,
       s.updated_at AS updated_at
FROM resource_service s
JOIN shown_resource r ON r.id = s.resource_id;

CREATE VIEW vitrina_fer_profilecode_resource AS
SELECT p.guid AS id,
       r.guid AS resource_id,
       p.profile_code AS profile_code,
       p.created_at AS create_ts,
       p.updated_at AS updated_at
FROM resource_profile p
JOIN shown_resource r ON r.id = p.resource_id;

CREATE VIEW vitrina_fer_unaccessable_period AS
SELECT a.guid AS period_id,
       r.guid AS resource_id,
       CASE a.cause WHEN 1 THEN 'VACATION' WHEN 2 THEN 'SICK_LEAVE' WHEN 3 THEN 'FIRED' ELSE 'REPAIR' END AS reason,
       a.first_day AS beg_date,
       a.last_day AS end_date,
       a.created_at AS create_ts,
       a.updated_at AS updated_at
FROM absence a
JOIN shown_resource r ON r.id = a.resource_id
WHERE a.last_day >= CURRENT_DATE;

CREATE VIEW vitrina_fer_slot AS
SELECT t.guid AS id,
       r.department_guid AS mo_id,
       r.guid AS resource_id,
       CASE WHEN t.for_site = 1 AND t.by_referral = 1 THEN 'EPGU,REFERRAL'
            WHEN t.for_site = 1 THEN 'EPGU'
            WHEN t.by_referral = 1 THEN 'REFERRAL'
            ELSE 'REGISTRY' END AS tag_type,
       CASE t.ages WHEN 1 THEN 'ADULT' WHEN 2 THEN 'CHILD' WHEN 3 THEN 'BABY' ELSE 'ALL' END AS tag_age,
       t.starts_at AS visit_time,
       t.minutes AS duration,
       CASE t.state WHEN 0 THEN 'AVAILABLE' WHEN 1 THEN 'RECORDED' WHEN 2 THEN 'CANCELED' WHEN 3 THEN 'RESERVED'
                    ELSE 'BLOCKED' END AS status,
       t.created_at AS create_ts,
       t.updated_at AS updated_at
FROM timetable t
JOIN shown_resource r ON r.id = t.resource_id
WHERE t.starts_at >= CURRENT_DATE
   OR (t.state = 1 AND t.starts_at >= CURRENT_DATE - INTERVAL '7' DAY);

CREATE VIEW vitrina_fer_referral AS
SELECT f.guid AS id,
       p.rrp_id AS patient_id,
       f.speciality_code AS speciality_id,
       f.number AS number,
       CASE f.kind WHEN 1 THEN 'CONSULTATION' ELSE 'RESEARCH' END AS type,
       f.first_day AS start_date,
       f.last_day AS end_date,
       t.guid AS to_mo_id,
       f.profile_code AS to_profile_code,
       f.post_title AS to_post_name,
       f.service_code AS to_service_id,
       f.service_title AS to_service_name,
       d.guid AS from_mo_id,
       r.guid AS from_resource_id,
       CASE f.state WHEN 0 THEN 'AVAILABLE' WHEN 1 THEN 'RECORDED' ELSE 'CANCELED' END AS status,
       f.form_code AS referral_type_code,
       head.oid AS to_mo_oid,
       d.oid AS from_mo_oid,
       f.created_at AS create_ts,
       GREATEST(f.updated_at, p.updated_at) AS updated_at
FROM referral f
JOIN patient p ON p.id = f.patient_id
JOIN resource r ON r.id = f.from_resource_id
JOIN department d ON d.id = r.department_id
JOIN department t ON t.id = f.to_department_id
JOIN organisation head ON head.id = t.organisation_id
WHERE p.rrp_id IS NOT NULL
  AND (f.last_day IS NULL OR f.last_day >= CURRENT_DATE);

CREATE VIEW vitrina_fer_book AS
SELECT v.guid AS id,
       p.rrp_id AS patient_id,
       t.guid AS slot_id,
       CASE v.state WHEN 1 THEN 5000 WHEN 2 THEN 5010 WHEN 3 THEN 5020 WHEN 4 THEN 5030 ELSE 5040 END AS status_code,
       CASE v.channel WHEN 1 THEN 'EPGU' WHEN 2 THEN 'INFOMAT' WHEN 3 THEN 'DOCTOR' WHEN 4 THEN 'REG'
                      ELSE 'OTHER_WEB' END AS tag_source,
       CASE v.kind WHEN 2 THEN 'VACCINATION' WHEN 3 THEN 'DISPENSARY' WHEN 4 THEN 'PROPHYLACTIC' WHEN 5 THEN 'D_OBSERVATION'
                   WHEN 6 THEN 'ONLINE_CONSULTING' WHEN 7 THEN 'PAID_APPOINTMENT' ELSE 'APPOINTMENT' END AS type,
       f.guid AS referral_id,
       v.created_at AS create_ts,
       GREATEST(v.updated_at, p.updated_at) AS updated_at
FROM visit v
JOIN patient p ON p.id = v.patient_id
JOIN timetable t ON t.id = v.timetable_id
JOIN shown_resource r ON r.id = t.resource_id
LEFT JOIN referral f ON f.id = v.referral_id
WHERE p.rrp_id IS NOT NULL
  AND t.starts_at >= CURRENT_DATE - INTERVAL '7' DAY;

-- ------------------------------------------------------------------------------------------------------------------------------ rows

INSERT INTO organisation VALUES (1, '1.2.643.5.1.13.13.12.2.86.8902', CURRENT_TIMESTAMP);

INSERT INTO department VALUES
    (1, '0d000000-0000-4000-8000-000000000001', 1, '1.2.643.5.1.13.13.12.2.86.8902.0.101', 1, 'Поликлиника № 1',
     'г. Ханты-Мансийск, ул. Мира, 1', '0fa50000-0000-4000-8000-000000000001', '+7 3467 00-00-01', 3, 3,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (2, '0d000000-0000-4000-8000-000000000002', 1, '1.2.643.5.1.13.13.12.2.86.8902.0.102', 4, 'Отделение функциональной диагностики',
     'г. Ханты-Мансийск, ул. Мира, 3', NULL, NULL, 2, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    -- A ward: no view shows it.
    (3, '0d000000-0000-4000-8000-000000000003', 1, '1.2.643.5.1.13.13.12.2.86.8902.0.103', 2, 'Терапевтическое отделение',
     'г. Ханты-Мансийск, ул. Мира, 5', NULL, NULL, 0, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);

INSERT INTO resource VALUES
    (1, '0e000000-0000-4000-8000-000000000001', 1, 1, 3, 110, 49, '112-233-445 95', 'Иванова', 'Анна', 'Петровна', NULL, NULL, NULL,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (2, '0e000000-0000-4000-8000-000000000002', 2, 2, 2, NULL, NULL, NULL, NULL, NULL, NULL, 'Электрокардиограф', NULL, NULL,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (3, '0e000000-0000-4000-8000-000000000003', 1, 3, 1, NULL, NULL, NULL, NULL, NULL, NULL, 'Прививочный кабинет', '12', NULL,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    -- Dismissed last week: no view shows her, or her times.
    (4, '0e000000-0000-4000-8000-000000000004', 1, 1, 3, 122, 76, '112-233-445 95', 'Петрова', 'Мария', NULL, NULL, NULL,
     CURRENT_DATE - INTERVAL '7' DAY, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);

INSERT INTO resource_service VALUES
    (1, '05000000-0000-4000-8000-000000000001', 2, 'A05.10.006', 450.00, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);

INSERT INTO resource_profile VALUES
    (1, '0f000000-0000-4000-8000-000000000001', 1, 97, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (2, '0f000000-0000-4000-8000-000000000002', 2, 111, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);

INSERT INTO absence VALUES
    (1, '0a000000-0000-4000-8000-000000000001', 3, 4, CURRENT_DATE + INTERVAL '10' DAY, CURRENT_DATE + INTERVAL '12' DAY,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);

INSERT INTO timetable VALUES
    (1, '06000000-0000-4000-8000-000000000001', 1, CURRENT_DATE + INTERVAL '2' DAY + INTERVAL '9' HOUR, 20, 4, 1, 1, 0,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (2, '06000000-0000-4000-8000-000000000002', 1, CURRENT_DATE + INTERVAL '2' DAY + INTERVAL '10' HOUR, 20, 4, 1, 0, 1,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (3, '06000000-0000-4000-8000-000000000003', 2, CURRENT_DATE + INTERVAL '3' DAY + INTERVAL '9' HOUR, 15, 1, 0, 1, 1,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (4, '06000000-0000-4000-8000-000000000004', 1, CURRENT_DATE + INTERVAL '4' DAY + INTERVAL '9' HOUR, 20, 2, 0, 0, 4,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (5, '06000000-0000-4000-8000-000000000005', 1, CURRENT_DATE - INTERVAL '2' DAY + INTERVAL '9' HOUR, 20, 4, 1, 0, 1,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (8, '06000000-0000-4000-8000-000000000008', 4, CURRENT_DATE + INTERVAL '5' DAY + INTERVAL '9' HOUR, 20, 4, 1, 0, 0,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    -- Past and not booked, and long past: no view shows them.
    (6, '06000000-0000-4000-8000-000000000006', 1, CURRENT_DATE - INTERVAL '2' DAY + INTERVAL '10' HOUR, 20, 4, 1, 0, 0,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (7, '06000000-0000-4000-8000-000000000007', 1, CURRENT_DATE - INTERVAL '30' DAY, 20, 4, 1, 0, 1,
     CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);

INSERT INTO patient VALUES
    (1001, '09000000-0000-4000-8000-000000000001', 'Сидорова', CURRENT_TIMESTAMP),
    (1002, '09000000-0000-4000-8000-000000000002', 'Кузнецов', CURRENT_TIMESTAMP),
    -- The register does not know this one yet.
    (1003, NULL, 'Смирнов', CURRENT_TIMESTAMP);

INSERT INTO referral VALUES
    (1, '0b000000-0000-4000-8000-000000000001', 1001, 'К-17', 1, 2, CURRENT_DATE, CURRENT_DATE + INTERVAL '30' DAY, 1, 1, 97, 49,
     'врач-терапевт участковый', NULL, NULL, 0, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (2, '0b000000-0000-4000-8000-000000000002', 1002, 'И-18', 2, 3, CURRENT_DATE, NULL, 1, 2, 111, NULL, NULL,
     'A05.10.006', 'Регистрация электрокардиограммы', 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);

INSERT INTO visit VALUES
    (1, '0c000000-0000-4000-8000-000000000001', 2, 1001, NULL, 1, 1, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (2, '0c000000-0000-4000-8000-000000000002', 3, 1002, 2, 4, 1, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (3, '0c000000-0000-4000-8000-000000000003', 1, 1002, NULL, 1, 1, 2, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (4, '0c000000-0000-4000-8000-000000000004', 5, 1002, NULL, 4, 1, 4, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP),
    (5, '0c000000-0000-4000-8000-000000000005', 7, 1001, NULL, 4, 1, 3, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
