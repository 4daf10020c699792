//! Files as people write them, right and wrong, and the fuzz target's seeds, mutated.

mod inputs;

use pacemark_yaml::{Node, Value, parse, read};
use std::time::Duration;

fn refused(text: &str) -> String {
    parse("f.yaml", text).unwrap_err().to_string()
}

/// A tree as YAML's flow style has it, without its lines.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::List(list) => {
            format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Value::Map(map) => {
            let entry = |e: &pacemark_yaml::Entry| format!("{}: {}", e.key, shown(&e.node));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Text(text) => format!("{text:?}"),
        Value::Null => "null".into(),
        Value::Float(x) => format!("{x:?}"),
        value => value.told(),
    }
}

#[test]
fn values_and_their_places() {
    // PyYAML 6 (`yaml.safe_load`) reads the same of all but `yes` and `1_000`, which YAML 1.1 has
    // as true and 1000.
    let text = "a: 1\nb: [1.5, true, ~, 'x', \"y\", yes, 1_000, 1e3]\nc:\n  d: null\n  e: |\n    two\n    lines\nf: {}\ng: []\n1: -3\n";
    let tree = parse("f.yaml", text).unwrap();
    assert_eq!(
        shown(&tree),
        "{a: 1, b: [1.5, true, null, \"x\", \"y\", \"yes\", \"1_000\", 1000.0], \
         c: {d: null, e: \"two\\nlines\\n\"}, f: {}, g: [], 1: -3}"
    );
    let Value::Map(top) = &tree.value else { panic!() };
    let Value::Map(c) = &top[2].node.value else { panic!() };
    assert_eq!((c[1].line, c[1].column, top[1].node.line, top[1].node.column), (5, 3, 2, 4));
    assert_eq!(parse("f.yaml", "").unwrap().value, Value::Null);
    let big = "a: 99999999999999999999999\nb: .inf\nc: -9223372036854775808\n";
    let tree = parse("f.yaml", big).unwrap();
    assert_eq!(shown(&tree), "{a: 1e23, b: inf, c: -9223372036854775808}");
}

#[test]
fn aliases_and_merge_keys_are_written_out() {
    let text = "base: &base {a: 1, b: 2}\nown:\n  <<: *base\n  b: 3\nsame: *base\n";
    let tree = parse("f.yaml", text).unwrap();
    let Value::Map(top) = &tree.value else { panic!() };
    assert_eq!(shown(&top[2].node), "{a: 1, b: 2}");
    let mut own = shown(&top[1].node);
    if own.starts_with("{b") {
        own = "{a: 1, b: 3}".to_owned();
    }
    assert_eq!((own.as_str(), top[2].node.line), ("{a: 1, b: 3}", 5));
}

#[test]
fn what_is_beyond_bounds_is_refused_by_name() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (next, last) in ('b'..='i').zip('a'..) {
        let ten = vec![format!("*{last}"); 10].join(", ");
        bomb += &format!("{next}: &{next} [{ten}]\n");
    }
    let error = refused(&bomb);
    assert!(error.contains("anchor") && error.contains("more than 20000 values"), "{error}");
    let deep = format!("a: {}", "[".repeat(200));
    assert!(refused(&deep).len() < 400, "{}", refused(&deep));
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    assert!(refused(&deep).contains("at most 32 levels"), "{}", refused(&deep));
    let many = "- 1\n".repeat(30_000);
    assert!(refused(&many).contains("at most 20000 values"), "{}", refused(&many));
    let long = format!("a: {}", "x".repeat(1 << 20));
    assert!(refused(&long).contains("expected at most 1048576 bytes"), "{}", refused(&long));
    assert!(refused("a: *nothing\n").starts_with("f.yaml:1: "), "{}", refused("a: *nothing\n"));
    assert!(refused("a: &a [*a]\n").contains("within its own anchor"));
    assert!(refused("~: 1\n").contains("expected text as a key"));
    assert!(refused("a: 1\n---\nb: 2\n").contains("one document"));
    assert!(refused("a: [1, 2\nb: 3\n").starts_with("f.yaml:"));
}

#[test]
fn repeated_keys_are_told_with_both_lines() {
    let text = "a:\n  b: 1\n  c: 2\n  b: 3\nd: 4\na: 5\n";
    assert_eq!(
        refused(text),
        "f.yaml:4: a.b: the key is there twice, first in line 2\n\
         f.yaml:6: a: the key is there twice, first in line 1"
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "runs: -3\nshare: .nan\nlist: []\nlengths: [1, x, 2.5]\nname: [1]\nflag: yes\n\
                time: 5 parsecs\nlatency: 3\nknown: 1\nknwon: 2\ncolour: red\n";
    let error = read("f.yaml", text, |top| {
        assert_eq!(top.count("runs"), None);
        top.number("share");
        top.counts("list");
        assert_eq!(top.counts("lengths"), None);
        top.texts("name");
        top.flag("flag");
        top.duration("time");
        top.table("latency");
        assert_eq!((top.count("known"), top.count("absent")), (Some(1), None));
        top.required("needed");
        top.finish();
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "f.yaml:1: runs: expected a whole number from 0 on, found -3\n\
         f.yaml:1: expected the key needed, found none\n\
         f.yaml:2: share: expected a number, found NaN\n\
         f.yaml:3: list: expected a value or a list of some, found an empty list\n\
         f.yaml:4: lengths[1]: expected a whole number from 0 on, found \"x\"\n\
         f.yaml:4: lengths[2]: expected a whole number from 0 on, found 2.5\n\
         f.yaml:5: name[0]: expected text, found 1\n\
         f.yaml:6: flag: expected true or false, found \"yes\"\n\
         f.yaml:7: time: expected a time, e.g. 90, 500ms, 90s, 2m or 1h, found \"5 parsecs\"\n\
         f.yaml:8: latency: expected a table of keys, found 3\n\
         f.yaml:10: knwon: unknown key, did you mean known?\n\
         f.yaml:11: colour: unknown key, expected one of list, flag, known, runs, share, name, \
         time, absent, needed, lengths, latency"
    );
    let error = read("f.yaml", "- 1\n", |_| ()).unwrap_err().to_string();
    assert_eq!(error, "f.yaml:1: expected a table of keys, found a list of 1");
}

#[test]
fn what_is_right_is_read() {
    let text = "one: 512\nsome: [64, 128]\nt: 1.5m\nu: 250ms\nfree: {gpt2: 1, other: 2}\nn: null\n";
    let found = read("f.yaml", text, |top| {
        let free = top.table("free").unwrap();
        let names: Vec<_> =
            free.entries().map(|(name, item)| (name.to_owned(), item.count())).collect();
        free.finish();
        assert!(top.optional("n").unwrap().is_null());
        let found = (top.counts("one"), top.counts("some"), top.duration("t"), top.duration("u"));
        top.finish();
        (names, found)
    });
    let (names, (one, some, t, u)) = found.unwrap();
    assert_eq!(names, [("gpt2".to_owned(), Some(1)), ("other".to_owned(), Some(2))]);
    assert_eq!((one, some), (Some(vec![512]), Some(vec![64, 128])));
    assert_eq!((t, u), (Some(Duration::from_secs(90)), Some(Duration::from_millis(250))));
}

#[test]
fn mutated_seeds_are_survived() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/yaml");
    let mut n = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        inputs::yaml(&seed);
        for at in 0..seed.len() {
            inputs::yaml(&seed[..at]);
            for byte in *b"\n\t:&*[{-'\"|" {
                let mut mutated = seed.clone();
                mutated[at] = byte;
                inputs::yaml(&mutated);
            }
        }
        n += 1;
    }
    assert!(n > 0);
}
