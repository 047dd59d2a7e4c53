-- A hospital: 20 units, 500 rooms, :rows slots, in tables of its own and the views that vitrina reads. Everything was last changed
-- some days ago; visits begin tomorrow.

CREATE TABLE unit (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number int NOT NULL,
    created_at timestamp NOT NULL
);
INSERT INTO unit (number, created_at)
SELECT number, date_trunc('second', localtimestamp) - interval '30 days' FROM generate_series(0, 19) number;

CREATE TABLE room (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number int NOT NULL,
    unit_id uuid NOT NULL REFERENCES unit,
    created_at timestamp NOT NULL
);
INSERT INTO room (number, unit_id, created_at)
SELECT room.number, unit.id, unit.created_at
FROM generate_series(0, 499) room (number) JOIN unit ON unit.number = room.number % 20;

CREATE TABLE slot (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    unit_id uuid NOT NULL,
    room_id uuid NOT NULL,
    channels text NOT NULL,
    age text NOT NULL,
    visit_time timestamp NOT NULL,
    minutes int NOT NULL,
    status text NOT NULL,
    created_at timestamp NOT NULL,
    updated_at timestamptz NOT NULL
);
-- Each room has a slot every quarter of an hour from 8 to 18. Slots are made day by day, as schedules are.
INSERT INTO slot (unit_id, room_id, channels, age, visit_time, minutes, status, created_at, updated_at)
SELECT
    room.unit_id,
    room.id,
    (ARRAY['EPGU', 'EPGU,REGISTRY', 'REGISTRY', 'EPGU,INFOMAT'])[1 + (room.number + n) % 4],
    (ARRAY['ADULT', 'CHILD', 'ALL'])[1 + room.number % 3],
    current_date + 1 + n / 40 + time '08:00' + n % 40 * interval '15 minutes',
    15,
    (ARRAY['AVAILABLE', 'AVAILABLE', 'RECORDED', 'BLOCKED'])[1 + (room.number * 7 + n) % 4],
    localtimestamp(0) - interval '9 days' + n * interval '1 second',
    now() - interval '7 days' + n * interval '1 second'
FROM generate_series(0, (:rows - 1) / 500) n JOIN room ON n * 500 + room.number < :rows;
ALTER TABLE slot ADD PRIMARY KEY (id);
CREATE INDEX ON slot (updated_at);

CREATE VIEW vitrina_fer_mo AS
SELECT
    id,
    '1.2.643.5.1.13.13.12.2.86.8902' AS parent_id,
    '1.2.643.5.1.13.13.12.2.86.8902.0.' || (number + 100) AS branch_oid,
    'Поликлиника № ' || number AS name,
    'ул. Ленина, д. ' || (number + 1) AS address,
    'ALL' AS enabled,
    created_at AS create_ts,
    'ALL' AS tag_age
FROM unit;

CREATE VIEW vitrina_fer_resource AS
SELECT
    id,
    'ROOM' AS type,
    unit_id AS mo_id,
    'ALL' AS enabled,
    created_at AS create_ts,
    number::text AS room_number,
    'Кабинет ' || number AS room_name
FROM room;

CREATE VIEW vitrina_fer_slot AS
SELECT
    id,
    unit_id AS mo_id,
    room_id AS resource_id,
    channels AS tag_type,
    age AS tag_age,
    visit_time,
    minutes AS duration,
    status,
    created_at AS create_ts,
    updated_at
FROM slot;

VACUUM ANALYZE;
