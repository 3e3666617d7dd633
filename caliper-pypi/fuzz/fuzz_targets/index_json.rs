#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| caliper_pypi::fuzzing::index_json(data));
