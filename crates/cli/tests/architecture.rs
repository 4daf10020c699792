//! The arrows of ARCHITECTURE.md, enforced: each crate may use only the crates its row names.

use std::collections::{BTreeMap, BTreeSet};

/// Crate → what it may use of the workspace. Development dependencies may also use the crates for
/// tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("quant", &[]),
    ("files", &[]),
    ("limits", &[]),
    ("jinja", &["files"]),
    ("modelfile", &["quant", "files", "limits"]),
    ("kernels", &["quant"]),
    ("tokenizer", &["files", "modelfile", "jinja"]),
    ("engine", &["quant", "files", "limits", "modelfile", "kernels"]),
    ("sched", &[]),
    ("backend", &["files"]),
    ("record", &["files"]),
    ("backends", &["backend", "files", "limits", "engine", "sched", "tokenizer", "modelfile"]),
    ("openai-api", &[]),
    ("bench", &["backend", "record"]),
    ("load", &["files", "openai-api", "record"]),
    ("report", &["record"]),
    ("server", &["files", "backend", "openai-api"]),
    ("testmodel", &["modelfile", "quant"]),
    (
        "cli",
        &[
            "quant",
            "files",
            "limits",
            "modelfile",
            "kernels",
            "tokenizer",
            "engine",
            "backend",
            "record",
            "backends",
            "bench",
            "load",
            "report",
            "server",
        ],
    ),
];

/// Crates that exist for tests: nothing may use them but as a development dependency.
const FOR_TESTS: &[&str] = &["testmodel"];

/// Crates that know of threads of their own, HTTP or the terminal, by layer: the libraries below
/// must not.
const ONLY_CLI: &[&str] = &["clap", "ureq", "indicatif", "signal-hook", "anyhow"];

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
    let rows: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(name, may)| (*name, may.iter().copied().collect())).collect();
    let found: BTreeSet<&str> = metadata.packages.iter().map(|p| short(&p.name)).collect();
    assert_eq!(found, rows.keys().copied().collect(), "every crate of the workspace has a row");
    for package in &metadata.packages {
        let name = short(&package.name);
        for dependency in &package.dependencies {
            let used = short(&dependency.name);
            let for_development = dependency.kind == cargo_metadata::DependencyKind::Development;
            if rows.contains_key(used) {
                let allowed =
                    rows[name].contains(used) || (for_development && FOR_TESTS.contains(&used));
                assert!(allowed, "{name} must not use {used}");
            }
            let terminal = ONLY_CLI.contains(&dependency.name.as_str());
            assert!(
                !terminal || name == "cli" || for_development,
                "{name} must not use {}",
                dependency.name
            );
        }
    }
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
