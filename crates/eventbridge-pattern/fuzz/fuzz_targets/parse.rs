//! Any text as a pattern: refused with a place inside the text, or accepted, and then its compact
//! text is accepted as well and means the same.
#![no_main]

use eventbridge_pattern::Pattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Pattern::parse(text) {
        Err(error) => {
            assert!(text.is_char_boundary(error.offset));
            assert!(error.line >= 1 && error.column >= 1);
        }
        Ok(pattern) => {
            let again = Pattern::parse(pattern.text()).expect("accepted before");
            assert_eq!(again.text(), pattern.text());
            assert_eq!(again.complexity(), pattern.complexity());
            assert_eq!(again.field_paths(), pattern.field_paths());
        }
    }
});
