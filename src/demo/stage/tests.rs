//! The verdict on a demo whose portals were filled by the real daemon: all is well at first, and each kind of damage is told of each portal.

use sqlx::SqlitePool;

use super::*;

/// Rows that change, come and go behind the daemon's back: to every portal one is false, missing, or too many.
const DAMAGE: &str = "
    UPDATE departments SET phone = '+7' WHERE id = 1;
    INSERT INTO profiles SELECT 9999, '11111111-2222-3333-4444-555555555555', resource_id, profile_code, created_at, updated_at
        FROM profiles LIMIT 1;
    UPDATE tests SET post = 'другая должность' WHERE id = 5;
    UPDATE tests SET register_no = NULL WHERE id = 6;
    DELETE FROM tests WHERE id = 7;
    UPDATE courses SET nmo_url = NULL WHERE code = 'VT-001';
    UPDATE courses SET closed = 1 WHERE code = 'VT-002';
    UPDATE learners SET changed_on = '2020-01-01' WHERE id = 3;
    UPDATE surveys SET people = people + 1 WHERE id = 1;
    INSERT INTO votings (id, title, municipal, people, begins, ends) VALUES (999, 'x', 0, 0, 0, 0);
    UPDATE candidates SET winner = 1 - winner WHERE id = 2;
    UPDATE documents SET number = '77' WHERE id = 1;
";

/// What is told of it; DEPARTMENT and DOCUMENT stand for ids that are made at random.
const TOLD: &str = "\
fer.mo: 1 different: DEPARTMENT (phone)
fer.profilecode_resource: 1 missing: 11111111-2222-3333-4444-555555555555
sout.training: 1 extra: T-7
sout.training: 2 different: T-5 (position), T-6 (base_no)
nmo.module: 1 extra: VT-002
nmo.module: 1 different: VT-001 (url)
nmo.result: 1 different: R-3 (status_date)
pos.poll: 1 different: P-1 (participants_count)
pos.voting: 1 missing: V-999
pos.voting: 1 not confirmed
pos.voting_object: 1 different: O-2 (is_winner)
ekdo.document: 1 missing: K-1
ekdo.document: 1 extra: nobody's DOCUMENT
";

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_a_false_and_a_needless_record_are_told_of_every_portal() {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let stage = Stage::open(StageSettings { slots: 40, listen, record: None }).await.unwrap();
    let Stage { hospital, mocks, daemon, life, stop_life, folder, .. } = stage;
    stop_life.cancel();
    life.await.unwrap().unwrap();
    let papers = Folder(folder.path()).papers();
    let expected = hospital.expected().await.unwrap();
    let deadline = Instant::now() + CATCH_UP;
    let status = loop {
        let status = daemon.status();
        let found = differences(&hospital, &mocks, &papers, &status, &expected).await.unwrap();
        if found.is_empty() {
            break status;
        }
        assert!(Instant::now() < deadline, "{found}");
        tokio::time::sleep(LOOK).await;
    };
    daemon.stop().await;
    let department: String = {
        let pool = SqlitePool::connect(&hospital.source_url()).await.unwrap();
        sqlx::raw_sql(DAMAGE).execute(&pool).await.unwrap();
        sqlx::query_scalar("SELECT lower(guid) FROM departments WHERE id = 1").fetch_one(&pool).await.unwrap()
    };
    let expected = hospital.expected().await.unwrap();
    let told = differences(&hospital, &mocks, &papers, &status, &expected).await.unwrap().to_string();
    let document = told.rsplit_once("nobody's ").unwrap().1.trim_end();
    assert_eq!(told.replace(&department, "DEPARTMENT").replace(document, "DOCUMENT"), TOLD);
}
