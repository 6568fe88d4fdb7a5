#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otel_fuzz::grpc_call(data));
