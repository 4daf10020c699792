//! The engines of a comparison, each run in a process of its own, and who watches.

use super::Args;
use super::child::{Answer, COMMAND};
use super::spec::{Spec, Task, Work};
use crate::commands::bench::roof;
use crate::commands::{eval, write_needed};
use crate::texts::Text;
use crate::{fresh, hub, interrupt};
use anyhow::Result;
use pacemark_bench::BenchError;
use pacemark_bench::versus::{Contenders, Ran};
use pacemark_files::TemporaryFile;
use pacemark_modelfile::synth;
use pacemark_record::{Roof, Scores};
use pacemark_setup::Threads;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

/// Engines, and the model that they are to run.
pub(super) struct Engines<'a> {
    specs: &'a [Spec],
    file: PathBuf,
    threads: Threads,
    run: (usize, usize, usize),
    /// Where the random prompts begin: others each time, so that no cache has them.
    seed: u64,
    /// The tokens of the text, the length of a chunk, how many, and the text's name.
    text: Option<(Vec<u32>, usize, usize, String)>,
    stop: &'static AtomicBool,
    /// A synthetic model's, for those that read files only.
    _written: Vec<TemporaryFile>,
}

impl<'a> Engines<'a> {
    /// Looks at the model, and writes a synthetic one where an engine reads files only. A synthetic one has
    /// no quality to measure.
    pub(super) fn prepare(
        args: &Args,
        specs: &'a [Spec],
        path: &Path,
        text: Option<&Text>,
        threads: Threads,
    ) -> Result<Engines<'a>> {
        let is_synthetic = args.model.starts_with(synth::PREFIX);
        let text = match text.filter(|_| !is_synthetic) {
            None => None,
            Some(text) => {
                let tokenizer = eval::check_model(path, args.ctx_size)?;
                let name = Path::new(&text.name);
                let mut tokens = eval::tokens_of(&tokenizer, &text.text, name, args.ctx_size)?;
                tokens.truncate(args.ctx_size.saturating_mul(args.chunks));
                Some((tokens, args.ctx_size, args.chunks, text.name.clone()))
            }
        };
        let backends: Vec<String> = specs
            .iter()
            .filter(|spec| !spec.is_server())
            .map(|spec| spec.backend.clone())
            .collect();
        let mut paths: HashMap<String, PathBuf> = [(args.model.clone(), path.to_owned())].into();
        let written = write_needed(&backends, &mut paths, hub::Cache::from_env)?;
        let file = paths.into_values().next().unwrap_or_else(|| path.to_owned());
        let run = (args.n_prompt.get(), args.n_gen.get(), usize::from(args.n_parallel));
        let stop = interrupt::flag();
        let seed = args.seed.unwrap_or_else(now);
        Ok(Engines { specs, file, threads, run, seed, text, stop, _written: written })
    }

    /// Where the random prompts begin.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether a text is scored.
    pub(super) fn is_scored(&self) -> bool {
        self.text.is_some()
    }

    fn ask(&self, index: usize, task: Task) -> Result<Answer, BenchError> {
        let work = Work {
            spec: self.specs[index].clone(),
            file: self.file.clone(),
            n_threads: self.threads.per_token(),
            task,
        };
        match fresh::ask(COMMAND, &work, self.stop) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(BenchError::Interrupted),
            Err(error) => Err(BenchError::Machine(format!("{error:#}"))),
        }
    }
}

impl Contenders for Engines<'_> {
    fn run(&mut self, index: usize, round: usize) -> Result<Ran, BenchError> {
        let (n_prompt, n_gen, n_together) = self.run;
        let seed = self.seed.wrapping_add(round as u64);
        let task = Task::Run { n_prompt, n_gen, n_together, seed };
        let Answer { model, run, mut terms, lacks, warnings, .. } = self.ask(index, task)?;
        // The seed is the round's, the same for all.
        if let Some(prompts) = terms.get_mut("prompts") {
            *prompts = prompts.replacen(&format!("seed {seed}, "), "", 1);
        }
        Ok(Ran { model, run, terms, lacks, warnings })
    }

    fn scores(&mut self, index: usize) -> Result<Result<Scores, String>, BenchError> {
        let Some((tokens, n_ctx, max_chunks, text)) = self.text.clone() else {
            return Ok(Err("there is no text".into()));
        };
        let answer = self.ask(index, Task::Score { tokens, n_ctx, max_chunks, text })?;
        Ok(answer.scores.unwrap_or_else(|| Err("nothing was scored".into())))
    }

    fn roof(&mut self) -> Result<Option<Roof>, BenchError> {
        let found = roof::measure(&self.threads, &[]);
        found.map(Some).map_err(|error| BenchError::Machine(format!("{error:#}")))
    }
}

/// Milliseconds since 1970: no two comparisons begin at the same.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
