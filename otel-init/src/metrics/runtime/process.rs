//! The process, by the names of the semantic conventions. From `/proc`, so on Linux alone.
//!
//! <https://opentelemetry.io/docs/specs/semconv/system/process-metrics/>

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{read_dir, read_to_string};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;

/// "USER_HZ" is 100 on every platform that Linux exports `/proc` on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers what is read whenever metrics are collected.
pub(crate) fn observe(provider: &SdkMeterProvider) {
    let meter = provider.meter("otel-init.process");
    uptime(&meter);
    if cfg!(target_os = "linux") {
        cpu(&meter);
        memory(&meter);
        counts(&meter);
        faults(&meter);
        switches(&meter);
        disk(&meter);
    }
}

fn uptime(meter: &Meter) {
    let start = Instant::now();
    // Registered with the meter; the handles are of no use, here and below.
    let _ = meter
        .f64_observable_gauge("process.uptime")
        .with_unit("s")
        .with_description("The time the process has been running.")
        .with_callback(move |observer| observer.observe(start.elapsed().as_secs_f64(), &[]))
        .build();
}

fn cpu(meter: &Meter) {
    let _ = meter
        .f64_observable_counter("process.cpu.time")
        .with_unit("s")
        .with_description("Total CPU seconds broken down by different CPU modes.")
        .with_callback(|observer| {
            let Some(stat) = Stat::read() else { return };
            for (mode, field) in [("user", 14), ("system", 15)] {
                if let Some(ticks) = stat.number(field) {
                    observer.observe(ticks / TICKS_PER_SECOND, &[KeyValue::new("cpu.mode", mode)]);
                }
            }
        })
        .build();
}

fn memory(meter: &Meter) {
    for (name, description, key) in [
        ("process.memory.usage", "The amount of physical memory in use.", "VmRSS"),
        ("process.memory.virtual", "The amount of committed virtual memory.", "VmSize"),
    ] {
        let _ = meter
            .i64_observable_up_down_counter(name)
            .with_unit("By")
            .with_description(description)
            .with_callback(move |observer| {
                if let Some(kibibytes) = status(key) {
                    observer.observe(kibibytes.saturating_mul(1024), &[]);
                }
            })
            .build();
    }
}

fn counts(meter: &Meter) {
    let _ = meter
        .i64_observable_up_down_counter("process.thread.count")
        .with_unit("{thread}")
        .with_description("Process threads count.")
        .with_callback(|observer| {
            if let Some(threads) = status("Threads") {
                observer.observe(threads, &[]);
            }
        })
        .build();
    let _ = meter
        .i64_observable_up_down_counter("process.unix.file_descriptor.count")
        .with_unit("{file_descriptor}")
        .with_description("Number of unix file descriptors in use by the process.")
        .with_callback(|observer| {
            if let Ok(entries) = read_dir("/proc/self/fd") {
                observer.observe(i64::try_from(entries.count()).unwrap_or(i64::MAX), &[]);
            }
        })
        .build();
}

fn faults(meter: &Meter) {
    let _ = meter
        .u64_observable_counter("process.paging.faults")
        .with_unit("{fault}")
        .with_description("Number of page faults the process has made.")
        .with_callback(|observer| {
            let Some(stat) = Stat::read() else { return };
            for (kind, field) in [("minor", 10), ("major", 12)] {
                if let Some(count) = stat.count(field) {
                    observer.observe(count, &[KeyValue::new("system.paging.fault.type", kind)]);
                }
            }
        })
        .build();
}

fn switches(meter: &Meter) {
    const KINDS: [(&str, &str); 2] =
        [("voluntary", "voluntary_ctxt_switches"), ("involuntary", "nonvoluntary_ctxt_switches")];
    let known: Mutex<[Switches; 2]> = Mutex::default();
    let _ = meter
        .u64_observable_counter("process.context_switches")
        .with_unit("{context_switch}")
        .with_description("Number of times the process has been context switched.")
        .with_callback(move |observer| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            for ((kind, key), known) in KINDS.into_iter().zip(known.iter_mut()) {
                if let Some(threads) = of_each_thread(key) {
                    let count = known.total(threads);
                    observer.observe(count, &[KeyValue::new("process.context_switch.type", kind)]);
                }
            }
        })
        .build();
}

fn disk(meter: &Meter) {
    let _ = meter
        .u64_observable_counter("process.disk.io")
        .with_unit("By")
        .with_description("Disk bytes transferred.")
        .with_callback(|observer| {
            let Ok(io) = read_to_string("/proc/self/io") else { return };
            for (direction, key) in [("read", "read_bytes"), ("write", "write_bytes")] {
                if let Some(bytes) = entry(&io, key) {
                    observer.observe(bytes, &[KeyValue::new("disk.io.direction", direction)]);
                }
            }
        })
        .build();
}

/// A value of `/proc/self/status`, without its unit.
fn status(key: &str) -> Option<i64> {
    entry(&read_to_string("/proc/self/status").ok()?, key)
}

/// What each thread counts for itself.
fn of_each_thread(key: &str) -> Option<impl Iterator<Item = (OsString, u64)>> {
    let threads = read_dir("/proc/self/task").ok()?.flatten();
    Some(threads.filter_map(move |thread| {
        Some((thread.file_name(), entry(&read_to_string(thread.path().join("status")).ok()?, key)?))
    }))
}

/// The sum of all threads, also of those that have ended since: it must not become less.
#[derive(Default)]
struct Switches {
    threads: HashMap<OsString, u64>,
    ended: u64,
}

impl Switches {
    fn total(&mut self, threads: impl Iterator<Item = (OsString, u64)>) -> u64 {
        let now: HashMap<_, _> = threads.collect();
        // It is gone, or its id is another's.
        let has_ended = |thread, count| now.get(thread).is_none_or(|now| now < count);
        let ended = self.threads.iter().filter(|(thread, count)| has_ended(*thread, *count));
        self.ended += ended.map(|(_, count)| count).sum::<u64>();
        self.threads = now;
        self.ended + self.threads.values().sum::<u64>()
    }
}

/// `key:  value unit`
fn entry<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// `/proc/self/stat`, whose second field is a name that may have blanks.
struct Stat(String);

impl Stat {
    fn read() -> Option<Self> {
        read_to_string("/proc/self/stat").ok().map(Self)
    }

    /// The field of this number in proc(5), from 3.
    fn count(&self, field: usize) -> Option<u64> {
        let (_, after_name) = self.0.rsplit_once(')')?;
        after_name.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()
    }

    fn number(&self, field: usize) -> Option<f64> {
        self.count(field).and_then(|count| count.to_string().parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{Stat, Switches, entry};

    #[test]
    fn what_a_thread_has_counted_stays_when_it_ends() {
        let mut switches = Switches::default();
        let threads = |counts: &[(&str, u64)]| -> Vec<(OsString, u64)> {
            counts.iter().map(|(thread, count)| ((*thread).into(), *count)).collect()
        };
        for (counts, expected) in [
            (&[("1", 10), ("2", 500)][..], 510),
            (&[("1", 11)], 511),
            // A new thread, with the id of one that has ended.
            (&[("1", 11), ("2", 3)], 514),
            (&[("1", 12), ("2", 1)], 516),
            (&[], 516),
        ] {
            assert_eq!(switches.total(threads(counts).into_iter()), expected, "{counts:?}");
        }
    }

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = Stat("12 (a name) x) S 1 2 3 4 5 6 77 8 99 10 111 122 13".to_owned());
        assert_eq!((stat.count(3), stat.count(10), stat.count(12)), (None, Some(77), Some(99)));
        assert_eq!(stat.number(14), Some(111.0));
        assert_eq!(stat.count(60), None);
    }

    #[test]
    fn entries_have_units() {
        let text = "VmSize:\t  123 kB\nThreads:\t4\n";
        assert_eq!(entry::<i64>(text, "VmSize"), Some(123));
        assert_eq!(entry::<i64>(text, "Threads"), Some(4));
        assert_eq!(entry::<i64>(text, "Vm"), None);
    }
}
