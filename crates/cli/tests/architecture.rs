//! The arrows of ARCHITECTURE.md, enforced: each crate may use only the crates its row names.

use std::collections::{BTreeMap, BTreeSet};

const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

/// Libraries that only one crate may use: the terminal and flags are the binary's, connections that
/// fetch something the hub's, drawing the report's, YAML's grammar one crate's.
const KEPT: &[(&str, &str)] = &[
    ("clap", "cli"),
    ("indicatif", "cli"),
    ("signal-hook", "cli"),
    ("anyhow", "cli"),
    ("ureq", "hub"),
    ("kuva", "report"),
    ("nvml-wrapper", "devices"),
    ("pyo3", "python"),
    ("rusqlite", "store"),
    ("serde-saphyr", "yaml"),
];

/// A crate's row of the table.
struct Row {
    /// What it may use of the workspace.
    may_use: BTreeSet<String>,
    /// Nothing may use it but as a development dependency.
    for_tests: bool,
}

/// The rows of the table, by crate: its name in backticks, what it holds, and names, "all" or "–".
fn rows() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in ARCHITECTURE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, holds, may_use] = cells[..] else { panic!("a row of three cells: {line}") };
        let may_use = may_use.split(", ").filter(|name| *name != "–").map(str::to_owned).collect();
        let row = Row { may_use, for_tests: holds.ends_with("for tests only") };
        assert!(rows.insert(name.trim_matches('`').to_owned(), row).is_none(), "{name} twice");
    }
    let all: BTreeSet<String> =
        rows.iter().filter(|(_, row)| !row.for_tests).map(|(name, _)| name.clone()).collect();
    for (name, row) in &mut rows {
        if row.may_use.remove("all") {
            row.may_use.extend(all.iter().filter(|other| *other != name).cloned());
        }
        let unknown: Vec<_> = row.may_use.difference(&all).collect();
        assert!(unknown.is_empty(), "{name} may use what is no crate: {unknown:?}");
    }
    rows
}

fn short(name: &str) -> &str {
    match name {
        "pacemark" => "cli",
        name => name.strip_prefix("pacemark-").unwrap_or(name),
    }
}

#[test]
fn arrows_point_down() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .other_options(vec!["--offline".into()])
        .exec()
        .unwrap();
    let rows = rows();
    let found: BTreeSet<&str> = metadata.packages.iter().map(|p| short(&p.name)).collect();
    let drawn: BTreeSet<&str> = rows.keys().map(String::as_str).collect();
    assert_eq!(found, drawn, "every crate of the workspace has a row");
    for package in &metadata.packages {
        let name = short(&package.name);
        for dependency in &package.dependencies {
            let used = short(&dependency.name);
            let for_development = dependency.kind == cargo_metadata::DependencyKind::Development;
            if let Some(row) = rows.get(used) {
                let for_its_tests = for_development && row.for_tests;
                let allowed = rows[name].may_use.contains(used) || for_its_tests;
                assert!(allowed, "{name} must not use {used}");
            }
            let keeper = KEPT.iter().find(|(kept, _)| *kept == dependency.name);
            assert!(
                for_development || keeper.is_none_or(|(_, keeper)| *keeper == name),
                "{name} must not use {}",
                dependency.name
            );
        }
    }
}

/// What a reader may doubt: that the table is read, and not an empty one.
#[test]
fn the_table_says_who_may_use_whom() {
    let rows = rows();
    assert!(rows["quant"].may_use.is_empty() && rows["testmodel"].for_tests);
    assert_eq!(rows["kernels"].may_use, BTreeSet::from(["quant".to_owned()]));
    assert!(rows["cli"].may_use.contains("engine") && !rows["cli"].may_use.contains("testmodel"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![crates];
    let mut silent = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs")
                && path.components().any(|c| c.as_os_str() == "src")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                if !text.starts_with("//!") {
                    silent.push(path);
                }
            }
        }
    }
    assert!(silent.is_empty(), "modules without a //! paragraph: {silent:?}");
}
