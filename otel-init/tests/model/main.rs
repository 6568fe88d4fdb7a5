//! A model of the way from the threads of a service through the buffers to the worker: the code of `src/wire` and the counts
//! of `src/export/tally.rs` as they are, with locks, conditions, atomics and threads whose every order [`shuttle`] may choose.
//!
//! Hundreds of random orders of each scenario. It finds what the tests beside the code meet by chance alone: an entry that
//! is sent twice or never, a count that is off, a wait that nobody ends. A failure prints the order, to be replayed.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "parts of a library that is not here")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says that it did not"
)]

mod scenarios;
/// What [`shuttle`] has for `src/sync/mod.rs`.
mod sync {
    pub(crate) use crate::shards::Shards;
    pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic, mpsc};
    pub(crate) use shuttle::{thread, thread_local};

    pub(crate) type Sleep = std::future::Pending<()>;

    /// In the model no time ever passes.
    pub(crate) fn sleep(_: std::time::Duration) -> Sleep {
        std::future::pending()
    }
}

#[path = "../../src/sync/shards.rs"]
mod shards;
#[path = "../../src/export/tally.rs"]
mod tally;

#[path = "../../src/wire/buffers.rs"]
mod buffers;
#[path = "../../src/wire/delivery.rs"]
mod delivery;
#[path = "../../src/wire/envelope.rs"]
mod envelope;
#[path = "../../src/wire/log.rs"]
mod log;
#[path = "../../src/wire/overtaken.rs"]
mod overtaken;
#[path = "../../src/wire/processor.rs"]
mod processor;
#[path = "../../src/wire/protobuf.rs"]
mod protobuf;
#[path = "../../src/wire/request.rs"]
mod request;
#[path = "../../src/wire/room.rs"]
mod room;
#[path = "../../src/wire/span.rs"]
mod span;
#[path = "../../src/wire/value.rs"]
mod value;
#[path = "../../src/wire/worker.rs"]
mod worker;

use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Orders of each scenario and scheduler.
const ORDERS: usize = 400;
/// How often an order departs from running one thread after the other: most errors need few departures.
const DEPARTURES: usize = 4;

/// No test harness: that would run the unit tests of the modules above, outside of the model.
fn main() {
    for (name, scenario) in scenarios::ALL {
        let start = Instant::now();
        let mut config = Config::new();
        // The default is for less than a request to encode.
        config.stack_size = 1 << 18;
        Runner::new(RandomScheduler::new(ORDERS), config.clone()).run(*scenario);
        Runner::new(PctScheduler::new(DEPARTURES, ORDERS), config).run(*scenario);
        println!("{name}: {} orders in {:.1?}", 2 * ORDERS, start.elapsed());
    }
}
