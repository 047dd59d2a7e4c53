//! Who is to blame for a refusal: what a proxy before the portal, or a portal in trouble, says to everything condemns nothing, is asked about
//! ever more rarely, and is made up for by itself.

use std::time::Duration;

use vitrina::ledger::State;
use vitrina::record::Key;
use vitrina::sync::Stop;
use vitrina::transport::Trouble;

use crate::support::world::{FEEDS, TestLine, World, cycle, pass, slot};

const SLOTS: u128 = 300;
const TROUBLES: [Trouble; 3] = [Trouble::Foreign { retry_after: None }, Trouble::TooLarge, Trouble::Unattributed];

/// What a daemon does: the feeds that may speak to the portal have their cycles, second by second.
async fn live(line: &TestLine, seconds: u64) {
    for _ in 0..seconds {
        for feed in FEEDS.into_iter().filter(|feed| line.lets_pass(feed)) {
            cycle(line, feed).await;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

async fn refused(world: &World, line: &TestLine) -> usize {
    let mut refused = 0;
    for feed in FEEDS {
        refused += world.refusals(line, feed).await.iter().filter(|(_, state, _)| *state == State::Rejected).count();
    }
    refused
}

/// Everything is refused for 16 seconds, as long as the portal holds these slots; then all is well.
async fn suffer(trouble: Trouble, batch: usize, held_before: usize) {
    let mut world = World::with_slots(SLOTS);
    (world.batch, world.in_flight) = (batch, 4);
    let line = world.start().await;
    if held_before > 0 {
        world.tables.get_mut("slot").unwrap().retain(|id, _| *id <= held_before as u128);
        world.publish("slot");
        live(&line, 1).await;
        (1..=SLOTS).for_each(|id| world.put("slot", id, slot(id, "AVAILABLE")));
    }
    assert_eq!(world.portal.held("slot").len(), held_before);
    world.portal.put_in_front(Some(trouble));
    world.portal.forget_requests();
    live(&line, 16).await;
    let about = format!("{trouble:?}, batches of {batch}, after {held_before}");
    assert_eq!(refused(&world, &line).await, 0, "{about}: nothing is condemned");
    let asked = world.portal.seen().requests.len();
    // One incident at first, of as many requests as may be under way, three for each; then one or two after each of some six pauses.
    assert!((2..=26).contains(&asked), "{about}: {asked} requests");
    world.portal.put_in_front(None);
    // The longest pause that can have begun.
    live(&line, 20).await;
    assert_eq!(refused(&world, &line).await, 0, "{about}");
    assert_eq!(world.portal.held("slot").len(), SLOTS as usize, "{about}: everything goes out by itself");
    assert!(
        world.portal.sizes("slot").into_iter().max() >= Some(batch.min(100)),
        "{about}: batches are as large as ever"
    );
}

#[tokio::test(start_paused = true)]
async fn what_answers_everything_with_a_refusal_condemns_nothing_from_the_first_request_on() {
    for trouble in TROUBLES {
        for batch in [1, 50, 500] {
            Box::pin(suffer(trouble, batch, 0)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_answers_everything_with_a_refusal_condemns_nothing_in_mid_upload() {
    for trouble in TROUBLES {
        for batch in [1, 50, 500] {
            Box::pin(suffer(trouble, batch, 120)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_one_request_shows_whether_the_portal_is_well() {
    let mut world = World::with_slots(SLOTS);
    (world.batch, world.in_flight) = (10, 4);
    let line = world.start().await;
    world.portal.put_in_front(Some(Trouble::Foreign { retry_after: Some(Duration::from_secs(5)) }));
    assert_eq!(cycle(&line, "mo").await.stop, Some(Stop::PortalFailed));
    assert_eq!(cycle(&line, "slot").await.stop, Some(Stop::PortalPaused));
    world.portal.put_in_front(None);
    tokio::time::advance(Duration::from_secs(5)).await;
    pass(&line).await;
    world.portal.put_in_front(Some(Trouble::Foreign { retry_after: Some(Duration::from_secs(5)) }));
    (1..=SLOTS).for_each(|id| world.put("slot", id, slot(id, "BLOCKED")));
    cycle(&line, "slot").await;
    tokio::time::advance(Duration::from_secs(5)).await;
    world.portal.forget_requests();
    cycle(&line, "slot").await;
    assert_eq!(world.portal.sizes("slot"), [1], "the others wait for what comes of it");
}

#[tokio::test(start_paused = true)]
async fn a_lone_record_is_condemned_only_while_others_of_its_feed_are_accepted() {
    let mut world = World::with_slots(1);
    world.portal.choke_on(Key::Guid(1));
    let line = world.start().await;
    for _ in 0..5 {
        pass(&line).await;
        tokio::time::advance(Duration::from_secs(90)).await;
    }
    assert_eq!((refused(&world, &line).await, line.feed("slot").unwrap().counts().pending), (0, 1));
    world.put("slot", 2, slot(2, "AVAILABLE"));
    for _ in 0..2 {
        pass(&line).await;
        tokio::time::advance(Duration::from_secs(90)).await;
    }
    let guilty = (Some(Key::Guid(1)), State::Rejected, "REFUSED".to_owned());
    assert_eq!(world.refusals(&line, "slot").await, [guilty]);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_a_proxy_refuses_is_made_again() {
    let mut world = World::with_slots(30);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 7);
    for trouble in TROUBLES.into_iter().take(2) {
        world.portal.next_removal(crate::support::portal::Act::Fail(trouble));
        pass(&line).await;
        assert_eq!(refused(&world, &line).await, 0, "{trouble:?}");
        tokio::time::advance(Duration::from_secs(120)).await;
    }
    pass(&line).await;
    assert_eq!(world.portal.held("slot").len(), 29);
}
