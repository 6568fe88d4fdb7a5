mod generated;
mod handover;
mod outage;
mod same;
