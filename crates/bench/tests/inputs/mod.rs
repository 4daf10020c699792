//! What the fuzz target of a task's items does with bytes.

use pacemark_bench::tasks::choices::{Format, read};
use std::collections::HashSet;

/// Any text is refused by line and field, or holds items that can be asked, in every format.
pub(crate) fn items(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for format in Format::ALL {
        let Ok(items) = read("fuzz.jsonl", text, format, None) else { continue };
        let ids: HashSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids.len(), items.len(), "no two items have one name");
        for item in &items {
            assert!(item.choices.len() >= 2 && item.gold < item.choices.len(), "{item:?}");
            assert!(item.choices.iter().all(|choice| !choice.trim().is_empty()), "{item:?}");
        }
        assert!(read("fuzz.jsonl", text, format, Some(1)).is_ok_and(|one| one.len() == 1));
    }
}
