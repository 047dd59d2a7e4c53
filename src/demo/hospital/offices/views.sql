-- The seven views of the other portals: columns named as on the wire, values still in the hospital's own forms.
CREATE VIEW vitrina_sout_training AS
SELECT 'T-' || t.id AS outer_id,
       t.last_name AS last_name,
       t.first_name AS first_name,
       t.middle_name AS middle_name,
       t.snils AS snils,
       t.foreign_no IS NOT NULL AS is_foreign_snils,
       t.foreign_no AS foreign_snils,
       t.citizenship AS citizenship,
       t.post AS position,
       e.inn AS employer_inn,
       e.title AS employer_title,
       o.inn AS organization_inn,
       o.title AS organization_title,
       p.tested_on AS test_date,
       p.number AS protocol_number,
       p.program AS learn_program_id,
       t.passed AS is_passed
FROM tests t
JOIN protocols p ON p.id = t.protocol_id
JOIN organizations e ON e.id = t.employer_id
JOIN organizations o ON o.id = p.trainer_id;

CREATE VIEW vitrina_nmo_module AS
SELECT c.code AS module_id,
       c.title AS name,
       c.description AS description,
       c.annotation AS annotation,
       c.opened_on AS available_from,
       c.hours AS hours,
       c.price IS NOT NULL AS is_paid,
       c.price AS price,
       CASE WHEN c.guideline IS NULL THEN 'iomT' ELSE 'iomKR' END AS type,
       c.guideline AS kr_name,
       c.guideline_year AS kr_develop_year,
       'interSituationTask' AS kind,
       o.inn AS organization_inn,
       o.title AS organization_name,
       json_array(json_object(
           'level', CASE c.for_nurses WHEN 0 THEN 'university' ELSE 'middle_spec' END,
           'name', c.speciality,
           'main', json('true')
       )) AS specialities
FROM courses c
JOIN organizations o ON o.id = 1
WHERE NOT c.closed;

CREATE VIEW vitrina_nmo_result AS
SELECT 'R-' || l.id AS id,
       c.code AS module_id,
       l.snils AS snils,
       l.pin AS pin,
       CASE l.progress WHEN 0 THEN 'started' WHEN 1 THEN 'in_progress' WHEN 2 THEN 'failed' ELSE 'completed' END AS status,
       l.changed_on AS status_date,
       l.mark AS result_mark,
       l.percent AS completion_percentage,
       l.certificate AS certificate_number
FROM learners l JOIN courses c ON c.id = l.course_id;

CREATE VIEW vitrina_pos_poll AS
SELECT 'P-' || s.id AS external_id,
       s.title AS title,
       s.description AS description,
       s.people AS participants_count,
       'Региональный' AS level,
       '71' AS reg_oktmo,
       s.begins AS start_date,
       s.ends AS end_date,
       s.note AS service_info
FROM surveys s;

CREATE VIEW vitrina_pos_voting AS
SELECT 'V-' || v.id AS external_id,
       v.title AS title,
       v.people AS participants_count,
       CASE v.municipal WHEN 0 THEN 'Региональный' ELSE 'Муниципальный' END AS level,
       '71' AS reg_oktmo,
       CASE v.municipal WHEN 0 THEN NULL ELSE '71887000' END AS mun_oktmo,
       v.begins AS start_date,
       v.ends AS end_date
FROM votings v;

CREATE VIEW vitrina_pos_voting_object AS
SELECT 'O-' || c.id AS external_id,
       'V-' || c.voting_id AS external_voting_id,
       c.title AS title,
       v.people AS participants_count,
       c.votes AS votes_for,
       CASE v.municipal WHEN 0 THEN 'Региональный' ELSE 'Муниципальный' END AS level,
       '71' AS reg_oktmo,
       CASE v.municipal WHEN 0 THEN NULL ELSE '71887000' END AS mun_oktmo,
       c.winner AS is_winner
FROM candidates c JOIN votings v ON v.id = c.voting_id;

CREATE VIEW vitrina_ekdo_document AS
SELECT 'K-' || d.id AS id,
       d.employee AS employee_name,
       d.subtype AS subtype,
       d.number AS number,
       d.signed_on AS date,
       d.file AS file_path,
       d.signature AS signature_path,
       CASE d.qualified WHEN 0 THEN 'УНЭП' ELSE 'УКЭП' END AS signature_type
FROM documents d;
