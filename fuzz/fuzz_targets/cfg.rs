//! Runs `diracx_fuzz::cfg`, which says what is tried.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| diracx_fuzz::cfg(data));
