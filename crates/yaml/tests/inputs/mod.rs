//! What the tests of YAML and its fuzz target do with bytes.

use pacemark_yaml::{Item, LARGEST, Node, Table, Value, parse, read};

/// Values of a tree, and how deep it is.
fn size(node: &Node) -> (usize, usize) {
    let parts: Vec<&Node> = match &node.value {
        Value::List(list) => list.iter().collect(),
        Value::Map(map) => map.iter().map(|entry| &entry.node).collect(),
        _ => return (1, 0),
    };
    let sizes = parts.into_iter().map(size);
    sizes.fold((1, 1), |(n, deep), (more, deeper)| (n + more, deep.max(1 + deeper)))
}

/// Reads every value as everything.
fn ask(item: &Item<'_>) {
    let _ = (item.count(), item.number(), item.flag(), item.text(), item.duration());
    for item in item.list().into_iter().flatten().take(8) {
        if let Some(table) = item.table() {
            table.entries().take(8).for_each(|(_, item)| ask(&item));
        }
    }
}

fn ask_all(table: &Table<'_>) {
    table.count("test_runs");
    table.finish();
    table.entries().for_each(|(_, item)| ask(&item));
}

/// Any bytes are refused with a short message, or are a tree within the bounds.
pub(crate) fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse("fuzz.yaml", text) {
        Ok(node) => {
            let (values, depth) = size(&node);
            assert!(text.len() <= LARGEST && values <= 40_001 && depth <= 32, "{values} {depth}");
        }
        Err(error) => assert!(error.to_string().len() < 20_000, "{error}"),
    }
    let _ = read("fuzz.yaml", text, ask_all).map_err(|error| error.to_string());
}
