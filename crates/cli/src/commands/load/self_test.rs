//! `pacemark load --self-test`: how far the client's stamps are off, at the numbers of streams
//! asked for. The mock servers are processes of their own.

use super::Args;
use super::child::Server;
use super::progress::Progress;
use crate::exit::Exit;
use crate::output::{Output, Record};
use crate::{interrupt, machine};
use anyhow::{Result, anyhow};
use pacemark_bench::self_test::Mocks;
use pacemark_bench::{
    BenchError, Case, Experiment, How, Repetitions, SelfTest, Silent, Subject, Warmups,
};
use pacemark_load::{Target, self_test};

/// Where nothing else is said: numbers of streams, and chunks a second at most.
const STREAMS: &[usize] = &[1, 100, 1000, 2000];
const CHUNKS_A_SECOND: u32 = 20_000;

/// The mock that runs now.
struct Processes(Option<Server>);

impl Mocks for Processes {
    fn start(&mut self, test: &self_test::SelfTest) -> Result<Target, String> {
        self.0 = None;
        let self_test::SelfTest { streams, ttft_ms, itl_ms, .. } = test;
        let spec = format!("ttft={ttft_ms}ms,itl={itl_ms}ms");
        let (connections, queue) = ((streams + 64).to_string(), streams.to_string());
        let words = ["--mock", &spec, "--max-connections", &connections, "--max-queue", &queue];
        let child =
            Server::start(&words.map(str::to_owned)).map_err(|error| format!("{error:#}"))?;
        Ok(self.0.insert(child).target.clone())
    }
}

/// Runs `pacemark load --self-test`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let streams = if args.streams.is_empty() { STREAMS } else { &args.streams };
    let most = streams.iter().max().copied().unwrap_or(1);
    // The child inherits what this process may open.
    pacemark_load::allow_open_files(2 * most as u64)?;
    let record = Record::create(args.save.as_deref(), &[])?;
    let mut progress = Progress::new();
    let mut output =
        Output::new(&SelfTest, machine::env(), &args.output, record, args.history.archive());
    let mut mocks = Processes(None);
    let mut error = None;
    for &streams in streams {
        let rate = args.self_test_rate.unwrap_or(CHUNKS_A_SECOND);
        let test = self_test::SelfTest::new(streams, rate, args.kernel_stamps());
        let mut how = How {
            repetitions: Repetitions::exactly(1),
            warmup: Warmups::None,
            seed: 0,
            observer: &mut Silent,
            stop: interrupt::flag(),
        };
        let mut subject = Subject::Mocks(&mut mocks, &mut progress);
        match SelfTest.measure(&Case::Mock(test), &mut subject, &mut how) {
            Ok(trials) => progress.suspend(|| output.rows(trials))?,
            Err(cut) => {
                error = Some(cut.error);
                break;
            }
        }
    }
    drop(progress);
    let failed =
        output.trials().iter().any(|trial| trial.answered().count() < trial.requests().len());
    let n_rows = output.trials().len();
    output.end(Vec::new())?;
    match error {
        Some(BenchError::Interrupted) => {
            Err(anyhow!("interrupted: {n_rows} of {} rows are complete", streams.len()))
        }
        Some(error) => Err(error.into()),
        None if failed => Ok(Exit::Failed),
        None => Ok(Exit::Fine),
    }
}
