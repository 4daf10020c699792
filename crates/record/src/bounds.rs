//! What no measurement has: a record is a file that anybody may have written, and sums of its
//! numbers are to stay numbers.

use crate::{
    Chunk, DeviceUse, Distances, EngineRun, Fit, FreshRun, Held, Item, Layers, Measured, Outcome,
    ProofRun, Request, Run, Sample, ScoredText, Scores, Start, Trial,
};

/// All times and counts of a trial together stay below this; no sum of some of them overflows then.
/// As nanoseconds it is 146 years.
const MOST: u64 = 1 << 62;

/// Number of the first trial, from 0, whose numbers are absurd.
pub(crate) fn absurd(run: &Run) -> Option<usize> {
    run.trials.iter().position(|trial| total(trial) >= MOST)
}

fn total(trial: &Trial) -> u64 {
    let Trial { model, warmup, measured, .. } = trial;
    let windowed = model.kv_windowed.map_or([0, 0], |(bytes, window)| [bytes, window]);
    let operations =
        [model.layer_operations, model.output_operations].map(|of| sum([of.int8, of.bf16, of.f32]));
    let rest = [
        sum([model.bytes, model.n_params, model.bytes_per_token, model.kv_bytes_per_token]),
        sum(windowed),
        sum(operations),
        sum(model.load_ns.iter().map(|(_, ns)| *ns)),
        sum(warmup.elapsed_ns.iter().copied()),
        sum(trial.devices.iter().map(device)),
        sum([warmup.n_tokens, trial.peak_rss_bytes.unwrap_or(0), trial.repetitions as u64]),
    ];
    let measured = match measured {
        Measured::Repetitions { samples } => sum(samples.iter().map(sample)),
        Measured::Ladder { stage, samples, calls, .. } => {
            sum(samples.iter().map(sample).chain(calls.iter().copied()).chain([*stage]))
        }
        Measured::Requests(load) => {
            let clients = load.senders.iter().filter_map(|sender| sender.client.as_ref());
            let clients = load.client.iter().chain(clients);
            let client = clients.flat_map(|client| client.lag_ns.iter().copied());
            let requests = load.requests.iter().map(request);
            let emitted = load.emitted_ns.iter().map(|at| sum(at.iter().copied()));
            sum(requests
                .chain(emitted)
                .chain(client)
                .chain([load.cut_requests, load.unsent_requests]))
        }
        Measured::Scores(of) => scores(of),
        Measured::Distances(of) => distances(of),
        Measured::Quantized(of) => {
            let apart = of.distances.as_ref().map_or(0, distances);
            sum(of.runs.iter().map(fresh_run).chain([of.file_bytes, apart]))
        }
        Measured::Contender(of) => {
            let run = |run: &EngineRun| {
                let together = run.together.as_ref().map_or(0, sample);
                sum([fresh_run(&run.alone), together, run.n_parallel, run.n_gen])
            };
            sum(of.runs.iter().map(run).chain(of.scores.as_ref().map(scores)))
        }
        Measured::Tuned(of) => {
            let apart = of.distances.as_ref().map_or(0, distances);
            let rounds = of.rounds.iter().copied();
            sum(of.samples.iter().map(sample).chain(rounds).chain([of.fate_round, apart]))
        }
        Measured::Texts(texts) => sum(texts.texts.iter().map(text)),
        Measured::Items(items) => {
            let of = |item: &Item| {
                let chars = match &item.outcome {
                    Outcome::Choices(choices) => sum(choices.n_chars.iter().copied()),
                    Outcome::Answer(_) => 0,
                };
                sum([item.n_prompt, item.elapsed_ns, chars])
            };
            sum(items.items.iter().map(of).chain([items.n_items]))
        }
        Measured::Cold(cold) => {
            let weights = cold.weights.iter().map(|(_, bytes)| *bytes);
            sum(cold.starts.iter().map(start).chain(weights))
        }
        Measured::Fit(reckoned) => fit(reckoned),
        Measured::Facts { .. } => 0,
    };
    sum(rest).saturating_add(measured)
}

fn device(of: &DeviceUse) -> u64 {
    let samples = of.samples.iter().map(|s| {
        let known = [s.memory_bytes, s.clock_mhz, s.memory_clock_mhz].into_iter().flatten();
        sum(known.chain([s.t_ns]))
    });
    let spans = of.repetitions.iter().map(|span| sum([span.from_ns, span.to_ns]));
    let known = [of.total_bytes, of.peak_process_bytes].into_iter().flatten();
    sum(samples.chain(spans).chain(known).chain([of.reading_ns]))
}

fn distances(of: &Distances) -> u64 {
    sum([scores(&of.candidate), scores(&of.reference)])
}

fn fresh_run(run: &FreshRun) -> u64 {
    let memory = [run.loaded_rss_bytes, run.peak_rss_bytes].map(|bytes| bytes.unwrap_or(0));
    sum([sum(memory), run.load_ns, run.n_prompt, sample(&run.sample)])
}

fn start(start: &Start) -> u64 {
    let inside = start.inside.as_ref().map_or(0, |of| {
        let memory = [
            of.empty_rss_bytes,
            of.loaded_rss_bytes,
            of.generated_rss_bytes,
            of.peak_rss_bytes,
            of.kv_bytes,
        ];
        sum(memory.into_iter().flatten().chain([of.load_ns, sample(&of.sample)]))
    });
    sum([start.first_ns, start.storage_bytes].into_iter().flatten().chain([start.ended_ns, inside]))
}

fn scores(scores: &Scores) -> u64 {
    let chunks = scores.chunks.iter().map(chunk);
    sum(chunks.chain([scores.n_ctx, scores.n_tokens, scores.n_chunks]))
}

fn text(text: &ScoredText) -> u64 {
    let held = |held: &Option<Held>| {
        held.as_ref().map_or(0, |h| {
            sum([h.lane_tokens, h.n_lanes, h.most_tokens, h.resident_bytes, h.page_bytes])
        })
    };
    let continued = text.continued.as_ref().map_or(0, |continued| {
        let peak = continued.peak_rss_bytes.unwrap_or(0);
        sum([sample(&continued.sample), held(&continued.held), peak])
    });
    sum([text.index, text.n_computed, text.elapsed_ns, held(&text.held), continued])
}

fn fit(fit: &Fit) -> u64 {
    let m = &fit.memory;
    let layers = |layers: &Layers| {
        let windows = layers.windows.iter().map(|(window, n)| window.saturating_add(*n));
        sum([layers.n, layers.bytes].into_iter().chain(windows))
    };
    let rounds = fit
        .rounds
        .iter()
        .map(|r| sum([r.step_ns, r.logits_ns, r.deep_ns, r.prompt_ns, r.prompt_deep_ns]));
    let run = |run: &ProofRun| sum(run.samples.iter().map(sample).chain([run.n_prompt, run.n_gen]));
    let proof = fit.proof.as_ref().map_or(0, |proof| {
        let bytes =
            [proof.loaded_bytes, proof.loading_bytes, proof.running_bytes, proof.peak_bytes];
        sum(bytes.into_iter().flatten().chain([&proof.full, &proof.short, &proof.empty].map(run)))
    });
    sum([
        sum([m.process, m.weights, m.table, m.kv, m.work, m.loading]),
        sum([fit.budget_bytes, fit.largest_ctx, fit.trained_ctx].into_iter().flatten()),
        sum([&fit.whole, &fit.of_steps, &fit.of_prompts].map(layers)),
        sum(rounds),
        sum([fit.n_chunk, proof]),
    ])
}

fn sample(s: &Sample) -> u64 {
    let all = [s.elapsed_ns, s.ttft_ns.unwrap_or(0), s.cached_tokens, s.early_tokens];
    sum(all.into_iter().chain(s.gaps_ns.iter().copied()))
}

fn request(r: &Request) -> u64 {
    let absent = [
        r.resent_ns,
        r.connected_ns,
        r.started_ns,
        r.head_ns,
        r.prompt_tokens,
        r.prompt_usage,
        r.cached_tokens,
        r.output_wanted,
        r.output_usage,
        r.output_tokenized,
    ];
    let known = [r.scheduled_ns, r.sent_ns, r.end_ns].into_iter();
    let known = known.chain(r.phases_ns.iter().map(|(_, ns)| *ns));
    sum(known.chain(absent.into_iter().flatten()).chain(r.chunks_ns.iter().copied()))
}

fn chunk(c: &Chunk) -> u64 {
    sum([c.n_bytes, c.n_computed, c.elapsed_ns])
}

fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}
