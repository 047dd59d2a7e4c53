-- Bookings for vitrina on MariaDB 10.5 or newer and MySQL 8: a reference that a hospital installs and adapts. docs/mis.md tells it step
-- by step.
--
--     mariadb --default-character-set=utf8mb4 mis < mysql.sql
--
-- It may be installed again at any time: tables and their rows stay, procedures are replaced. The account that installs it owns the
-- procedures, which run with its rights: keep it.
--
-- In the configuration of vitrina, where [sources.mis] has a write_url whose account has the role vitrina_booking:
--
--     [booking]
--     source = "mis"
--     book = "CALL vitrina_book(:slot_id, :patient_id, :booking_type, :case_number, :referral_id, :service_id, :email, :mobile_phone, :rrp_id, :united_guids, :snils, :oms_number, :birthdate)"
--     cancel = "CALL vitrina_cancel(:book_ext_id, :patient_id, :united_guids)"
--     lookup = "CALL vitrina_booking_lookup(:slot_id, :patient_id, :case_number, :united_guids)"
--
-- WHAT TO ADAPT
-- 1. The eight tables below are what the procedures need. If your information system has its own, create views of these names and columns
--    over yours before you install: what is there is left alone. A plain view over one table can be locked and updated through; what goes
--    into a view that cannot, write where the procedures say WRITES. If only some are views, delete the FOREIGN KEYs to them below.
-- 2. "One booking a slot" must be a constraint of the table itself, as taken_slot_id is here: the procedures lock, your other programs may
--    not.
-- 3. Every program that books must lock in the order patient, slot, referral, booking, or at least lock the slot's row before it looks.
-- 4. Times are on the hospital's clock. vitrina sets the session's zone to `timezone` of the source, so that NOW() is on it too.
-- 5. The searches for patients need the indices that stand at mis_patient: without one, a search locks the whole table.

SET NAMES utf8mb4;
-- Procedures keep the mode under which they were made.
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

-- ---------------------------------------------------------------------------------------------------------------------------- tables

CREATE TABLE IF NOT EXISTS mis_mo (
    id        varchar(36) NOT NULL PRIMARY KEY,
    -- OID of the organisation: departments of one organisation serve each other's referrals.
    parent_id varchar(64) NOT NULL,
    KEY mis_mo_parent (parent_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS mis_resource (
    id            varchar(36) NOT NULL PRIMARY KEY,
    type          varchar(16) NOT NULL CHECK (type IN ('SPECIALIST', 'MACHINE', 'ROOM')),
    -- Of doctors alone.
    speciality_id varchar(64)
) ENGINE = InnoDB;

-- Services that a resource provides: what a referral for research asks for.
CREATE TABLE IF NOT EXISTS mis_service (
    resource_id varchar(36) NOT NULL,
    code        varchar(64) NOT NULL,
    PRIMARY KEY (resource_id, code)
) ENGINE = InnoDB;

-- Profiles of care of a resource: what every referral asks for.
CREATE TABLE IF NOT EXISTS mis_profilecode_resource (
    resource_id  varchar(36) NOT NULL,
    profile_code varchar(64) NOT NULL,
    PRIMARY KEY (resource_id, profile_code)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS mis_slot (
    id          varchar(36) NOT NULL PRIMARY KEY,
    mo_id       varchar(36) NOT NULL,
    resource_id varchar(36) NOT NULL,
    -- Words separated by commas, as the slot feed sends them.
    tag_type    varchar(255) NOT NULL,
    tag_age     varchar(8) NOT NULL CHECK (tag_age IN ('ADULT', 'CHILD', 'BABY', 'ALL')),
    visit_time  datetime NOT NULL,
    -- Minutes.
    duration    integer NOT NULL CHECK (duration > 0),
    status      varchar(16) NOT NULL DEFAULT 'AVAILABLE'
                CHECK (status IN ('AVAILABLE', 'RECORDED', 'CANCELED', 'RESERVED', 'BLOCKED')),
    -- The room, if citizens are to be told.
    area_id     varchar(64),
    updated_at  timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    CONSTRAINT mis_slot_resource FOREIGN KEY (resource_id) REFERENCES mis_resource (id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS mis_patient (
    id         varchar(64) NOT NULL PRIMARY KEY,
    -- What the regional register of patients calls this person: patient_id of requests, and of the feeds book and referral.
    rrp_id     varchar(64) UNIQUE,
    -- Eleven digits.
    snils      varchar(11),
    oms_number varchar(32),
    birth_date date,
    KEY mis_patient_snils (snils),
    KEY mis_patient_oms_number (oms_number)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS mis_referral (
    id              varchar(36) NOT NULL PRIMARY KEY,
    patient_id      varchar(64) NOT NULL,
    type            varchar(16) NOT NULL CHECK (type IN ('CONSULTATION', 'RESEARCH')),
    -- What it is to. NULL where it does not say: then nothing is asked for.
    to_mo_id        varchar(36),
    to_resource_id  varchar(36),
    to_profile_code varchar(64),
    -- Of a consultation alone.
    speciality_id   varchar(64),
    -- Of research alone: the code of a service.
    to_service_id   varchar(64),
    -- Its first and last day.
    start_date      date,
    end_date        date,
    status          varchar(16) NOT NULL DEFAULT 'AVAILABLE' CHECK (status IN ('AVAILABLE', 'RECORDED', 'CANCELED')),
    updated_at      timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    CONSTRAINT mis_referral_patient FOREIGN KEY (patient_id) REFERENCES mis_patient (id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS mis_booking (
    -- book_ext_id. The feed book must send it as its id: the gateway writes the same record by itself.
    id               varchar(36) NOT NULL PRIMARY KEY,
    slot_id          varchar(36) NOT NULL,
    patient_id       varchar(64) NOT NULL,
    -- patient_id of the request. The feed book sends it too.
    given_patient_id varchar(64),
    case_number      varchar(255),
    booking_type     varchar(32) NOT NULL,
    referral_id      varchar(36),
    service_id       varchar(64),
    email            varchar(255),
    mobile_phone     varchar(64),
    -- 5000 recorded, 5010 canceled, 5020 took place, 5030 patient did not come, 5040 canceled by the patient in the hospital.
    status_code      integer NOT NULL DEFAULT 5000 CHECK (status_code IN (5000, 5010, 5020, 5030, 5040)),
    create_ts        timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at       timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    -- One booking that holds a slot, whoever writes.
    taken_slot_id    varchar(36) GENERATED ALWAYS AS
                     (CASE WHEN status_code IN (5000, 5020, 5030) THEN slot_id END) VIRTUAL UNIQUE,
    KEY mis_booking_slot (slot_id),
    KEY mis_booking_patient (patient_id, status_code),
    CONSTRAINT mis_booking_of_slot FOREIGN KEY (slot_id) REFERENCES mis_slot (id),
    CONSTRAINT mis_booking_of_patient FOREIGN KEY (patient_id) REFERENCES mis_patient (id),
    CONSTRAINT mis_booking_of_referral FOREIGN KEY (referral_id) REFERENCES mis_referral (id)
) ENGINE = InnoDB;

DELIMITER //

-- -------------------------------------------------------------------------------------------------------- what the procedures share

-- Every look at patients, slots and referrals below locks what it finds, and nothing is read without a lock before all locks are held: so
-- what is read afterwards is as fresh under REPEATABLE READ, the default, as under READ COMMITTED, and no two bookings wait for each other.

-- A patient, locked: by the names that the request has, else by SNILS, else by the policy's number. A number counts only where it belongs
-- to one patient, and where the days of birth do not contradict each other. NULL if there is none.
DROP PROCEDURE IF EXISTS vitrina_mis_find_patient //
CREATE PROCEDURE vitrina_mis_find_patient(
    IN p_patient_id varchar(255), IN p_rrp_id varchar(255), IN p_united_guids longtext,
    IN p_snils varchar(64), IN p_oms_number varchar(64), IN p_birth_date date,
    OUT o_id varchar(64), OUT o_birth_date date
) MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE v_count, v_at, v_names integer DEFAULT 0;
    DECLARE v_snils varchar(64) DEFAULT REGEXP_REPLACE(p_snils, '[^0-9]', '');
    DECLARE v_name varchar(255);
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET o_id = NULL;

    SELECT p.id, p.birth_date INTO o_id, o_birth_date FROM mis_patient p WHERE p.rrp_id = TRIM(p_patient_id) FOR UPDATE;
    IF o_id IS NULL THEN
        SELECT p.id, p.birth_date INTO o_id, o_birth_date FROM mis_patient p WHERE p.rrp_id = TRIM(p_rrp_id) FOR UPDATE;
    END IF;
    IF JSON_VALID(p_united_guids) AND JSON_TYPE(p_united_guids) = 'ARRAY' THEN
        SET v_names = LEAST(JSON_LENGTH(p_united_guids), 100);
    END IF;
    WHILE o_id IS NULL AND v_at < v_names DO
        SET v_name = TRIM(JSON_UNQUOTE(JSON_EXTRACT(p_united_guids, CONCAT('$[', v_at, ']'))));
        SELECT p.id, p.birth_date INTO o_id, o_birth_date FROM mis_patient p WHERE p.rrp_id = v_name FOR UPDATE;
        SET v_at = v_at + 1;
    END WHILE;
    IF o_id IS NULL AND CHAR_LENGTH(v_snils) = 11 THEN
        SELECT COUNT(*), MIN(p.id), MIN(p.birth_date) INTO v_count, o_id, o_birth_date FROM mis_patient p
        WHERE p.snils = v_snils AND COALESCE(p.birth_date = p_birth_date, TRUE) FOR UPDATE;
        SET o_id = IF(v_count = 1, o_id, NULL);
    END IF;
    IF o_id IS NULL AND TRIM(p_oms_number) <> '' THEN
        SELECT COUNT(*), MIN(p.id), MIN(p.birth_date) INTO v_count, o_id, o_birth_date FROM mis_patient p
        WHERE p.oms_number = TRIM(p_oms_number) AND COALESCE(p.birth_date = p_birth_date, TRUE) FOR UPDATE;
        SET o_id = IF(v_count = 1, o_id, NULL);
    END IF;
END //

-- The day of «1999-10-10T00:00:00»; NULL if there is no such day.
DROP FUNCTION IF EXISTS vitrina_mis_day //
CREATE FUNCTION vitrina_mis_day(p_text varchar(64)) RETURNS date DETERMINISTIC SQL SECURITY DEFINER
BEGIN
    DECLARE v_day date;
    DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET v_day = NULL;
    IF TRIM(p_text) REGEXP '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN
        SET v_day = CAST(LEFT(TRIM(p_text), 10) AS date);
    END IF;
    RETURN v_day;
END //

-- True when a request means a patient by this name: as its own, or as one that the register has united with it.
DROP FUNCTION IF EXISTS vitrina_mis_is_named //
CREATE FUNCTION vitrina_mis_is_named(p_name varchar(64), p_patient_id varchar(255), p_united_guids longtext) RETURNS boolean
DETERMINISTIC SQL SECURITY DEFINER
    RETURN COALESCE(p_name = TRIM(p_patient_id), FALSE)
        OR COALESCE(JSON_VALID(p_united_guids) AND JSON_CONTAINS(p_united_guids, JSON_QUOTE(p_name)), FALSE) //

-- True when the slot may be booked in this way: a word of its tag_type must be among those of the way. NULL for an unknown way.
DROP FUNCTION IF EXISTS vitrina_mis_tag_fits //
CREATE FUNCTION vitrina_mis_tag_fits(p_tag_type varchar(255), p_booking_type varchar(255), p_by_referral boolean)
RETURNS boolean DETERMINISTIC SQL SECURITY DEFINER
BEGIN
    DECLARE v_tags varchar(255) DEFAULT REPLACE(p_tag_type, ' ', '');
    RETURN CASE
        WHEN p_by_referral THEN FIND_IN_SET('REFERRAL', v_tags) OR FIND_IN_SET('ORDINARY', v_tags)
            OR FIND_IN_SET('EPGU', v_tags) OR FIND_IN_SET('REGISTRY', v_tags)
        WHEN p_booking_type = 'D_OBSERVATION' THEN FIND_IN_SET('D_OBSERVATION', v_tags) OR FIND_IN_SET('EPGU', v_tags)
        WHEN p_booking_type = 'ONLINE_CONSULTING' THEN FIND_IN_SET('ONLINE', v_tags) OR FIND_IN_SET('EPGU', v_tags)
        WHEN p_booking_type = 'PAID_APPOINTMENT' THEN FIND_IN_SET('PAID', v_tags) > 0
        WHEN p_booking_type IN ('APPOINTMENT', 'VACCINATION', 'DISPENSARY', 'PROPHYLACTIC_ADULT', 'PROPHYLACTIC_CHILD')
            THEN FIND_IN_SET('EPGU', v_tags) > 0
    END;
END //

-- ------------------------------------------------------------------------------------------------------------------------- booking

-- Books a slot. Asked again for the same slot, patient and application it gives the same booking again.
-- vitrina fills more parameters than are asked for here: preliminary_reservation, cards_id, dictionary_nsi_code, firstname, lastname,
-- middlename, gender, rrp_phone, rrp_email. A preliminary reservation is a booking like any other: the document has no request that would
-- confirm one, and the gateway makes a booking of every 0.
DROP PROCEDURE IF EXISTS vitrina_book //
CREATE PROCEDURE vitrina_book(
    IN p_slot_id varchar(255), IN p_patient_id varchar(255), IN p_booking_type varchar(255), IN p_case_number varchar(255),
    IN p_referral_id varchar(255), IN p_service_id varchar(255), IN p_email varchar(255), IN p_mobile_phone varchar(255),
    IN p_rrp_id varchar(255), IN p_united_guids longtext, IN p_snils varchar(64), IN p_oms_number varchar(64),
    IN p_birthdate varchar(64)
) MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE v_code integer;
    DECLARE v_message, v_service varchar(255);
    DECLARE v_patient, v_holder, v_speciality, v_referral_speciality, v_to_profile, v_to_service varchar(64);
    DECLARE v_referral_type varchar(16);
    DECLARE v_to_mo, v_to_resource, v_doctor varchar(36);
    DECLARE v_case_number varchar(255);
    DECLARE v_birth_date date;
    DECLARE v_slot, v_mo, v_resource, v_referral, v_booking varchar(36);
    DECLARE v_tag_type, v_tag_age, v_status, v_referral_patient, v_referral_status, v_area varchar(255);
    DECLARE v_start, v_end datetime;
    DECLARE v_referral_start, v_referral_end date;
    DECLARE v_duration, v_years, v_against, v_fits integer;
    DECLARE v_by_referral boolean DEFAULT COALESCE(TRIM(p_referral_id), '') <> '';
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;

    rules: BEGIN
        -- Locks, always in this order: patient, slot, referral.
        CALL vitrina_mis_find_patient(
            p_patient_id, p_rrp_id, p_united_guids, p_snils, p_oms_number, vitrina_mis_day(p_birthdate), v_patient, v_birth_date
        );
        IF v_patient IS NULL THEN
            SET v_code = 17, v_message = 'Пациент не найден';
            LEAVE rules;
        END IF;
        SELECT s.id, s.mo_id, s.resource_id, s.tag_type, s.tag_age, s.status, s.visit_time, s.duration, s.area_id
        INTO v_slot, v_mo, v_resource, v_tag_type, v_tag_age, v_status, v_start, v_duration, v_area
        FROM mis_slot s WHERE s.id = LOWER(TRIM(p_slot_id)) FOR UPDATE;
        IF v_slot IS NULL THEN
            SET v_code = 18, v_message = 'Слот не найден';
            LEAVE rules;
        END IF;
        IF v_by_referral THEN
            SELECT f.id, f.patient_id, f.status, f.start_date, f.end_date,
                   f.type, f.to_mo_id, f.to_resource_id, f.to_profile_code, f.speciality_id, f.to_service_id
            INTO v_referral, v_referral_patient, v_referral_status, v_referral_start, v_referral_end,
                 v_referral_type, v_to_mo, v_to_resource, v_to_profile, v_referral_speciality, v_to_service
            FROM mis_referral f WHERE f.id = LOWER(TRIM(p_referral_id)) FOR UPDATE;
        END IF;

        SELECT b.id, b.patient_id, b.case_number, b.service_id INTO v_booking, v_holder, v_case_number, v_service
        FROM mis_booking b WHERE b.slot_id = v_slot AND b.status_code IN (5000, 5020, 5030) LIMIT 1;
        IF v_holder = v_patient AND v_case_number <=> p_case_number THEN
            SET v_code = 0;
            LEAVE rules;
        END IF;
        SET v_booking = NULL, v_service = NULL;

        -- The slot itself. Where time has taken it away, the citizen reads that it is not available and chooses another.
        IF v_status = 'CANCELED' THEN
            SET v_code = 15, v_message = 'Слот аннулирован';
        ELSEIF v_holder IS NOT NULL THEN
            SET v_code = 11, v_message = 'Бирка к врачу занята или заблокирована';
        ELSEIF v_status = 'RESERVED' THEN
            SET v_code = 11, v_message = 'Слот заблокирован другим пациентом';
        ELSEIF v_status <> 'AVAILABLE' THEN
            SET v_code = 11, v_message = 'Слот занят или заблокирован';
        ELSEIF v_start <= NOW() THEN
            SET v_code = 15, v_message = 'Слот аннулирован';
        ELSEIF vitrina_mis_tag_fits(v_tag_type, p_booking_type, v_by_referral) IS NULL THEN
            SET v_code = 18, v_message = 'Несоответствие в переданных данных для записи';
        ELSEIF NOT vitrina_mis_tag_fits(v_tag_type, p_booking_type, v_by_referral) THEN
            SET v_code = 18, v_message = 'Бирка не соответствующего типа';
        END IF;
        IF v_code IS NOT NULL THEN
            LEAVE rules;
        END IF;

        -- Age on the day of the visit. An unknown day of birth excludes nobody.
        SET v_years = TIMESTAMPDIFF(YEAR, COALESCE(v_birth_date, vitrina_mis_day(p_birthdate)), DATE(v_start));
        IF v_tag_age = 'ADULT' AND v_years < 18 THEN
            SET v_code = 14, v_message = 'Бирка только для пациентов от 18 лет';
        ELSEIF v_tag_age = 'CHILD' AND v_years >= 18 THEN
            SET v_code = 14, v_message = 'Бирка только для детей до 18 лет';
        ELSEIF v_tag_age = 'CHILD' AND v_years < 1 THEN
            SET v_code = 14, v_message = 'Бирка только для пациентов СТАРШЕ ГОДА';
        ELSEIF v_tag_age = 'BABY' AND v_years >= 1 THEN
            SET v_code = 14, v_message = 'Бирка только для пациентов ДО ГОДА';
        END IF;
        IF v_code IS NOT NULL THEN
            LEAVE rules;
        END IF;

        -- A referral must be the patient's own, free, in force on the day of the visit, and to what the slot is: its department or another one of
        -- the same organisation, its resource, a profile of its resource; for a consultation its doctor's speciality, for research a service of
        -- its resource. One plain SELECT, for the reason that is given below.
        SELECT IF(r.type = 'SPECIALIST', r.speciality_id, NULL), IF(r.type = 'SPECIALIST', r.id, NULL),
               (v_to_mo IS NULL OR v_to_mo = v_mo OR EXISTS (
                   SELECT 1 FROM mis_mo own JOIN mis_mo named ON named.parent_id = own.parent_id
                   WHERE own.id = v_mo AND named.id = v_to_mo))
               AND (v_to_resource IS NULL OR v_to_resource = r.id)
               AND (v_to_profile IS NULL OR EXISTS (
                   SELECT 1 FROM mis_profilecode_resource c WHERE c.resource_id = r.id AND c.profile_code = v_to_profile))
               AND (v_referral_type <> 'CONSULTATION' OR v_referral_speciality IS NULL
                   OR COALESCE(r.speciality_id = v_referral_speciality, FALSE))
               AND (v_referral_type <> 'RESEARCH' OR v_to_service IS NULL OR EXISTS (
                   SELECT 1 FROM mis_service v WHERE v.resource_id = r.id AND v.code = v_to_service))
        INTO v_speciality, v_doctor, v_fits FROM mis_resource r WHERE r.id = v_resource;
        IF v_by_referral AND NOT COALESCE(
            v_referral_patient = v_patient AND v_referral_status = 'AVAILABLE' AND v_fits
            AND COALESCE(v_referral_start <= DATE(v_start), TRUE)
            AND COALESCE(v_referral_end >= DATE(v_start), TRUE),
            FALSE
        ) THEN
            SET v_code = 18, v_message = 'Передано неверное направление.';
            LEAVE rules;
        END IF;

        -- The patient's other bookings: one place at a time, and one visit a day to a doctor and to a speciality. Rooms and machines may be
        -- visited as often as their slots allow.
        SET v_end = v_start + INTERVAL v_duration MINUTE;
        -- One plain SELECT: inside an IF it would lock what it reads, and the gaps between, against the bookings of others.
        SELECT MAX(CASE WHEN s.visit_time < v_end AND s.visit_time + INTERVAL s.duration MINUTE > v_start THEN 3
                        WHEN DATE(s.visit_time) = DATE(v_start) AND s.resource_id = v_doctor THEN 2
                        WHEN DATE(s.visit_time) = DATE(v_start) AND r.type = 'SPECIALIST' AND r.speciality_id = v_speciality THEN 1 END)
        INTO v_against
        FROM mis_booking b JOIN mis_slot s ON s.id = b.slot_id JOIN mis_resource r ON r.id = s.resource_id
        WHERE b.patient_id = v_patient AND b.status_code = 5000;
        IF v_against = 3 THEN
            SET v_code = 12, v_message = 'Есть бирка на то же время';
        ELSEIF v_against = 2 THEN
            SET v_code = 13, v_message = 'Есть бирка на тот же день к тому же врачу';
        ELSEIF v_against = 1 THEN
            SET v_code = 13, v_message = 'Пациент имеет предстоящую запись к данному врачу или врачу данной специальности';
        END IF;
        IF v_code IS NOT NULL THEN
            LEAVE rules;
        END IF;

        -- WRITES
        BEGIN
            -- A program that does not lock was faster.
            DECLARE EXIT HANDLER FOR 1062
                SET v_code = 11, v_message = 'Бирка к врачу занята или заблокирована', v_booking = NULL;
            SET v_booking = LOWER(UUID());
            INSERT INTO mis_booking (
                id, slot_id, patient_id, given_patient_id, case_number, booking_type, referral_id, service_id, email, mobile_phone,
                status_code, create_ts, updated_at
            ) VALUES (
                v_booking, v_slot, v_patient, TRIM(p_patient_id), p_case_number, p_booking_type, v_referral, p_service_id, p_email,
                p_mobile_phone, 5000, NOW(), NOW()
            );
            UPDATE mis_slot SET status = 'RECORDED', updated_at = NOW() WHERE id = v_slot;
            UPDATE mis_referral SET status = 'RECORDED', updated_at = NOW() WHERE id = v_referral;
            SET v_code = 0, v_service = p_service_id;
        END;
    END rules;

    SELECT v_code AS status_code, v_message AS status_message, v_booking AS book_ext_id, COALESCE(v_slot, p_slot_id) AS slot_id,
           v_start AS visit_time, v_duration AS duration, v_service AS service_id, v_mo AS organization_id, v_area AS area_id,
           CAST(NULL AS char(1)) AS queue_number;
END //

-- Cancels a booking of the patient. A second time it answers 1.
DROP PROCEDURE IF EXISTS vitrina_cancel //
CREATE PROCEDURE vitrina_cancel(IN p_book_ext_id varchar(255), IN p_patient_id varchar(255), IN p_united_guids longtext)
MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE v_code, v_status, v_duration integer;
    DECLARE v_message, v_service, v_area varchar(255);
    DECLARE v_patient, v_given, v_rrp varchar(64);
    DECLARE v_slot, v_mo, v_referral varchar(36);
    DECLARE v_start datetime;
    DECLARE v_booking varchar(255) DEFAULT LOWER(TRIM(p_book_ext_id));
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;

    rules: BEGIN
        SET v_code = 18, v_message = 'Произошла техническая ошибка при отмене в МИС';
        -- The booking's own row may be locked before the others: vitrina_book never waits for it.
        SELECT b.slot_id, b.patient_id, b.referral_id, b.given_patient_id, b.service_id, b.status_code
        INTO v_slot, v_patient, v_referral, v_given, v_service, v_status FROM mis_booking b WHERE b.id = v_booking FOR UPDATE;
        SELECT p.rrp_id INTO v_rrp FROM mis_patient p WHERE p.id = v_patient FOR UPDATE;
        IF NOT vitrina_mis_is_named(v_rrp, p_patient_id, p_united_guids)
            AND NOT vitrina_mis_is_named(v_given, p_patient_id, p_united_guids)
        THEN
            SET v_slot = NULL, v_service = NULL;
            LEAVE rules;
        END IF;
        SELECT s.mo_id, s.visit_time, s.duration, s.area_id INTO v_mo, v_start, v_duration, v_area
        FROM mis_slot s WHERE s.id = v_slot FOR UPDATE;

        IF v_status IN (5010, 5040) THEN
            SET v_code = 1, v_message = 'Запись с таким ИД уже отменена';
        ELSEIF v_status = 5000 THEN
            -- WRITES. A slot that was blocked or annulled meanwhile stays so.
            UPDATE mis_booking SET status_code = 5010, updated_at = NOW() WHERE id = v_booking;
            UPDATE mis_slot SET status = 'AVAILABLE', updated_at = NOW() WHERE id = v_slot AND status = 'RECORDED';
            UPDATE mis_referral SET status = 'AVAILABLE', updated_at = NOW() WHERE id = v_referral AND status = 'RECORDED';
            SET v_code = 0, v_message = 'Вы отменили своё заявление';
        END IF;
        -- Otherwise the visit took place, or its time has passed: there is nothing to cancel.
    END rules;

    SELECT v_code AS status_code, v_message AS status_message, p_book_ext_id AS book_ext_id, v_slot AS slot_id,
           v_start AS visit_time, v_duration AS duration, v_service AS service_id, v_mo AS organization_id, v_area AS area_id,
           CAST(NULL AS char(1)) AS queue_number;
END //

-- The booking that stands for a slot, patient and application: status_code 0 and its book_ext_id, or 18 without one. It waits until a
-- booking of the slot that is under way has ended, so that its answer is final.
DROP PROCEDURE IF EXISTS vitrina_booking_lookup //
CREATE PROCEDURE vitrina_booking_lookup(
    IN p_slot_id varchar(255), IN p_patient_id varchar(255), IN p_case_number varchar(255), IN p_united_guids longtext
) MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE v_service, v_area varchar(255);
    DECLARE v_slot, v_mo, v_booking varchar(36);
    DECLARE v_start datetime;
    DECLARE v_duration integer;
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;

    SELECT s.id, s.mo_id, s.visit_time, s.duration, s.area_id INTO v_slot, v_mo, v_start, v_duration, v_area
    FROM mis_slot s WHERE s.id = LOWER(TRIM(p_slot_id)) FOR UPDATE;
    SELECT b.id, b.service_id INTO v_booking, v_service FROM mis_booking b JOIN mis_patient p ON p.id = b.patient_id
    WHERE b.slot_id = v_slot AND b.status_code IN (5000, 5020, 5030) AND b.case_number <=> p_case_number
      AND (vitrina_mis_is_named(p.rrp_id, p_patient_id, p_united_guids)
           OR vitrina_mis_is_named(b.given_patient_id, p_patient_id, p_united_guids));

    SELECT IF(v_booking IS NULL, 18, 0) AS status_code, IF(v_booking IS NULL, 'Извините, запись невозможна', NULL) AS status_message,
           v_booking AS book_ext_id, COALESCE(v_slot, p_slot_id) AS slot_id, v_start AS visit_time, v_duration AS duration,
           v_service AS service_id, v_mo AS organization_id, v_area AS area_id, CAST(NULL AS char(1)) AS queue_number;
END //

DELIMITER ;

-- ------------------------------------------------------------------------------------------------------------------------ privileges

-- The account of vitrina gets the role and nothing else.
-- MariaDB: GRANT vitrina_booking TO vitrina_writer; SET DEFAULT ROLE vitrina_booking FOR vitrina_writer;
-- MySQL:   GRANT vitrina_booking TO vitrina_writer; SET DEFAULT ROLE vitrina_booking TO vitrina_writer;
CREATE ROLE IF NOT EXISTS vitrina_booking;
GRANT EXECUTE ON PROCEDURE vitrina_book TO vitrina_booking;
GRANT EXECUTE ON PROCEDURE vitrina_cancel TO vitrina_booking;
GRANT EXECUTE ON PROCEDURE vitrina_booking_lookup TO vitrina_booking;
