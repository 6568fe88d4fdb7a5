mod generated;
mod handover;
mod same;
