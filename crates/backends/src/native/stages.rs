//! The lower half of the ladder of `pacemark stages`: the same requests through the decoder alone,
//! then through one layer more each time, up to the queue of the service.
//!
//! Stages 0 to 4 run on the engine's thread, lent by the service; they generate as many tokens of
//! as many sequences at a time as the service does, in waves, since all requests are equally long.

use super::engine::forward;
use super::service::NativeService;
use super::service::requests::Generation;
use super::service::worker::Worker;
use crate::generation::Terms;
use pacemark_backend::layer::{self, StackLayer};
use pacemark_backend::{BackendError, Event, FinishReason, GenerateRequest, Service, TokenId};
use pacemark_engine::{BatchItem, KV_BLOCK, LogitRows, Model, Sampler, SamplerConfig, SequenceKv};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Runs `requests`, `concurrency` at a time, through the layers up to `stage` (0 to 5); the time
/// from the first to the last token's computation. All prompts and all `max_tokens` are equally
/// long, and no token ends an output.
pub fn run_stage(
    service: &NativeService,
    stage: usize,
    requests: Vec<GenerateRequest>,
    concurrency: usize,
) -> Result<Duration, BackendError> {
    if stage == StackLayer::Queue as usize {
        return through_queue(service, requests, concurrency);
    }
    let terms = service.terms().clone();
    let run = move |worker: &mut Worker| {
        let waves: Vec<&[GenerateRequest]> = requests.chunks(concurrency.max(1)).collect();
        match stage {
            0 => prepared(worker, &waves),
            1 => sampled(worker, &waves),
            2 | 3 => assembled(worker, &requests, concurrency, (stage == 3).then_some(&terms)),
            _ => scheduled(worker, requests, &terms),
        }
    };
    service.lend(run)?
}

/// Stage 0: batches whose tokens and blocks are all prepared; logits are computed, and nobody looks
/// at them.
fn prepared<'a>(
    worker: &mut Worker,
    waves: &[&'a [GenerateRequest]],
) -> Result<Duration, BackendError> {
    let (decoder, blocks) = worker.decoder();
    let per_sequence = waves.first().map_or(0, |wave| blocks_of(&wave[0]));
    let started = Instant::now();
    for wave in waves {
        let mut caches: Vec<SequenceKv> = (0..wave.len()).map(|_| SequenceKv::default()).collect();
        for (kv, blocks) in caches.iter_mut().zip(blocks.chunks_exact(per_sequence)) {
            kv.place(blocks, 0);
        }
        for step in 0..wave[0].max_tokens {
            let item = |(kv, request): (_, &'a GenerateRequest)| {
                let tokens = if step == 0 { &request.prompt[..] } else { &request.prompt[..1] };
                BatchItem { kv, tokens, logits: LogitRows::Last }
            };
            let mut batch: Vec<BatchItem<'_>> = caches.iter_mut().zip(*wave).map(item).collect();
            forward(decoder, &mut batch)?;
        }
    }
    Ok(started.elapsed())
}

fn blocks_of(request: &GenerateRequest) -> usize {
    (request.prompt.len() + request.max_tokens).div_ceil(KV_BLOCK)
}

/// Stage 1: blocks are taken as sequences grow, and each token is chosen from the logits and
/// computed next.
fn sampled(worker: &mut Worker, waves: &[&[GenerateRequest]]) -> Result<Duration, BackendError> {
    let (decoder, blocks) = worker.decoder();
    let n_vocab = decoder.model().config().n_vocab;
    let started = Instant::now();
    for wave in waves {
        let mut free = blocks.to_vec();
        let mut sequences: Vec<Paged> = wave.iter().map(|_| Paged::default()).collect();
        let begin = |(row, request): (usize, &GenerateRequest)| {
            (row, Sampler::new(SamplerConfig::default(), &request.prompt), request.prompt.clone())
        };
        let mut next: Vec<(usize, Sampler, Vec<TokenId>)> =
            wave.iter().enumerate().map(begin).collect();
        for _ in 0..wave[0].max_tokens {
            let mut batch = Vec::with_capacity(wave.len());
            for (sequence, (_, _, tokens)) in sequences.iter_mut().zip(&next) {
                sequence.grow(tokens.len(), &mut free);
                batch.push(BatchItem { kv: &mut sequence.kv, tokens, logits: LogitRows::Last });
            }
            forward(decoder, &mut batch)?;
            let logits = decoder.logits();
            decoder.spread(&mut next, &|(row, sampler, next)| {
                layer::pass(StackLayer::Sampling);
                *next = vec![sampler.sample(&logits[*row * n_vocab..][..n_vocab])];
            });
        }
    }
    Ok(started.elapsed())
}

/// A sequence that takes blocks as it grows.
#[derive(Default)]
struct Paged {
    kv: SequenceKv,
    blocks: Vec<u32>,
}

impl Paged {
    fn grow(&mut self, n: usize, free: &mut Vec<u32>) {
        let len = self.kv.len();
        while self.blocks.len() * KV_BLOCK < len + n {
            self.blocks.extend(free.pop());
        }
        self.kv.place(&self.blocks, len);
    }
}

/// A request on its way through stage 2 or 3.
struct Sequence {
    paged: Paged,
    tokens: Vec<TokenId>,
    n_prompt: usize,
    n_computed: usize,
    /// Its row of logits.
    row: usize,
    chooser: Chooser,
    chosen: Result<(TokenId, Option<Event>, Option<FinishReason>), BackendError>,
}

impl Sequence {
    fn choose(&mut self, model: &Model, logits: &[f32]) {
        let n_vocab = model.config().n_vocab;
        let logits = &logits[self.row * n_vocab..][..n_vocab];
        self.chosen = match &mut self.chooser {
            Chooser::Ids(sampler) => {
                layer::pass(StackLayer::Sampling);
                Ok((sampler.sample(logits), None, None))
            }
            Chooser::Events(generation) => {
                let logprobs = |logits: &[f32], id, n_top| model.logprobs(logits, id, n_top);
                let chosen = generation.machine.choose(logits, logprobs);
                chosen.map(|chosen| (chosen.id, Some(chosen.event), chosen.finished))
            }
        };
    }
}

/// How its tokens are chosen, and what is made of them.
enum Chooser {
    Ids(Box<Sampler>),
    Events(Box<Generation>),
}

/// Stages 2 and 3: each step's batch is put together from the sequences that are under way, whose
/// places are taken again when they end. With `terms`, tokens go through stop conditions, become
/// text, and are told.
fn assembled(
    worker: &mut Worker,
    requests: &[GenerateRequest],
    concurrency: usize,
    terms: Option<&Terms>,
) -> Result<Duration, BackendError> {
    let (decoder, blocks) = worker.decoder();
    let mut free = blocks.to_vec();
    let (told, events) = channel();
    let started = Instant::now();
    let mut waiting = requests.iter().enumerate();
    let mut running: Vec<Sequence> = Vec::new();
    loop {
        for (id, request) in waiting.by_ref().take(concurrency - running.len()) {
            let told = told.clone();
            let sink = Box::new(move |event: Event| drop(told.send(event)));
            let chooser = match terms {
                None => {
                    Chooser::Ids(Box::new(Sampler::new(SamplerConfig::default(), &request.prompt)))
                }
                Some(terms) => {
                    let machine = terms.begin(request.clone())?;
                    Chooser::Events(Box::new(Generation::new(id as u64, machine, sink)))
                }
            };
            let (tokens, n_prompt) = (request.prompt.clone(), request.prompt.len());
            let chosen = Ok((0, None, None));
            running.push(Sequence {
                paged: Paged::default(),
                tokens,
                n_prompt,
                n_computed: 0,
                row: 0,
                chooser,
                chosen,
            });
        }
        if running.is_empty() {
            return Ok(started.elapsed());
        }
        layer::pass(StackLayer::Assembly);
        let mut batch = Vec::with_capacity(running.len());
        for (row, sequence) in running.iter_mut().enumerate() {
            sequence.row = row;
            let tokens = &sequence.tokens[sequence.n_computed..];
            sequence.paged.grow(tokens.len(), &mut free);
            batch.push(BatchItem { kv: &mut sequence.paged.kv, tokens, logits: LogitRows::Last });
        }
        forward(decoder, &mut batch)?;
        let n_gen = requests[0].max_tokens;
        let (model, logits) = (decoder.model(), decoder.logits());
        decoder.spread(&mut running, &|sequence| sequence.choose(model, logits));
        for mut sequence in std::mem::take(&mut running) {
            sequence.n_computed = sequence.tokens.len();
            let (id, event, finished) =
                std::mem::replace(&mut sequence.chosen, Ok((0, None, None)))?;
            if let (Chooser::Events(generation), Some(event)) = (&mut sequence.chooser, event) {
                generation.tell([event]);
            }
            sequence.tokens.push(id);
            if finished.is_some() || sequence.tokens.len() - sequence.n_prompt == n_gen {
                free.append(&mut sequence.paged.blocks);
                if let (Chooser::Events(generation), Some(reason)) = (sequence.chooser, finished) {
                    generation.finish(reason, None);
                }
            } else {
                running.push(sequence);
            }
        }
        // Whoever listens takes what there is.
        events.try_iter().for_each(drop);
    }
}

/// Stage 4: the scheduler decides, in a loop without a queue.
fn scheduled(
    worker: &mut Worker,
    requests: Vec<GenerateRequest>,
    terms: &Terms,
) -> Result<Duration, BackendError> {
    let (told, events) = channel();
    let started = Instant::now();
    for (id, request) in requests.into_iter().enumerate() {
        let told = told.clone();
        let sink = Box::new(move |event| drop(told.send(event)));
        worker.add(Generation::new(id as u64, terms.begin(request)?, sink));
    }
    while !worker.is_idle() {
        worker.step();
        let failed = |event| if let Event::Failed(error) = event { Some(error) } else { None };
        if let Some(error) = events.try_iter().find_map(failed) {
            return Err(error);
        }
    }
    Ok(started.elapsed())
}

/// Stage 5: each of `concurrency` clients hands over its next request when the last has ended.
fn through_queue(
    service: &NativeService,
    requests: Vec<GenerateRequest>,
    concurrency: usize,
) -> Result<Duration, BackendError> {
    let (told, events) = channel();
    let mut waiting = requests.into_iter();
    let mut tickets = Vec::new();
    let mut submit = |request: GenerateRequest| {
        let told = told.clone();
        // Woken when a request has ended, as whoever wants whole answers is.
        let sink = move |event| {
            if matches!(event, Event::Finished { .. } | Event::Failed(_)) {
                let _ = told.send(event);
            }
        };
        tickets.push(service.submit(request, Box::new(sink)));
    };
    let started = Instant::now();
    let mut n_running = 0;
    for request in waiting.by_ref().take(concurrency) {
        n_running += 1;
        submit(request);
    }
    while n_running > 0 {
        match events.recv() {
            Ok(Event::Finished { .. }) => match waiting.next() {
                Some(request) => submit(request),
                None => n_running -= 1,
            },
            Ok(Event::Failed(error)) => return Err(error),
            Ok(_) => {}
            Err(_) => return Err(BackendError::Engine("the engine's thread has ended".into())),
        }
    }
    Ok(started.elapsed())
}
