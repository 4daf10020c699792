//! Answers that have ended are read on a thread of their own, so that reading delays no stamp.

use crate::analyse::{Analysed, analyse};
use crate::net::Exchange;
use crate::prompt::Encoder;
use pacemark_record::Request;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Bytes that may wait to be read; beyond, they are read where they came.
const MAX_WAITING: usize = 64 << 20;

/// Requests whose median is shown while a load runs.
const LATEST: usize = 200;

/// What the sender knows of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub scheduled_ns: Option<u64>,
    pub prompt_tokens: Option<u64>,
    pub output_wanted: Option<u64>,
    pub turn: u32,
    pub held_back: bool,
    pub url: Option<Arc<str>>,
}

/// All that has ended so far.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub requests: Vec<Request>,
    pub emitted_ns: Vec<Vec<u64>>,
    pub failed: u64,
}

impl Results {
    /// Times to first token of the latest answers.
    pub(super) fn latest_ttft_ms(&self) -> Vec<f64> {
        let latest = &self.requests[self.requests.len().saturating_sub(LATEST)..];
        latest
            .iter()
            .filter(|r| r.is_ok())
            .filter_map(|r| Some(r.ttft_ns()? as f64 / 1e6))
            .collect()
    }
}

enum Job {
    Raw(Exchange, Sent, u64),
    Analysed(Box<Analysed>, Sent),
}

/// Takes what has ended.
pub(crate) struct Collector {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

impl Collector {
    /// An exchange as it was received.
    pub(crate) fn raw(&self, exchange: Exchange, sent: Sent, origin_ns: u64) {
        let bytes = exchange.answer.as_ref().map_or(0, |received| received.bytes.len());
        if self.waiting.fetch_add(bytes, Relaxed) + bytes > MAX_WAITING {
            self.waiting.fetch_sub(bytes, Relaxed);
            self.analysed(analyse(exchange, origin_ns), sent);
        } else {
            let _ = self.jobs.send(Job::Raw(exchange, sent, origin_ns)); // the reader outlives us
        }
    }

    /// One that was read.
    pub(crate) fn analysed(&self, analysed: Analysed, sent: Sent) {
        let _ = self.jobs.send(Job::Analysed(Box::new(analysed), sent));
    }
}

/// Starts the reader, which ends with its collector.
pub(super) fn start(
    encoder: Option<Arc<dyn Encoder>>,
) -> std::io::Result<(Arc<Mutex<Results>>, Collector, JoinHandle<()>)> {
    let (jobs, received) = channel();
    let (results, waiting) =
        (Arc::new(Mutex::new(Results::default())), Arc::new(AtomicUsize::new(0)));
    let collector = Collector { jobs, waiting: waiting.clone() };
    let shared = results.clone();
    let reader = std::thread::Builder::new()
        .name("answers".into())
        .spawn(move || read(&received, &waiting, &shared, encoder.as_deref()))?;
    Ok((results, collector, reader))
}

/// Tokens of the texts together, each by itself; `None` where there is no text or no count of it.
fn n_tokens(encoder: &dyn Encoder, texts: [&str; 2]) -> Option<u64> {
    let counts =
        texts.iter().filter(|text| !text.is_empty()).map(|text| encoder.encode(text, false));
    let counts: Vec<Vec<u32>> = counts.collect::<Result<_, _>>().ok()?;
    (!counts.is_empty()).then(|| counts.iter().map(|ids| ids.len() as u64).sum())
}

fn read(
    jobs: &Receiver<Job>,
    waiting: &AtomicUsize,
    results: &Mutex<Results>,
    encoder: Option<&dyn Encoder>,
) {
    while let Ok(job) = jobs.recv() {
        let (analysed, sent) = match job {
            Job::Analysed(analysed, sent) => (*analysed, sent),
            Job::Raw(exchange, sent, origin_ns) => {
                let bytes = exchange.answer.as_ref().map_or(0, |received| received.bytes.len());
                let analysed = analyse(exchange, origin_ns);
                waiting.fetch_sub(bytes, Relaxed);
                (analysed, sent)
            }
        };
        let Analysed { request, text, beside, emitted_ns } = analysed;
        let tokenized = encoder.and_then(|encoder| n_tokens(encoder, [&text, &beside]));
        let request = Request {
            scheduled_ns: sent.scheduled_ns.unwrap_or(request.sent_ns),
            prompt_tokens: sent.prompt_tokens,
            output_wanted: sent.output_wanted,
            output_tokenized: tokenized,
            turn: sent.turn,
            held_back: sent.held_back,
            url: sent.url.as_deref().map(str::to_owned),
            ..request
        };
        let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
        results.failed += u64::from(!request.is_ok());
        results.requests.push(request);
        results.emitted_ns.push(emitted_ns);
    }
}
