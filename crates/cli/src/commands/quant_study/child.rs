//! One run of a model in a process of its own: what it is told, what it answers.

use crate::setup;
use anyhow::{Context, Result, bail};
use pacemark_backend::Backend;
use pacemark_backends::native::NativeBackend;
use pacemark_bench::{
    Case, Experiment, How, Repetitions, Silent, Subject, Test, Throughput, describe,
};
use pacemark_record::{FreshRun, Model, env};
use pacemark_setup::Setup;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// What is to be run.
#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    pub file: PathBuf,
    pub n_threads: usize,
    pub n_prompt: usize,
    pub n_gen: usize,
    pub seed: u64,
}

/// What ran, and what that took.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub model: Model,
    pub run: FreshRun,
}

/// Has another process of this program do the work; `None` once `stop` is set, and it is ended.
pub(super) fn run(work: &Work, stop: &AtomicBool) -> Result<Option<Answer>> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut child = Command::new(program)
        .arg("quant-study-run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for the study, which has something to show.
        .process_group(0)
        .spawn()
        .context("cannot start a process to run the model in")?;
    // Open as long as this process lives, however it ends.
    let mut told = child.stdin.take().context("the process takes no input")?;
    let line = serde_json::to_string(work)? + "\n";
    told.write_all(line.as_bytes()).context("the process does not listen")?;
    // What it answers is short: it does not wait for a reader.
    while child.try_wait().context("the process was lost")?.is_none() {
        if stop.load(Relaxed) {
            let _ = child.kill(); // has ended already
            let _ = child.wait();
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output().context("the process was lost")?;
    drop(told);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("error: ");
        bail!("{}: {said} ({})", work.file.display(), output.status);
    }
    let answer = serde_json::from_slice(&output.stdout).context("the process did not answer")?;
    Ok(Some(answer))
}

/// How often to look whether the process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Ends the process when nobody holds the other end of its input any more.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(1);
    });
}

/// The process: reads the work, does it twice and tells of the second time. The first one touches
/// what is then warm.
pub(crate) fn child() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let work: Work = serde_json::from_str(&line)?;
    end_with_parent();
    let setup = setup::check_native(Setup {
        threads: setup::threads(Some(work.n_threads), None),
        // A test generates one more token than it times.
        n_ctx: Some(work.n_prompt.saturating_add(work.n_gen).saturating_add(1)),
        ..Setup::default()
    })?;
    let backend = NativeBackend::load(&work.file, &setup, &mut |_, _| {})?;
    let loaded_rss_bytes = env::rss_bytes();
    let test = Test { n_prompt: work.n_prompt, n_gen: work.n_gen, setup, ..Test::default() };
    let mut how = How {
        repetitions: Repetitions::exactly(2),
        warmup: false,
        seed: work.seed,
        observer: &mut Silent,
        stop: &AtomicBool::new(false),
    };
    let subject = &mut Subject::Backends(&[&backend]);
    let trials =
        Throughput.measure(&Case::Test(test), subject, &mut how).map_err(|cut| cut.error)?;
    let samples = trials.first().map_or(&[][..], |trial| trial.samples());
    let sample = samples.last().cloned().context("nothing was measured")?;
    let run = FreshRun {
        load_ns: backend.load_time().as_nanos() as u64,
        loaded_rss_bytes,
        peak_rss_bytes: env::peak_rss_bytes(),
        n_prompt: work.n_prompt as u64,
        sample,
    };
    serde_json::to_writer(
        std::io::stdout().lock(),
        &Answer { model: describe(&backend.info()), run },
    )?;
    Ok(())
}
