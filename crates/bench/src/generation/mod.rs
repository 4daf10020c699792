//! One generation: its text as it comes, and what it cost.

mod figures;
mod page;

use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::repeat::{CutShort, now_unix_s};
use crate::{BenchError, Experiment, Observer, Params, describe, elsewhere};
use pacemark_backend::{Backend, Event, GenerateRequest, Phases};
use pacemark_record::{
    Content, GENERATION_EXPERIMENT, Measured, Metric, Request, Requests, Run, Trial,
};
use pacemark_report::{Document, Form, layout};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A single request to an engine in this process.
pub struct Generation;

/// What is generated.
#[derive(Clone, Debug, Default)]
pub struct Generate {
    /// The request.
    pub request: GenerateRequest,
    /// Its prompt as the model sees it.
    pub prompt: String,
    /// What the record keeps of how it was made.
    pub params: Params,
}

impl Experiment for Generation {
    fn name(&self) -> &'static str {
        GENERATION_EXPERIMENT
    }

    fn help(&self) -> &'static str {
        "one generation: its text, and what it cost"
    }

    /// What is interrupted is kept as far as it came.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Generate(wanted), Subject::Backends([backend])) = (case, subject) else {
            return Err(mismatch(self));
        };
        let started_unix_s = now_unix_s();
        let once = || generate(*backend, wanted, how.observer, how.stop);
        let (request, away) = elsewhere::watched(*backend, once)
            .map_err(|error| CutShort { partial: Vec::new(), error })?;
        let interrupted = request.finish_reason.is_none();
        let measured =
            Measured::Requests(Requests { requests: vec![request], ..Requests::default() });
        let trial = Trial {
            experiment: self.name().to_owned(),
            started_unix_s,
            model: describe(&backend.info()),
            params: wanted.params.clone(),
            repetitions: 1,
            measured,
            workers: elsewhere::workers(*backend),
            away: away.into_iter().collect(),
            ..Trial::default()
        };
        match interrupted {
            true => Err(CutShort { partial: vec![trial], error: BenchError::Interrupted }),
            false => Ok(vec![trial]),
        }
    }

    fn metrics(&self) -> &'static [Metric] {
        figures::METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(figures::METRICS, &figures::DECODE)
    }

    fn form(&self) -> &'static Form {
        &layout::GENERATION
    }

    /// The request, and where the process's time went.
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
        elsewhere::advice(self, run)
    }

    fn document(&self, run: &Run, varied: &[&str]) -> Document {
        let mut document = page::document(run, &self.layout(varied));
        document.tables.extend(self.further(run));
        document
    }
}

/// Drives the stream: its text to the observer as it comes, its stamps into a request. Ends early
/// at `stop`, without a reason to have finished then.
fn generate(
    backend: &dyn Backend,
    wanted: &Generate,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Request, BenchError> {
    let mut content = Content {
        prompt: wanted.prompt.clone(),
        prompt_ids: wanted.request.prompt.clone(),
        ..Content::default()
    };
    let mut request = Request {
        prompt_tokens: Some(wanted.request.prompt.len() as u64),
        output_wanted: Some(wanted.request.max_tokens as u64),
        ..Request::default()
    };
    let sent = Instant::now();
    let since = |at: Instant| at.saturating_duration_since(sent).as_nanos() as u64;
    for event in backend.generate(wanted.request.clone()) {
        match event {
            Event::Started { at, cached_tokens } => {
                request.started_ns = Some(since(at));
                request.cached_tokens = Some(cached_tokens as u64);
            }
            Event::Token { id, text, top, at, .. } => {
                request.chunks_ns.push(since(at));
                request.end_ns = since(at);
                content.ids.push(id);
                content.text.push_str(&text);
                if wanted.request.top_logprobs.is_some() {
                    content.top.push(top);
                }
                if observer.text(&text) == ControlFlow::Break(()) {
                    break;
                }
            }
            Event::Finished { reason, phases, at, .. } => {
                request.end_ns = since(at);
                request.finish_reason = Some(reason.as_str().to_owned());
                request.phases_ns = by_name(&phases);
            }
            Event::Failed(error) => return Err(error.into()),
            _ => {}
        }
        if stop.load(Relaxed) {
            break;
        }
    }
    request.output_usage = Some(content.ids.len() as u64);
    request.content = Some(Box::new(content));
    Ok(request)
}

/// Where the backend's time went, by name.
pub(crate) fn by_name(phases: &Phases) -> Vec<(String, u64)> {
    let ns = |time: Duration| time.as_nanos() as u64;
    [
        ("prefill", phases.prefill),
        ("decode", phases.decode),
        ("sample", phases.sample),
        ("detokenize", phases.detokenize),
    ]
    .map(|(name, time)| (name.to_owned(), ns(time)))
    .to_vec()
}
