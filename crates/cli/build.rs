//! Tells the binary which commit it was built from. Outside a repository it is `unknown` and 0, as
//! in llama.cpp.

use std::process::Command;

fn main() {
    let in_repository = std::path::Path::new("../../.git").exists();
    let git = |args: &[&str]| -> Option<String> {
        let output = Command::new("git")
            .args(args)
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    let ask = |args: &[&str]| if in_repository { git(args) } else { None };
    // Every commit and checkout adds a line to it.
    match ask(&["rev-parse", "--git-path", "logs/HEAD"]) {
        Some(log) if std::path::Path::new(&log).exists() => {
            println!("cargo::rerun-if-changed={log}")
        }
        _ => println!("cargo::rerun-if-changed=build.rs"),
    }
    let commit = ask(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let number = ask(&["rev-list", "--count", "HEAD"]).unwrap_or_else(|| "0".into());
    println!("cargo::rustc-env=PACEMARK_COMMIT={commit}");
    println!("cargo::rustc-env=PACEMARK_BUILD_NUMBER={number}");
}
