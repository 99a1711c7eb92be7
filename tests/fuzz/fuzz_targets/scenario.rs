#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| densebots_tests::fuzzed::scenario(input));
