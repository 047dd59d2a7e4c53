-- Bookings for vitrina on PostgreSQL 13 or newer: a reference that a hospital installs and adapts. docs/mis.md tells it step by step.
--
--     psql -v ON_ERROR_STOP=1 -d mis -f postgres.sql
--
-- It may be installed again at any time: tables and their rows stay, functions are replaced. It installs as a whole or not at all.
--
-- In the configuration of vitrina, where [sources.mis] has a write_url whose account is a member of the role vitrina_booking:
--
--     [booking]
--     source = "mis"
--     book = "SELECT * FROM vitrina_book(:slot_id, :patient_id, :booking_type, :case_number, :referral_id, :service_id, :email, :mobile_phone, :rrp_id, :united_guids, :snils, :oms_number, :birthdate)"
--     cancel = "SELECT * FROM vitrina_cancel(:book_ext_id, :patient_id, :united_guids)"
--     lookup = "SELECT * FROM vitrina_booking_lookup(:slot_id, :patient_id, :case_number, :united_guids)"
--
-- WHAT TO ADAPT
-- 1. The eight tables below are what the functions need. If your information system has its own, create the schema vitrina_mis and views of
--    these names and columns over yours before you install: what is there is left alone. A plain view over one table can be locked and
--    updated through; what goes into a view that cannot, write where the functions say WRITES. If only some are views, delete the
--    REFERENCES to them below.
-- 2. "One booking a slot" must be a constraint of the table itself, as taken_slot_id is here: the functions lock, your other programs may not.
-- 3. Every program that books must lock in the order patient, slot, referral, booking, or at least lock the slot's row before it looks.
-- 4. The days of "the same day" are those of the session's time zone, which vitrina sets to `timezone` of the source.
-- 5. Isolation must be READ COMMITTED, PostgreSQL's default.

BEGIN;
SET LOCAL client_min_messages = warning;

-- The account of vitrina becomes a member of it: GRANT vitrina_booking TO vitrina_writer. It may call the functions and nothing else.
DO $$
BEGIN
    CREATE ROLE vitrina_booking NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

CREATE SCHEMA IF NOT EXISTS vitrina_mis;
SET LOCAL search_path = vitrina_mis, public;

-- ---------------------------------------------------------------------------------------------------------------------------- tables

CREATE TABLE IF NOT EXISTS vitrina_mis.mo (
    id        uuid PRIMARY KEY,
    -- OID of the organisation: departments of one organisation serve each other's referrals.
    parent_id text NOT NULL
);

CREATE TABLE IF NOT EXISTS vitrina_mis.resource (
    id            uuid PRIMARY KEY,
    type          text NOT NULL CHECK (type IN ('SPECIALIST', 'MACHINE', 'ROOM')),
    -- Of doctors alone.
    speciality_id text
);

-- Services that a resource provides: what a referral for research asks for.
CREATE TABLE IF NOT EXISTS vitrina_mis.service (
    resource_id uuid NOT NULL,
    code        text NOT NULL,
    PRIMARY KEY (resource_id, code)
);

-- Profiles of care of a resource: what every referral asks for.
CREATE TABLE IF NOT EXISTS vitrina_mis.profilecode_resource (
    resource_id  uuid NOT NULL,
    profile_code text NOT NULL,
    PRIMARY KEY (resource_id, profile_code)
);

CREATE TABLE IF NOT EXISTS vitrina_mis.slot (
    id          uuid PRIMARY KEY,
    mo_id       uuid NOT NULL,
    resource_id uuid NOT NULL REFERENCES vitrina_mis.resource,
    -- Words separated by commas, as the slot feed sends them.
    tag_type    text NOT NULL,
    tag_age     text NOT NULL CHECK (tag_age IN ('ADULT', 'CHILD', 'BABY', 'ALL')),
    visit_time  timestamptz NOT NULL,
    -- Minutes.
    duration    integer NOT NULL CHECK (duration > 0),
    status      text NOT NULL DEFAULT 'AVAILABLE'
                CHECK (status IN ('AVAILABLE', 'RECORDED', 'CANCELED', 'RESERVED', 'BLOCKED')),
    -- The room, if citizens are to be told.
    area_id     text,
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS vitrina_mis.patient (
    id         text PRIMARY KEY,
    -- What the regional register of patients calls this person: patient_id of requests, and of the feeds book and referral.
    rrp_id     text UNIQUE,
    -- Eleven digits.
    snils      text,
    oms_number text,
    birth_date date
);

CREATE TABLE IF NOT EXISTS vitrina_mis.referral (
    id              uuid PRIMARY KEY,
    patient_id      text NOT NULL REFERENCES vitrina_mis.patient,
    type            text NOT NULL CHECK (type IN ('CONSULTATION', 'RESEARCH')),
    -- What it is to. NULL where it does not say: then nothing is asked for.
    to_mo_id        uuid,
    to_resource_id  uuid,
    to_profile_code text,
    -- Of a consultation alone.
    speciality_id   text,
    -- Of research alone: the code of a service.
    to_service_id   text,
    -- Its first and last day.
    start_date      date,
    end_date        date,
    status          text NOT NULL DEFAULT 'AVAILABLE' CHECK (status IN ('AVAILABLE', 'RECORDED', 'CANCELED')),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS vitrina_mis.booking (
    -- book_ext_id. The feed book must send it as its id: the gateway writes the same record by itself.
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slot_id          uuid NOT NULL REFERENCES vitrina_mis.slot,
    patient_id       text NOT NULL REFERENCES vitrina_mis.patient,
    -- patient_id of the request. The feed book sends it too.
    given_patient_id text,
    case_number      text,
    booking_type     text NOT NULL,
    referral_id      uuid REFERENCES vitrina_mis.referral,
    service_id       text,
    email            text,
    mobile_phone     text,
    -- 5000 recorded, 5010 canceled, 5020 took place, 5030 patient did not come, 5040 canceled by the patient in the hospital.
    status_code      integer NOT NULL DEFAULT 5000 CHECK (status_code IN (5000, 5010, 5020, 5030, 5040)),
    create_ts        timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    -- One booking that holds a slot, whoever writes.
    taken_slot_id    uuid UNIQUE GENERATED ALWAYS AS
                     (CASE WHEN status_code IN (5000, 5020, 5030) THEN slot_id END) STORED
);

-- Where a view of yours stands in the place of a table, yours needs these indices.
DO $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'vitrina_mis.patient'::regclass) = 'r' THEN
        CREATE INDEX IF NOT EXISTS patient_snils ON vitrina_mis.patient (snils);
        CREATE INDEX IF NOT EXISTS patient_oms_number ON vitrina_mis.patient (oms_number);
    END IF;
    IF (SELECT relkind FROM pg_class WHERE oid = 'vitrina_mis.booking'::regclass) = 'r' THEN
        CREATE INDEX IF NOT EXISTS booking_slot ON vitrina_mis.booking (slot_id);
        CREATE INDEX IF NOT EXISTS booking_patient ON vitrina_mis.booking (patient_id) WHERE status_code = 5000;
    END IF;
END
$$;

-- ----------------------------------------------------------------------------------------------------------------------------- types

DO $$
BEGIN
    IF to_regtype('vitrina_mis.answer') IS NULL THEN
        CREATE TYPE vitrina_mis.answer AS (
            status_code     integer,
            status_message  text,
            book_ext_id     text,
            slot_id         text,
            visit_time      timestamptz,
            duration        integer,
            service_id      text,
            organization_id text,
            area_id         text,
            queue_number    text
        );
    END IF;
    -- Why a booking is refused; NULL where it is not.
    IF to_regtype('vitrina_mis.refusal') IS NULL THEN
        CREATE TYPE vitrina_mis.refusal AS (status_code integer, status_message text);
    END IF;
END
$$;

-- ------------------------------------------------------------------------------------------------------- reading what requests bring

-- A GUID in any form; NULL if it is none.
CREATE OR REPLACE FUNCTION vitrina_mis.guid(p_text text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN btrim(p_text) ~* '^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$'
                THEN btrim(p_text)::uuid END
$$;

-- The day of «1999-10-10T00:00:00»; NULL if there is no such day.
CREATE OR REPLACE FUNCTION vitrina_mis.day(p_text text) RETURNS date LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN to_date(substring(btrim(p_text) FROM '^\d{4}-\d{2}-\d{2}'), 'YYYY-MM-DD');
EXCEPTION
    WHEN datetime_field_overflow OR invalid_datetime_format THEN RETURN NULL;
END
$$;

-- The names under which a request knows a patient: its own, the register's, and those that the register has united with it.
CREATE OR REPLACE FUNCTION vitrina_mis.names(p_patient_id text, p_rrp_id text, p_united_guids text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(
        ARRAY[nullif(btrim(p_patient_id), ''), nullif(btrim(p_rrp_id), '')] || ARRAY(
            SELECT btrim(united)
            FROM jsonb_array_elements_text(
                CASE WHEN jsonb_typeof(p_united_guids::jsonb) = 'array' THEN p_united_guids::jsonb ELSE '[]' END
            ) AS united
            LIMIT 100
        ),
        NULL
    )
$$;

-- A patient, locked: by the names that the request has, else by SNILS, else by the policy's number. A number counts only where it belongs
-- to one patient, and where the days of birth do not contradict each other. NULL if there is none.
CREATE OR REPLACE FUNCTION vitrina_mis.find_patient(p_names text[], p_snils text, p_oms_number text, p_birth_date date)
RETURNS vitrina_mis.patient LANGUAGE plpgsql SET search_path = vitrina_mis, pg_temp AS $$
DECLARE
    v_id      text;
    v_snils   text := regexp_replace(p_snils, '\D', '', 'g');
    v_oms     text := nullif(btrim(p_oms_number), '');
    v_patient patient;
BEGIN
    SELECT p.id INTO v_id FROM patient p WHERE p.rrp_id = ANY (p_names) ORDER BY array_position(p_names, p.rrp_id) LIMIT 1;
    IF v_id IS NULL AND length(v_snils) = 11 THEN
        SELECT min(p.id) INTO v_id FROM patient p
        WHERE p.snils = v_snils AND coalesce(p.birth_date = p_birth_date, true) HAVING count(*) = 1;
    END IF;
    IF v_id IS NULL THEN
        SELECT min(p.id) INTO v_id FROM patient p
        WHERE p.oms_number = v_oms AND coalesce(p.birth_date = p_birth_date, true) HAVING count(*) = 1;
    END IF;
    SELECT * INTO v_patient FROM patient p WHERE p.id = v_id FOR NO KEY UPDATE;
    RETURN v_patient;
END
$$;

-- ----------------------------------------------------------------------------------------------------------------------------- rules

-- What stands against the slot itself.
CREATE OR REPLACE FUNCTION vitrina_mis.slot_refusal(p_slot vitrina_mis.slot) RETURNS vitrina_mis.refusal
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN p_slot.status = 'CANCELED' THEN ROW(15, 'Слот аннулирован')::vitrina_mis.refusal
        WHEN p_slot.status = 'RESERVED' THEN ROW(11, 'Слот заблокирован другим пациентом')::vitrina_mis.refusal
        WHEN p_slot.status <> 'AVAILABLE' THEN ROW(11, 'Слот занят или заблокирован')::vitrina_mis.refusal
        -- Time has taken it away: the citizen reads that it is not available and chooses another.
        WHEN p_slot.visit_time <= now() THEN ROW(15, 'Слот аннулирован')::vitrina_mis.refusal
    END
$$;

-- Whom a slot is for: the way of booking, and the age on the day of the visit. An unknown day of birth excludes nobody.
CREATE OR REPLACE FUNCTION vitrina_mis.audience_refusal(
    p_slot vitrina_mis.slot, p_booking_type text, p_by_referral boolean, p_birth_date date
) RETURNS vitrina_mis.refusal LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_years integer := extract(year FROM age(p_slot.visit_time::date, p_birth_date));
    v_tags  text[] := CASE
        WHEN p_by_referral THEN ARRAY['REFERRAL', 'ORDINARY', 'EPGU', 'REGISTRY']
        WHEN p_booking_type = 'D_OBSERVATION' THEN ARRAY['D_OBSERVATION', 'EPGU']
        WHEN p_booking_type = 'ONLINE_CONSULTING' THEN ARRAY['ONLINE', 'EPGU']
        WHEN p_booking_type = 'PAID_APPOINTMENT' THEN ARRAY['PAID']
        WHEN p_booking_type IN ('APPOINTMENT', 'VACCINATION', 'DISPENSARY', 'PROPHYLACTIC_ADULT', 'PROPHYLACTIC_CHILD')
            THEN ARRAY['EPGU']
    END;
BEGIN
    IF v_tags IS NULL THEN
        RETURN ROW(18, 'Несоответствие в переданных данных для записи')::vitrina_mis.refusal;
    ELSIF NOT string_to_array(replace(p_slot.tag_type, ' ', ''), ',') && v_tags THEN
        RETURN ROW(18, 'Бирка не соответствующего типа')::vitrina_mis.refusal;
    END IF;
    RETURN CASE
        WHEN p_slot.tag_age = 'ADULT' AND v_years < 18 THEN ROW(14, 'Бирка только для пациентов от 18 лет')::vitrina_mis.refusal
        WHEN p_slot.tag_age = 'CHILD' AND v_years >= 18 THEN ROW(14, 'Бирка только для детей до 18 лет')::vitrina_mis.refusal
        WHEN p_slot.tag_age = 'CHILD' AND v_years < 1 THEN ROW(14, 'Бирка только для пациентов СТАРШЕ ГОДА')::vitrina_mis.refusal
        WHEN p_slot.tag_age = 'BABY' AND v_years >= 1 THEN ROW(14, 'Бирка только для пациентов ДО ГОДА')::vitrina_mis.refusal
    END;
END
$$;

-- A referral must be the patient's own, free, in force on the day of the visit, and to what the slot is: its department or another one of the
-- same organisation, its resource, a profile of its resource; for a consultation its doctor's speciality, for research a service of its resource.
CREATE OR REPLACE FUNCTION vitrina_mis.referral_refusal(
    p_referral vitrina_mis.referral, p_patient_id text, p_slot vitrina_mis.slot
) RETURNS vitrina_mis.refusal LANGUAGE sql STABLE SET search_path = vitrina_mis, pg_temp AS $$
    SELECT CASE
        WHEN p_referral.patient_id = p_patient_id AND p_referral.status = 'AVAILABLE'
            AND coalesce(p_referral.start_date <= p_slot.visit_time::date, true)
            AND coalesce(p_referral.end_date >= p_slot.visit_time::date, true)
            AND (p_referral.to_mo_id IS NULL OR p_referral.to_mo_id = p_slot.mo_id OR EXISTS (
                SELECT FROM mo own JOIN mo named ON named.parent_id = own.parent_id
                WHERE own.id = p_slot.mo_id AND named.id = p_referral.to_mo_id))
            AND coalesce(p_referral.to_resource_id = p_slot.resource_id, true)
            AND (p_referral.to_profile_code IS NULL OR EXISTS (
                SELECT FROM profilecode_resource c
                WHERE c.resource_id = p_slot.resource_id AND c.profile_code = p_referral.to_profile_code))
            AND (p_referral.type <> 'CONSULTATION' OR p_referral.speciality_id IS NULL OR EXISTS (
                SELECT FROM resource r WHERE r.id = p_slot.resource_id AND r.speciality_id = p_referral.speciality_id))
            AND (p_referral.type <> 'RESEARCH' OR p_referral.to_service_id IS NULL OR EXISTS (
                SELECT FROM service v WHERE v.resource_id = p_slot.resource_id AND v.code = p_referral.to_service_id))
        THEN NULL::vitrina_mis.refusal
        ELSE ROW(18, 'Передано неверное направление.')::vitrina_mis.refusal
    END
$$;

-- What the patient's other bookings stand against: one place at a time, and one visit a day to a doctor and to a speciality. Rooms and machines
-- may be visited as often as their slots allow.
CREATE OR REPLACE FUNCTION vitrina_mis.calendar_refusal(p_patient_id text, p_slot vitrina_mis.slot)
RETURNS vitrina_mis.refusal LANGUAGE sql STABLE SET search_path = vitrina_mis, pg_temp AS $$
    WITH other AS (
        SELECT s.visit_time, s.duration, s.resource_id, CASE WHEN r.type = 'SPECIALIST' THEN r.speciality_id END AS speciality_id
        FROM booking b JOIN slot s ON s.id = b.slot_id JOIN resource r ON r.id = s.resource_id
        WHERE b.patient_id = p_patient_id AND b.status_code = 5000
    )
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM other o
            WHERE o.visit_time < p_slot.visit_time + make_interval(mins => p_slot.duration)
              AND o.visit_time + make_interval(mins => o.duration) > p_slot.visit_time
        ) THEN ROW(12, 'Есть бирка на то же время')::vitrina_mis.refusal
        WHEN EXISTS (
            SELECT FROM other o JOIN resource r ON r.id = p_slot.resource_id AND r.id = o.resource_id AND r.type = 'SPECIALIST'
            WHERE o.visit_time::date = p_slot.visit_time::date
        ) THEN ROW(13, 'Есть бирка на тот же день к тому же врачу')::vitrina_mis.refusal
        WHEN EXISTS (
            SELECT FROM other o
            JOIN resource r ON r.id = p_slot.resource_id AND r.type = 'SPECIALIST' AND r.speciality_id = o.speciality_id
            WHERE o.visit_time::date = p_slot.visit_time::date
        ) THEN ROW(13, 'Пациент имеет предстоящую запись к данному врачу или врачу данной специальности')::vitrina_mis.refusal
    END
$$;

-- --------------------------------------------------------------------------------------------------------------------------- answers

-- What is answered of a slot, and of a booking where there is one.
CREATE OR REPLACE FUNCTION vitrina_mis.told(
    p_code integer, p_message text, p_book_ext_id text, p_slot vitrina_mis.slot, p_slot_id text, p_service_id text
) RETURNS vitrina_mis.answer LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(
        p_code, p_message, p_book_ext_id, coalesce(p_slot.id::text, p_slot_id), p_slot.visit_time, p_slot.duration,
        p_service_id, p_slot.mo_id::text, p_slot.area_id, NULL
    )::vitrina_mis.answer
$$;

-- Books a slot. Asked again for the same slot, patient and application it gives the same booking again.
-- vitrina fills more parameters than are asked for here: preliminary_reservation, cards_id, dictionary_nsi_code, firstname, lastname,
-- middlename, gender, rrp_phone, rrp_email. A preliminary reservation is a booking like any other: the document has no request that would
-- confirm one, and the gateway makes a booking of every 0.
CREATE OR REPLACE FUNCTION public.vitrina_book(
    p_slot_id text, p_patient_id text, p_booking_type text, p_case_number text, p_referral_id text, p_service_id text,
    p_email text, p_mobile_phone text,
    p_rrp_id text, p_united_guids text, p_snils text, p_oms_number text, p_birthdate text
) RETURNS vitrina_mis.answer LANGUAGE plpgsql SECURITY DEFINER SET search_path = vitrina_mis, pg_temp AS $$
DECLARE
    v_patient     patient;
    v_slot        slot;
    v_referral    referral;
    v_booking     booking;
    v_refusal     refusal;
    v_birth_date  date := day(p_birthdate);
    v_by_referral boolean := coalesce(btrim(p_referral_id), '') <> '';
BEGIN
    -- Locks, always in this order: patient, slot, referral.
    v_patient := find_patient(names(p_patient_id, p_rrp_id, p_united_guids), p_snils, p_oms_number, v_birth_date);
    IF v_patient.id IS NULL THEN
        RETURN told(17, 'Пациент не найден', NULL, NULL, p_slot_id, NULL);
    END IF;
    SELECT * INTO v_slot FROM slot s WHERE s.id = guid(p_slot_id) FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN told(18, 'Слот не найден', NULL, NULL, p_slot_id, NULL);
    END IF;
    IF v_by_referral THEN
        SELECT * INTO v_referral FROM referral f WHERE f.id = guid(p_referral_id) FOR NO KEY UPDATE;
    END IF;

    SELECT * INTO v_booking FROM booking b WHERE b.slot_id = v_slot.id AND b.status_code IN (5000, 5020, 5030) LIMIT 1;
    IF v_booking.patient_id = v_patient.id AND v_booking.case_number IS NOT DISTINCT FROM p_case_number THEN
        RETURN told(0, NULL, v_booking.id::text, v_slot, NULL, v_booking.service_id);
    ELSIF v_booking.id IS NOT NULL AND v_slot.status <> 'CANCELED' THEN
        RETURN told(11, 'Бирка к врачу занята или заблокирована', NULL, v_slot, NULL, NULL);
    END IF;

    v_refusal := slot_refusal(v_slot);
    IF v_refusal.status_code IS NULL THEN
        v_refusal := audience_refusal(v_slot, p_booking_type, v_by_referral, coalesce(v_patient.birth_date, v_birth_date));
    END IF;
    IF v_refusal.status_code IS NULL AND v_by_referral THEN
        v_refusal := referral_refusal(v_referral, v_patient.id, v_slot);
    END IF;
    IF v_refusal.status_code IS NULL THEN
        v_refusal := calendar_refusal(v_patient.id, v_slot);
    END IF;
    IF v_refusal.status_code IS NOT NULL THEN
        RETURN told(v_refusal.status_code, v_refusal.status_message, NULL, v_slot, NULL, NULL);
    END IF;

    -- WRITES
    BEGIN
        INSERT INTO booking (
            id, slot_id, patient_id, given_patient_id, case_number, booking_type, referral_id, service_id, email, mobile_phone,
            status_code, create_ts, updated_at
        ) VALUES (
            gen_random_uuid(), v_slot.id, v_patient.id, btrim(p_patient_id), p_case_number, p_booking_type, v_referral.id, p_service_id,
            p_email, p_mobile_phone, 5000, now(), now()
        )
        RETURNING * INTO v_booking;
    EXCEPTION
        -- A program that does not lock was faster.
        WHEN unique_violation THEN RETURN told(11, 'Бирка к врачу занята или заблокирована', NULL, v_slot, NULL, NULL);
    END;
    UPDATE slot SET status = 'RECORDED', updated_at = now() WHERE id = v_slot.id;
    UPDATE referral SET status = 'RECORDED', updated_at = now() WHERE id = v_referral.id;
    RETURN told(0, NULL, v_booking.id::text, v_slot, NULL, v_booking.service_id);
END
$$;

-- Cancels a booking of the patient. A second time it answers 1.
CREATE OR REPLACE FUNCTION public.vitrina_cancel(p_book_ext_id text, p_patient_id text, p_united_guids text)
RETURNS vitrina_mis.answer LANGUAGE plpgsql SECURITY DEFINER SET search_path = vitrina_mis, pg_temp AS $$
DECLARE
    v_names   text[] := names(p_patient_id, NULL, p_united_guids);
    v_booking booking;
    v_slot    slot;
BEGIN
    SELECT b.* INTO v_booking FROM booking b JOIN patient p ON p.id = b.patient_id
    WHERE b.id = guid(p_book_ext_id) AND (p.rrp_id = ANY (v_names) OR b.given_patient_id = ANY (v_names));
    IF NOT FOUND THEN
        RETURN told(18, 'Произошла техническая ошибка при отмене в МИС', p_book_ext_id, NULL, NULL, NULL);
    END IF;

    -- The order of vitrina_book, and only then the booking as it is now.
    PERFORM FROM patient p WHERE p.id = v_booking.patient_id FOR NO KEY UPDATE;
    SELECT * INTO v_slot FROM slot s WHERE s.id = v_booking.slot_id FOR NO KEY UPDATE;
    PERFORM FROM referral f WHERE f.id = v_booking.referral_id FOR NO KEY UPDATE;
    SELECT * INTO v_booking FROM booking b WHERE b.id = v_booking.id FOR NO KEY UPDATE;

    IF v_booking.status_code IN (5010, 5040) THEN
        RETURN told(1, 'Запись с таким ИД уже отменена', v_booking.id::text, v_slot, NULL, v_booking.service_id);
    ELSIF v_booking.status_code <> 5000 THEN
        -- The visit took place, or its time has passed: there is nothing to cancel.
        RETURN told(18, 'Произошла техническая ошибка при отмене в МИС', v_booking.id::text, v_slot, NULL, v_booking.service_id);
    END IF;

    -- WRITES
    UPDATE booking SET status_code = 5010, updated_at = now() WHERE id = v_booking.id;
    -- A slot that was blocked or annulled meanwhile stays so.
    UPDATE slot SET status = 'AVAILABLE', updated_at = now() WHERE id = v_slot.id AND status = 'RECORDED';
    UPDATE referral SET status = 'AVAILABLE', updated_at = now() WHERE id = v_booking.referral_id AND status = 'RECORDED';
    RETURN told(0, 'Вы отменили своё заявление', v_booking.id::text, v_slot, NULL, v_booking.service_id);
END
$$;

-- The booking that stands for a slot, patient and application: status_code 0 and its book_ext_id, or 18 without one. It waits until a
-- booking of the slot that is under way has ended, so that its answer is final.
CREATE OR REPLACE FUNCTION public.vitrina_booking_lookup(
    p_slot_id text, p_patient_id text, p_case_number text, p_united_guids text
) RETURNS vitrina_mis.answer LANGUAGE plpgsql SECURITY DEFINER SET search_path = vitrina_mis, pg_temp AS $$
DECLARE
    v_names   text[] := names(p_patient_id, NULL, p_united_guids);
    v_slot    slot;
    v_booking booking;
BEGIN
    SELECT * INTO v_slot FROM slot s WHERE s.id = guid(p_slot_id) FOR NO KEY UPDATE;
    SELECT b.* INTO v_booking FROM booking b JOIN patient p ON p.id = b.patient_id
    WHERE b.slot_id = v_slot.id AND b.status_code IN (5000, 5020, 5030)
      AND b.case_number IS NOT DISTINCT FROM p_case_number
      AND (p.rrp_id = ANY (v_names) OR b.given_patient_id = ANY (v_names));
    IF NOT FOUND THEN
        RETURN told(18, 'Извините, запись невозможна', NULL, v_slot, p_slot_id, NULL);
    END IF;
    RETURN told(0, NULL, v_booking.id::text, v_slot, NULL, v_booking.service_id);
END
$$;

-- ------------------------------------------------------------------------------------------------------------------------ privileges

-- The three functions run with the rights of who installs this file; nobody else gets any right to the tables.
REVOKE ALL ON FUNCTION
    public.vitrina_book(text, text, text, text, text, text, text, text, text, text, text, text, text),
    public.vitrina_cancel(text, text, text),
    public.vitrina_booking_lookup(text, text, text, text)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    public.vitrina_book(text, text, text, text, text, text, text, text, text, text, text, text, text),
    public.vitrina_cancel(text, text, text),
    public.vitrina_booking_lookup(text, text, text, text)
TO vitrina_booking;

COMMIT;
