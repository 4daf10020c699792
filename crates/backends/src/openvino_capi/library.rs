//! OpenVINO's C library: where it is looked for, and what to do where it is not found or does not open.
//!
//! Intel's `openvino-finder` looks in most of these folders, but for the plain name only; pip's package
//! and distributions' runtime packages have the version in the name alone (`libopenvino_c.so.2641`). So
//! the search is ours, and an error can say exactly what was searched.

use crate::side::Lacking;
use openvino::Core;
use std::collections::BTreeSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What OpenVINO's `setupvars.sh` sets, and what users of Intel's crate set.
const INSTALLED: [&str; 2] = ["OPENVINO_INSTALL_DIR", "INTEL_OPENVINO_DIR"];

/// By which variable the system's loader is told of folders.
const LOADER: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// Where an unpacked archive has its libraries.
const IN_ARCHIVE: [&str; 7] = [
    "runtime/lib/intel64",
    "runtime/lib/arm64",
    "runtime/lib/aarch64",
    "runtime/lib/intel64/Release",
    "runtime/lib/arm64/Release",
    "runtime/bin/intel64/Release",
    "runtime/bin/arm64/Release",
];

/// Where packages of distributions have them.
const OF_SYSTEM: [&str; 6] = [
    "/lib",
    "/usr/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/local/lib",
];

/// OpenVINO, its library being found and opened.
pub(super) fn open() -> Result<Core, Lacking> {
    let path = Places::of(|name| std::env::var_os(name)).find()?;
    let broken = |why: String| Lacking {
        cause: format!("{}: {why}", path.display()),
        mend: path.parent().and_then(script).unwrap_or_else(|| {
            format!("install OpenVINO 2025.1 or newer, or name another: {LOADER}=FOLDER pacemark …")
        }),
    };
    openvino_sys::library::load_from(path.clone()).map_err(&broken)?;
    Core::new().map_err(|error| broken(error.to_string()))
}

/// Folders.
#[derive(Debug, Default)]
struct Places {
    /// Where the library is taken from, the first that has it.
    searched: Vec<PathBuf>,
    /// Where it is only looked for to tell of it: nobody asked for what is there.
    elsewhere: Vec<PathBuf>,
    /// Variables that are not set.
    unset: Vec<&'static str>,
}

impl Places {
    /// By the environment's variables.
    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Places {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut places = Places::default();
        for name in INSTALLED {
            match set(name) {
                Some(root) => places.searched.extend(archive(Path::new(&root))),
                None => places.unset.push(name),
            }
        }
        match set(LOADER) {
            Some(paths) => places.searched.extend(std::env::split_paths(&paths)),
            None => places.unset.push(LOADER),
        }
        if !cfg!(windows) {
            places.searched.extend(OF_SYSTEM.map(PathBuf::from));
        }
        for root in starting(Path::new("/opt/intel"), "openvino") {
            places.searched.extend(archive(&root));
        }
        let home = set("HOME").map(PathBuf::from);
        let roots = [Some(PathBuf::from("/opt")), home.clone()].into_iter().flatten();
        for folder in roots.flat_map(|root| [root.join("intel"), root]) {
            for root in starting(&folder, "openvino") {
                places.elsewhere.extend(archive(&root));
            }
        }
        let python = set(crate::side::PYTHON)
            .and_then(|python| Some(Path::new(&python).parent()?.parent()?.to_owned()));
        let user = home.map(|home| home.join(".local"));
        let prefixes = [python, set("VIRTUAL_ENV").map(PathBuf::from), user];
        let system = ["/usr/local", "/usr"].map(PathBuf::from);
        for prefix in prefixes.into_iter().flatten().chain(system) {
            for python in starting(&prefix.join("lib"), "python3") {
                let packages = ["site-packages", "dist-packages"];
                places
                    .elsewhere
                    .extend(packages.map(|name| python.join(name).join("openvino/libs")));
            }
        }
        places
    }

    /// The library, or where it was looked for and what brings it.
    fn find(&self) -> Result<PathBuf, Lacking> {
        if let Some(path) = self.searched.iter().find_map(|folder| library_in(folder)) {
            return Ok(path);
        }
        let plain = format!("{DLL_PREFIX}openvino_c{DLL_SUFFIX}");
        let folders: BTreeSet<&PathBuf> =
            self.searched.iter().filter(|folder| folder.is_dir()).collect();
        let folders: Vec<String> = folders.iter().map(|path| path.display().to_string()).collect();
        let mut cause = format!(
            "{plain} was not found, nor the same with a version, in {}",
            if folders.is_empty() { "any folder".to_owned() } else { folders.join(", ") }
        );
        let missing = self.searched.iter().filter(|folder| !folder.is_dir()).count();
        if missing > 0 {
            cause += &format!(" ({missing} more folders that were looked for are not there)");
        }
        if !self.unset.is_empty() {
            cause += &format!("; not set: {}", self.unset.join(", "));
        }
        let found = self.elsewhere.iter().find_map(|folder| library_in(folder));
        let mend = match found.as_deref().and_then(Path::parent) {
            Some(folder) => {
                cause += &format!("; one is in {}", folder.display());
                of_folder(folder)
            }
            None => format!(
                "unpack OpenVINO's archive and source /opt/intel/openvino_2026/setupvars.sh, or \
                 {LOADER}=FOLDER pacemark …, where FOLDER has {plain}"
            ),
        };
        Err(Lacking { cause, mend })
    }
}

/// What makes the library of a folder be found with all that it needs.
fn of_folder(folder: &Path) -> String {
    script(folder).unwrap_or_else(|| format!("{LOADER}={} pacemark …", folder.display()))
}

/// The command that sets an unpacked archive up.
fn script(folder: &Path) -> Option<String> {
    let mut scripts = folder.ancestors().map(|root| root.join("setupvars.sh"));
    Some(format!("source {}", scripts.find(|path| path.is_file())?.display()))
}

fn archive(root: &Path) -> impl Iterator<Item = PathBuf> {
    IN_ARCHIVE.into_iter().map(|below| root.join(below))
}

/// Folders in `folder` whose names begin so, the last by name first: the newest of several versions.
fn starting(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let names = names(folder).filter(|name| name.starts_with(beginning));
    let sorted: BTreeSet<String> = names.collect();
    sorted.into_iter().rev().map(|name| folder.join(name)).collect()
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// The C library of a folder: by its plain name, else the newest of those with a version.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let rank = |name: &String| match kind(name)? {
        Kind::Plain => Some((true, Vec::new())),
        Kind::Version(numbers) => Some((false, numbers)),
    };
    let files = names(folder).filter(|name| folder.join(name).is_file());
    let ranked = files.filter_map(|name| Some((rank(&name)?, name)));
    ranked.max().map(|(_, name)| folder.join(name))
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Version(Vec<u64>),
}

/// Whether a file's name is the C library's: `libopenvino_c.so`, `libopenvino_c.so.2641`,
/// `libopenvino_c.2641.dylib`.
fn kind(name: &str) -> Option<Kind> {
    let rest = name.strip_prefix(DLL_PREFIX)?.strip_prefix("openvino_c")?;
    if rest == DLL_SUFFIX {
        return Some(Kind::Plain);
    }
    let version = match rest.strip_prefix(DLL_SUFFIX) {
        Some(after) => after.strip_prefix('.')?,
        None => rest.strip_suffix(DLL_SUFFIX)?.strip_prefix('.')?,
    };
    version.split('.').map(|number| number.parse().ok()).collect::<Option<_>>().map(Kind::Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own with files in it, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, files: &[&str]) -> Folder {
            let unique = format!("pacemark-capi-{}-{name}", std::process::id());
            let root = std::env::temp_dir().join(unique);
            for file in files {
                let path = root.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            Folder(root)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn library(version: &str) -> String {
        format!("{DLL_PREFIX}openvino_c{DLL_SUFFIX}{version}")
    }

    #[test]
    fn the_plain_name_goes_before_versions_and_the_newest_of_these_first() {
        let versions = [library(".2541"), library(".2641"), library(".9"), library("x")];
        let all: Vec<&str> = versions.iter().map(String::as_str).collect();
        let folder = Folder::new("versions", &all);
        assert_eq!(library_in(&folder.0), Some(folder.0.join(library(".2641"))));
        std::fs::write(folder.0.join(library("")), "").unwrap();
        assert_eq!(library_in(&folder.0), Some(folder.0.join(library(""))));
        for other in ["openvino_c", "libopenvino.so.2641", "libopenvino_c_extra.so"] {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[test]
    fn variables_name_an_archive_or_folders() {
        let inside = format!("runtime/lib/intel64/{}", library(""));
        let folder = Folder::new("named", &[&inside]);
        let found = folder.0.join(&inside);
        for (variable, value) in [
            ("INTEL_OPENVINO_DIR", folder.0.clone()),
            ("OPENVINO_INSTALL_DIR", folder.0.clone()),
            (LOADER, found.parent().unwrap().to_owned()),
        ] {
            let places = Places::of(|name| (name == variable).then(|| value.clone().into()));
            assert_eq!(places.find().as_ref(), Ok(&found), "{variable}");
        }
    }

    #[test]
    fn what_is_not_found_is_named_with_the_folders_and_a_mend() {
        let folder = Folder::new("missing", &["other.txt"]);
        let there = Folder::new("elsewhere", &[&library(".2641")]);
        let unpacked = format!("runtime/lib/intel64/{}", library(""));
        let archive = Folder::new("archive", &["setupvars.sh", &unpacked]);
        let lacking = |elsewhere: Vec<PathBuf>| {
            let searched = vec![folder.0.clone(), folder.0.join("none")];
            Places { searched, elsewhere, unset: vec![LOADER] }.find().unwrap_err()
        };
        let nowhere = lacking(Vec::new());
        let cause = format!(
            "{} was not found, nor the same with a version, in {} (1 more folders that were looked \
             for are not there); not set: {LOADER}",
            library(""),
            folder.0.display()
        );
        assert_eq!(nowhere.cause, cause);
        assert!(nowhere.mend.contains("source /opt/intel/openvino_2026/setupvars.sh"));
        let elsewhere = lacking(vec![there.0.clone()]);
        assert!(elsewhere.cause.ends_with(&format!("one is in {}", there.0.display())));
        assert_eq!(elsewhere.mend, format!("{LOADER}={} pacemark …", there.0.display()));
        let script = lacking(vec![archive.0.join("runtime/lib/intel64")]);
        assert_eq!(script.mend, format!("source {}/setupvars.sh", archive.0.display()));
    }
}
