//! One prompt, again and again, as benchmark_genai of OpenVINO GenAI measures it: from the text that
//! is handed over to the text of its answer, tokenization and detokenization within the time.
//!
//! Nothing is reused from one iteration to the next, the most likely token is taken each time, and
//! the model may end its answer early. What the tool that ours is a drop-in for makes of the times is
//! [`Perf`]; the experiment's own figures have metrics.md's definitions. Loading a model, its
//! tokenizer and the printed lines are the caller's.

mod figures;
mod grade;
mod page;
mod perf;
mod report;
mod trend;

use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::generation::by_name;
use crate::memory;
use crate::parameter::N_PROMPT;
use crate::repeat::{CutShort, filled, now_unix_s};
use crate::reported::{self, Rows};
use crate::{BenchError, Experiment, Params, Phase, Warmups, describe};
pub use grade::GRADES;
use pacemark_backend::{Backend, Event, GenerateRequest, TokenId};
use pacemark_record::{Measured, Metric, Request, Requests, Run, Trial, Warmup};
use pacemark_report::picture::Panel;
use pacemark_report::{Document, Form, Verdict, layout};
pub use perf::{MeanSd, Perf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A fixed prompt, repeated.
pub struct Genai;

/// What is generated, again and again.
#[derive(Clone, Debug, Default)]
pub struct Prompted {
    /// The prompt, as the model is to see it.
    pub prompt: String,
    /// Tokens to generate at most.
    pub max_tokens: usize,
    /// What the record keeps of how it was made; the length of the prompt is added.
    pub params: Params,
}

/// Who is given texts: a backend, and how its model's tokenizer reads them.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// Who generates.
    pub backend: &'a dyn Backend,
    /// Tokens of a prompt, special tokens added as the model wants them.
    pub encode: &'a dyn Fn(&str) -> Vec<TokenId>,
}

/// Two runs that are not counted agree if they differ by less.
const AGREE: f64 = 0.03;

/// What of the time of an iteration is spent on making tokens of its prompt, beside the phases that
/// the backend tells.
pub(crate) const TOKENIZE: &str = "tokenize";

impl Experiment for Genai {
    fn name(&self) -> &'static str {
        "genai"
    }

    fn help(&self) -> &'static str {
        "a fixed prompt again and again, from text to text: benchmark_genai's figures"
    }

    /// An interrupt keeps the iterations that were complete.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Prompted(wanted), Subject::Writer(writer)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let trial = Trial {
            experiment: self.name().to_owned(),
            started_unix_s: now_unix_s(),
            model: describe(&writer.backend.info()),
            params: wanted.params.clone(),
            repetitions: how.repetitions.least,
            measured: Measured::Requests(Requests::default()),
            ..Trial::default()
        };
        filled(vec![trial], |trials| {
            let result = iterate(wanted, writer, &mut trials[0], how);
            trials[0].peak_rss_bytes = memory::peak_rss_bytes(writer.backend);
            result
        })
    }

    fn metrics(&self) -> &'static [Metric] {
        figures::METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(figures::METRICS, &figures::DECODE)
    }

    fn form(&self) -> &'static Form {
        &layout::GENAI
    }

    /// The iterations, and where the process's time went.
    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Requests(_) | Measured::Facts { .. })
    }

    fn format(&self) -> &'static str {
        "table"
    }

    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    fn panels(&self, run: &Run) -> Vec<Panel> {
        reported::panels(&Rows::of(self, &page::iterated(run)))
    }

    fn judged(&self) -> &'static [&'static str] {
        &["grade", "trend"]
    }

    /// Grade and trend, where they were asked for, before the figures.
    fn verdicts(&self, run: &Run) -> Vec<Verdict> {
        let mut said = page::verdicts(run);
        said.extend(reported::verdicts(self, &page::iterated(run)));
        said
    }

    fn document(&self, run: &Run, varied: &[&str]) -> Document {
        page::document(run, &self.layout(varied))
    }
}

/// Runs that are not counted, then those that are, into the trial.
fn iterate(
    wanted: &Prompted,
    writer: &Writer<'_>,
    trial: &mut Trial,
    how: &mut How<'_>,
) -> Result<(), BenchError> {
    let n_warmups = match how.warmup {
        Warmups::None => 0,
        Warmups::Exactly(n) => n,
        // benchmark_genai's own number, where none is said.
        Warmups::UntilSettled => 1,
    };
    for number in 1..=n_warmups {
        how.observer.phase(Phase::Warmup(number));
        let request = generate(wanted, writer, how.stop)?;
        let Warmup { n_tokens, elapsed_ns, .. } = &mut trial.warmup;
        *n_tokens = n_tokens_of(&request);
        elapsed_ns.push(request.total_ns().unwrap_or(0));
    }
    trial.warmup.settled = trial.warmup.drift().is_some_and(|drift| drift.abs() <= AGREE);
    how.observer.warmed_up(&trial.warmup);
    for number in 1..=how.repetitions.least {
        how.observer.phase(Phase::Repetition(number));
        let request = generate(wanted, writer, how.stop)?;
        let n_prompt = request.prompt_tokens.unwrap_or(0);
        trial.params.insert(N_PROMPT.name.to_owned(), n_prompt.into());
        trial.load_mut().into_iter().for_each(|load| load.requests.push(request.clone()));
        how.observer.round(std::slice::from_ref(trial));
    }
    Ok(())
}

fn n_tokens_of(request: &Request) -> u64 {
    request.prompt_tokens.unwrap_or(0) + request.chunks_ns.len() as u64
}

/// One iteration: its stamps, from the moment that the text is handed over. Tokenization and what
/// lies between it and the backend are timed here, all else by the backend's stamps from the moment
/// that it has the request, whatever clock those are of.
fn generate(
    wanted: &Prompted,
    writer: &Writer<'_>,
    stop: &AtomicBool,
) -> Result<Request, BenchError> {
    let handed_over = Instant::now();
    let prompt = (writer.encode)(&wanted.prompt);
    let tokenize = handed_over.elapsed();
    let mut request = Request {
        prompt_tokens: Some(prompt.len() as u64),
        output_wanted: Some(wanted.max_tokens as u64),
        ..Request::default()
    };
    // Greedy, nothing kept from the one before, and the model may end its answer: the defaults.
    let asked = GenerateRequest { prompt, max_tokens: wanted.max_tokens, ..Default::default() };
    let before = handed_over.elapsed();
    let mut queued = None;
    let mut since = |at: Instant| {
        let from = *queued.get_or_insert(at);
        nanoseconds(before + at.saturating_duration_since(from))
    };
    for event in writer.backend.generate(asked) {
        match event {
            Event::Queued { at } => _ = since(at),
            Event::Started { at, cached_tokens } => {
                if cached_tokens > 0 {
                    return Err(BenchError::CachedTokens { expected: 0, found: cached_tokens });
                }
                request.started_ns = Some(since(at));
                request.cached_tokens = Some(0);
            }
            Event::Token { at, .. } => request.chunks_ns.push(since(at)),
            Event::Finished { reason, phases, at, .. } => {
                request.end_ns = since(at);
                request.finish_reason = Some(reason.as_str().to_owned());
                request.phases_ns = vec![(TOKENIZE.to_owned(), nanoseconds(tokenize))];
                request.phases_ns.extend(by_name(&phases));
            }
            Event::Failed(error) => return Err(error.into()),
            Event::Prefill { .. } => {}
        }
        if stop.load(Relaxed) {
            return Err(BenchError::Interrupted);
        }
    }
    request.output_usage = Some(request.chunks_ns.len() as u64);
    Ok(request)
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

#[cfg(test)]
mod tests;
