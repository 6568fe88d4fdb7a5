//! OpenTelemetry for gRPC services and clients built on tonic.
//!
//! Planned: nothing is exported yet. The workspace README says what exists today.
