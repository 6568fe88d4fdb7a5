#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attributes;
mod body;
pub mod carrier;
pub mod carry;
mod convention;
mod current;
mod error_type;
mod event_log;
mod fail_span;
mod glob;
mod header_capture;
mod hook;
mod in_flight;
mod install;
mod instrumenter;
mod link;
mod observed;
mod operation;
pub mod propagation;
mod providers;
mod series;
mod served;
mod text;
mod tracer;

pub use attributes::{AttributeNames, Attributes};
pub use body::{BodyObserver, ObservedBody};
pub use convention::Convention;
pub use current::{attach_context, attach_for_exemplars, current_context, sampled_span, unsampled_span};
pub use error_type::ErrorType;
pub use event_log::EventLog;
pub use fail_span::fail_span;
pub use glob::{glob_matches, glob_matches_case};
pub use header_capture::{HeaderCapture, HttpHeaders, sounds_secret};
pub use hook::call_hook;
pub use in_flight::InFlight;
pub use install::{
    Install, announce_install, announce_sampler, binds_instruments, install_generation, is_path_excluded,
    sampler_reads_attributes,
};
pub use instrumenter::Instrumenter;
pub use link::{link_from, links_from};
pub use observed::AlreadyObserved;
pub use operation::{Entered, Operation};
pub use providers::Providers;
pub use series::{SeriesCache, extend_series};
pub use served::ServerLayer;
pub use text::bounded;
