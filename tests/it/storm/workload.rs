//! What a hospital does meanwhile: slots are booked, blocked, moved, added; a few at a time, each time others.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::support::database::TestDb;
use crate::support::hospital::id;

/// Slots that are so far apart have one resource.
const RESOURCES: usize = 40;
/// Column of the slots that says when a row was last written.
pub const CHANGED_AT: &str = "updated_at";

/// What kinds of change there are.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// Slots disappear, and some come back.
    pub removals: bool,
    /// Slots exchange their times.
    pub swaps: bool,
}

/// A day of work, drawn from a generator.
pub struct Workload {
    kinds: Kinds,
    rng: StdRng,
    slots: usize,
    /// Slots and times given out so far beyond the first ones.
    added: usize,
    moved: usize,
}

impl Workload {
    /// Changes to the slots of a hospital that has so many.
    pub async fn new(kinds: Kinds, slots: usize, rng: StdRng, db: &TestDb) -> Self {
        // A row that took another's place would be a fault of the site, and none of these changes shall be one.
        db.execute(&[
            &format!("ALTER TABLE vitrina_fer_slot ADD COLUMN {CHANGED_AT} timestamptz NOT NULL DEFAULT now()"),
            &format!(
                "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN NEW.{CHANGED_AT} := clock_timestamp(); RETURN NEW; END'"
            ),
            "CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON vitrina_fer_slot FOR EACH ROW EXECUTE FUNCTION stamp()",
            "CREATE TABLE gone_slot (LIKE vitrina_fer_slot)",
            "CREATE TABLE gone_book (LIKE vitrina_fer_book)",
            "ALTER TABLE vitrina_fer_slot ADD PRIMARY KEY (id)",
            "ALTER TABLE vitrina_fer_slot ADD UNIQUE (resource_id, visit_time) DEFERRABLE INITIALLY DEFERRED",
        ])
        .await;
        Workload { kinds, rng, slots, added: 0, moved: 0 }
    }

    /// Changes so many slots.
    pub async fn change(&mut self, db: &TestDb, count: usize) {
        let mut statements = vec!["BEGIN".to_owned()];
        for _ in 0..count {
            statements.push(self.one());
        }
        statements.push("COMMIT".to_owned());
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        db.execute(&statements).await;
    }

    fn one(&mut self) -> String {
        let most = match self.kinds {
            Kinds { removals: false, swaps: false } => 10,
            Kinds { swaps: false, .. } => 16,
            Kinds { swaps: true, .. } => 17,
        };
        match self.rng.random_range(0..most) {
            0..=5 => self.other_status(),
            6 => self.other_duration(),
            7 | 8 => self.other_time(),
            9 => self.new_slot(),
            10 if self.kinds.removals => self.remove(),
            11 if self.kinds.removals => self.remove_booked(),
            12 if self.kinds.removals => self.replace(),
            13..=15 if self.kinds.removals => self.bring_back(),
            _ => self.swap(),
        }
    }

    /// A slot that has no book.
    fn any(&mut self) -> String {
        id(6, self.any_number())
    }

    fn any_number(&mut self) -> usize {
        let number = self.rng.random_range(0..self.slots);
        if number % 10 == 0 { number + 1 } else { number }
    }

    /// There and back again, so that versions return. Only one slot of each resource may be booked: of two booked ones that exchange
    /// their times none may be removed for it.
    fn other_status(&mut self) -> String {
        let slot = self.any_number();
        let third = if slot < RESOURCES { "RECORDED" } else { "CANCELED" };
        let status = ["AVAILABLE", "BLOCKED", third][self.rng.random_range(0..3)];
        format!("UPDATE vitrina_fer_slot SET status = '{status}' WHERE id = '{}'", id(6, slot))
    }

    fn other_duration(&mut self) -> String {
        let minutes = self.rng.random_range(5..60);
        format!("UPDATE vitrina_fer_slot SET duration = {minutes} WHERE id = '{}'", self.any())
    }

    /// To a time that nobody has had.
    fn other_time(&mut self) -> String {
        let time = self.fresh_time();
        format!("UPDATE vitrina_fer_slot SET visit_time = {time} WHERE id = '{}'", self.any())
    }

    fn fresh_time(&mut self) -> String {
        self.moved += 1;
        format!("timestamp '2032-01-01 00:00:00' + interval '{} minutes'", self.moved)
    }

    fn new_slot(&mut self) -> String {
        self.added += 1;
        let (new, time, model) = (id(6, 1_000_000 + self.added), self.fresh_time(), self.any());
        format!(
            "INSERT INTO vitrina_fer_slot SELECT '{new}', mo_id, resource_id, tag_type, tag_age, {time}, 15, 'AVAILABLE', create_ts \
             FROM vitrina_fer_slot WHERE id = '{model}'"
        )
    }

    /// Removed slots, and bookings with them, wait in tables of their own.
    fn remove(&mut self) -> String {
        take_away("slot", &format!("id = '{}'", self.any()))
    }

    /// A slot with its booking.
    fn remove_booked(&mut self) -> String {
        let slot = id(6, self.rng.random_range(0..self.slots / 10) * 10);
        let book = take_away("book", &format!("slot_id = '{slot}'"));
        format!("{book}; {}", take_away("slot", &format!("id = '{slot}'")))
    }

    /// Another slot takes the place of one that is removed.
    fn replace(&mut self) -> String {
        self.added += 1;
        let (old, new) = (self.any(), id(6, 1_000_000 + self.added));
        let insert = format!(
            "INSERT INTO vitrina_fer_slot SELECT '{new}', mo_id, resource_id, tag_type, tag_age, visit_time, 10, 'AVAILABLE', create_ts \
             FROM vitrina_fer_slot WHERE id = '{old}'"
        );
        format!("{insert}; {}", take_away("slot", &format!("id = '{old}'")))
    }

    /// Any removed slot comes back, as it was; at another time only if its own is taken. Its booking comes with it.
    fn bring_back(&mut self) -> String {
        let time = self.fresh_time();
        format!(
            "WITH back AS (DELETE FROM gone_slot WHERE id IN (SELECT id FROM gone_slot ORDER BY random() LIMIT 1) RETURNING *) \
             INSERT INTO vitrina_fer_slot SELECT id, mo_id, resource_id, tag_type, tag_age, CASE WHEN EXISTS \
             (SELECT FROM vitrina_fer_slot s WHERE s.resource_id = back.resource_id AND s.visit_time = back.visit_time) \
             THEN {time} ELSE visit_time END, duration, status, create_ts FROM back; \
             WITH back AS (DELETE FROM gone_book WHERE slot_id IN (SELECT id FROM vitrina_fer_slot) RETURNING *) \
             INSERT INTO vitrina_fer_book SELECT * FROM back"
        )
    }

    /// Two slots of one resource exchange their times.
    fn swap(&mut self) -> String {
        let one = self.any_number();
        let (a, b) = (id(6, one), id(6, (one + RESOURCES) % self.slots));
        format!(
            "UPDATE vitrina_fer_slot x SET visit_time = y.visit_time FROM vitrina_fer_slot y \
             WHERE x.resource_id = y.resource_id AND (x.id, y.id) IN (('{a}', '{b}'), ('{b}', '{a}'))"
        )
    }
}

/// Moves rows of a feed to where the program does not see them.
fn take_away(feed: &str, which: &str) -> String {
    format!(
        "WITH old AS (DELETE FROM vitrina_fer_{feed} WHERE {which} RETURNING *) INSERT INTO gone_{feed} SELECT * FROM old"
    )
}
