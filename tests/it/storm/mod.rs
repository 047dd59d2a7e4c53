//! The proof over the real HTTP stack and the built program: whatever goes wrong on the way, the mart ends equal to the source, and
//! nothing happens that the portal could complain of.

mod killed;
mod one_fault;
mod resumed;
mod site;
mod tangle;
mod weather;
mod workload;

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The generator of a test: seeded by `SEED`, else by chance. A failing test shows the seed it ran with.
fn seeded() -> StdRng {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    StdRng::seed_from_u64(seed)
}
