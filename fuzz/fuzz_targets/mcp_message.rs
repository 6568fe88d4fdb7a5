#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otel_fuzz::mcp_message(data));
