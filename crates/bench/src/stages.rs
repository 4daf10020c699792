//! The serving stack layer by layer: the same requests through the decoder alone, then through one
//! layer more each time.
//!
//! [`STAGES`] says what each stage adds. Who can run them implements [`Ladder`]; this module
//! decides the order, which is up in one round and down in the next, so that what slows the machine
//! meets neighbours alike (metrics.md, rule 7).

use crate::{BenchError, Experiment, Params, Phase};
use crate::{Observer, repeat::CutShort};
use pacemark_backend::{BackendError, layer};
use pacemark_record::env::CpuTime;
use pacemark_record::{Model, STAGES_EXPERIMENT, Sample, Trial, Warmup};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Its row in [`crate::EXPERIMENTS`].
pub const EXPERIMENT: Experiment = Experiment {
    name: STAGES_EXPERIMENT,
    help: "the serving stack, layer by layer, and what each layer costs",
};

/// A stage of the ladder; its number is its place in [`STAGES`].
pub struct Stage {
    /// What it adds, in a table.
    pub name: &'static str,
    /// One line on what is exercised.
    pub help: &'static str,
}

/// The ladder. Each stage goes through the layer of its number ([`layer::StackLayer`]) and all below.
pub const STAGES: [Stage; layer::N_LAYERS] = [
    Stage { name: "decoder", help: "forward passes over prepared batches" },
    Stage {
        name: "KV pages, sampling",
        help: "blocks taken as sequences grow, each token chosen and computed next",
    },
    Stage {
        name: "batch assembly",
        help: "each step's batch put together from the sequences under way",
    },
    Stage {
        name: "stop, text, events",
        help: "stop conditions, detokenizer, an event for each token",
    },
    Stage { name: "scheduler", help: "budgets, block accounts, plans; an offline loop" },
    Stage {
        name: "thread, queue",
        help: "requests arrive at the engine's thread, each client's next when its last ended",
    },
    Stage { name: "request to prompt", help: "chat template, tokenizer, validation" },
    Stage { name: "HTTP handler", help: "the route called in process: JSON in, JSON out" },
    Stage { name: "HTTP server", help: "sockets over loopback, whole responses" },
    Stage {
        name: "SSE to a client",
        help: "a stream for each request, to a client process of its own",
    },
];

/// Whoever can run the stages.
pub trait Ladder {
    /// Runs all requests of the workload through `stage` and returns the time from the first
    /// request to the last token. `seed` differs from run to run: no two runs may share a prompt.
    fn climb(&mut self, stage: usize, seed: u64) -> Result<Duration, BackendError>;
}

/// What is run, and how often.
#[derive(Clone, Debug)]
pub struct Stages {
    /// Numbers of the stages, ascending.
    pub stages: Vec<usize>,
    /// Counted rounds; each runs every stage once.
    pub rounds: usize,
    /// Rounds before them.
    pub warmup_rounds: usize,
    /// Requests of a run.
    pub n_requests: usize,
    /// Requests at a time.
    pub concurrency: usize,
    /// Tokens of each prompt.
    pub n_prompt_tokens: usize,
    /// Tokens that each request generates.
    pub n_gen_tokens: usize,
    /// Start of the seeds.
    pub seed: u64,
}

impl Stages {
    /// Measures the ladder: a trial for each stage, with the calls through each layer of its last
    /// run in `calls`.
    pub fn run(
        &self,
        ladder: &mut dyn Ladder,
        model: &Model,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Vec<Trial>, CutShort> {
        let mut trials: Vec<Trial> =
            self.stages.iter().map(|&stage| self.trial(stage, model)).collect();
        let before = CpuTime::now();
        let result = self.rounds(ladder, &mut trials, observer, stop);
        let steal_share =
            before.zip(CpuTime::now()).and_then(|(before, now)| before.steal_share_until(now));
        trials.iter_mut().for_each(|trial| trial.steal_share = steal_share);
        match result {
            Ok(()) => Ok(trials),
            Err(error) => {
                trials.retain(|trial| !trial.samples.is_empty());
                Err(CutShort { partial: trials, error })
            }
        }
    }

    fn rounds(
        &self,
        ladder: &mut dyn Ladder,
        trials: &mut [Trial],
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(), BenchError> {
        for round in 0..self.warmup_rounds + self.rounds {
            let mut order: Vec<usize> = (0..trials.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            let counted = round.checked_sub(self.warmup_rounds);
            for (at, place) in order.into_iter().enumerate() {
                let stage = self.stages[place];
                observer.turn(STAGES[stage].name);
                observer
                    .phase(counted.map_or(Phase::Warmup(round + 1), |counted| {
                        Phase::Repetition(counted + 1)
                    }));
                let calls = layer::calls();
                let seed = self.seed.wrapping_add((round * trials.len() + at) as u64);
                let elapsed_ns = ladder.climb(stage, seed)?.as_nanos() as u64;
                if stop.load(Ordering::Relaxed) {
                    return Err(BenchError::Interrupted);
                }
                let trial = &mut trials[place];
                let calls: Vec<u64> =
                    layer::calls().iter().zip(calls).map(|(now, before)| now - before).collect();
                trial.params.insert("calls".into(), json!(calls));
                match counted {
                    None => trial.warmup.elapsed_ns.push(elapsed_ns),
                    Some(_) => {
                        let sample = Sample { elapsed_ns, ..Sample::default() };
                        observer.sample(&sample);
                        trial.samples.push(sample);
                    }
                }
            }
        }
        Ok(())
    }

    fn trial(&self, stage: usize, model: &Model) -> Trial {
        let params = json!({
            "stage": stage,
            "name": STAGES[stage].name,
            "n_requests": self.n_requests,
            "concurrency": self.concurrency,
            "n_prompt_tokens": self.n_prompt_tokens,
            "n_gen_tokens": self.n_gen_tokens,
        });
        let n_tokens = (self.n_requests * (self.n_prompt_tokens + self.n_gen_tokens)) as u64;
        Trial {
            experiment: STAGES_EXPERIMENT.to_owned(),
            started_unix_s: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            model: model.clone(),
            params: params.as_object().cloned().unwrap_or_else(Params::new),
            warmup: Warmup { n_tokens, ..Warmup::default() },
            repetitions: self.rounds,
            ..Trial::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    /// Notes what was asked of it; fails in the run of that number.
    struct Notes {
        runs: Vec<(usize, u64)>,
        fails_at: usize,
    }

    impl Ladder for Notes {
        fn climb(&mut self, stage: usize, seed: u64) -> Result<Duration, BackendError> {
            self.runs.push((stage, seed));
            if self.runs.len() == self.fails_at {
                return Err(BackendError::Engine("broken".into()));
            }
            Ok(Duration::from_millis(10 + stage as u64))
        }
    }

    fn stages() -> Stages {
        Stages {
            stages: vec![0, 4, 9],
            rounds: 2,
            warmup_rounds: 1,
            n_requests: 4,
            concurrency: 2,
            n_prompt_tokens: 8,
            n_gen_tokens: 5,
            seed: 100,
        }
    }

    #[test]
    fn rounds_go_up_and_down_and_no_seed_comes_twice() {
        let mut ladder = Notes { runs: Vec::new(), fails_at: 0 };
        let trials = stages()
            .run(&mut ladder, &Model::default(), &mut Silent, &AtomicBool::new(false))
            .unwrap();
        let order: Vec<usize> = ladder.runs.iter().map(|run| run.0).collect();
        assert_eq!(order, [0, 4, 9, 9, 4, 0, 0, 4, 9]);
        assert!(ladder.runs.iter().zip(100..).all(|(run, seed)| run.1 == seed));
        assert_eq!(trials.len(), 3);
        assert!(trials.iter().all(|t| t.samples.len() == 2 && t.warmup.elapsed_ns.len() == 1));
        assert_eq!((trials[2].count("stage"), trials[2].samples[0].elapsed_ns), (9, 19_000_000));
    }

    #[test]
    fn what_was_measured_is_kept() {
        let mut ladder = Notes { runs: Vec::new(), fails_at: 6 };
        let cut = stages()
            .run(&mut ladder, &Model::default(), &mut Silent, &AtomicBool::new(false))
            .unwrap_err();
        assert_eq!(cut.partial.iter().map(|t| t.count("stage")).collect::<Vec<_>>(), [4, 9]);
        let stopped = stages()
            .run(&mut ladder, &Model::default(), &mut Silent, &AtomicBool::new(true))
            .unwrap_err();
        assert!(matches!(stopped.error, BenchError::Interrupted) && stopped.partial.is_empty());
    }
}
