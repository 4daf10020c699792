//! The serving stack layer by layer: the same requests through the decoder alone, then through one
//! layer more each time.
//!
//! [`STAGES`] says what each stage adds. Who can run them implements [`Ladder`]; this module
//! decides the order, which is up in one round and down in the next, so that what slows the machine
//! meets neighbours alike (metrics.md, rule 7).

use crate::experiment::{Case, How, Subject, mismatch};
use crate::parameter::{N_THREADS, TYPE_K, TYPE_V};
use crate::repeat::{CutShort, now_unix_s};
use crate::{BenchError, Experiment, Phase, Test};
use pacemark_backend::{BackendError, layer};
use pacemark_record::env::StealWatch;
use pacemark_record::{
    Measured, Metric, Model, Run, STAGES_EXPERIMENT, Sample, StageFigures, StageTarget,
    StageVerdict, Trial, Warmup, stage_figures,
};
use pacemark_report::layout::stages as table;
use pacemark_report::picture::{Marks, Panel, Role, Span};
use pacemark_report::{Document, Standing, Verdict};
use pacemark_setup::Setup;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The serving stack, layer by layer.
pub struct Stages;

impl Experiment for Stages {
    fn name(&self) -> &'static str {
        STAGES_EXPERIMENT
    }

    fn help(&self) -> &'static str {
        "the serving stack, layer by layer, and what each layer costs"
    }

    /// A trial for each stage, with the calls through each layer of its last run.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Climb(climb), Subject::Ladder(ladder, model)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let mut trials: Vec<Trial> =
            climb.stages.iter().map(|&stage| climb.trial(stage, model, how.seed)).collect();
        let steal = StealWatch::begin();
        let result = climb.rounds(*ladder, &mut trials, how);
        let steal_share = steal.share();
        trials.iter_mut().for_each(|trial| trial.steal_share = steal_share);
        match result {
            Ok(()) => Ok(trials),
            Err(error) => {
                trials.retain(|trial| !trial.measured.is_empty());
                Err(CutShort { partial: trials, error })
            }
        }
    }

    fn format(&self) -> &'static str {
        "table"
    }

    /// What the stages are figured from stands in several trials: see [`stage_figures`].
    fn metrics(&self) -> &'static [Metric] {
        &[]
    }

    fn row_name(&self, _: &Run, trial: &Trial) -> String {
        trial.stage().map_or(String::new(), |(stage, name)| format!("stage {stage}, {name}"))
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Ladder { .. })
    }

    /// Of its stages each has a name of its own; advice on repetitions is not for rounds.
    fn notes(&self, run: &Run) -> Vec<String> {
        let mut notes = Vec::new();
        for trial in &run.trials {
            let stage = trial.stage().map_or(0, |(stage, _)| stage);
            notes.extend(trial.notes.iter().map(|note| format!("stage {stage}: {note}")));
        }
        notes
    }

    fn streams(&self) -> bool {
        false
    }

    /// Stages that miss the target or may, or that all reach it; and the dearest layer.
    fn verdicts(&self, run: &Run) -> Vec<Verdict> {
        let target = target(run);
        judged(&stage_figures(&run.trials, target), target)
    }

    fn panels(&self, run: &Run) -> Vec<Panel> {
        let figures = stage_figures(&run.trials, target(run));
        waterfall(&figures).into_iter().collect()
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        let target = target(run);
        table(run, &stage_figures(&run.trials, target), target)
    }
}

fn judged(figures: &[StageFigures], target: StageTarget) -> Vec<Verdict> {
    let wanted = match target {
        StageTarget::Share(share) => format!("{:.0} % of the decoder's rate", share * 100.0),
        StageTarget::TokensPerSecond(rate) => format!("{rate} t/s"),
    };
    let one = |row: &StageFigures| {
        let (standing, what) = match row.verdict {
            StageVerdict::Met => return None,
            StageVerdict::Missed => (Standing::Bad, "misses"),
            StageVerdict::Undecided => (Standing::Open, "is not shown to reach"),
        };
        let StageFigures { stage, name, tokens_per_second, .. } = row;
        let rate = match tokens_per_second.is_finite() {
            true => format!("{tokens_per_second:.1}"),
            false => "-".to_owned(),
        };
        let text = format!("stage {stage}, {name}: {rate} t/s {what} {wanted}");
        Some(Verdict { standing, text })
    };
    let mut said: Vec<Verdict> = figures.iter().filter_map(one).collect();
    if said.is_empty() && !figures.is_empty() {
        let text = format!("all {} stages reach {wanted}", figures.len());
        said.push(Verdict { standing: Standing::Good, text });
    }
    said.extend(dearest(figures));
    said
}

/// The layer that is shown to cost most: its interval lies above nothing and above all others'.
fn dearest(figures: &[StageFigures]) -> Option<Verdict> {
    let layers: Vec<(&StageFigures, f64)> =
        figures.iter().filter_map(|row| Some((row, row.own_us_per_token?))).collect();
    let open = |text: &str| Some(Verdict { standing: Standing::Open, text: text.to_owned() });
    let (row, us) = *layers.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    if layers.iter().any(|(row, _)| row.own_interval.is_none()) {
        return open("which layer is the dearest cannot be told: an interval takes five rounds");
    }
    let [low, _] = row.own_interval?;
    if low <= 0.0 {
        return open("no layer is shown to cost anything");
    }
    let (stage, name) = (row.stage, &row.name);
    let mut others = layers.iter().filter(|(other, _)| other.stage != stage);
    if others.any(|(other, _)| other.own_interval.is_none_or(|[_, high]| high >= low)) {
        return open("no layer is shown to be the dearest: intervals of several touch");
    }
    Some(Verdict::plain(format!(
        "the dearest layer is stage {stage}, {name}: {us:.1} µs for each generated token"
    )))
}

/// The time of a token, and which layer adds what of it.
fn waterfall(figures: &[StageFigures]) -> Option<Panel> {
    let us = |row: &StageFigures| 1e6 / row.tokens_per_second;
    let span = |(i, row): (usize, &StageFigures)| Span {
        label: format!("{} {}", row.stage, row.name),
        from: if i == 0 { 0.0 } else { us(&figures[i - 1]) },
        to: us(row),
        words: match row.own_us_per_token {
            Some(own) => format!("{own:+.1} µs"),
            // Without a rate there is no time either.
            None if !us(row).is_finite() || us(row) == 0.0 => "-".to_owned(),
            None => format!("{:.1} µs", us(row)),
        },
        role: if row.own_us_per_token.is_some() { Role::Other } else { Role::Baseline },
    };
    (!figures.is_empty()).then(|| Panel {
        title: "Time of a generated token: what each layer adds".to_owned(),
        y_axis: String::new(),
        x_axis: "µs for each generated token".to_owned(),
        marks: Marks::Spans(figures.iter().enumerate().map(span).collect()),
    })
}

/// What the stages of a run are held to.
pub fn target(run: &Run) -> StageTarget {
    let of = |trial: &Trial| {
        let target = trial.params.get("target")?;
        let share = target.get("share").and_then(|share| share.as_f64()).map(StageTarget::Share);
        let rate = || target.get("tokens_per_second")?.as_f64().map(StageTarget::TokensPerSecond);
        share.or_else(rate)
    };
    run.trials.first().and_then(of).unwrap_or(StageTarget::Share(0.8))
}

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

/// What is run through each stage.
#[derive(Clone, Debug)]
pub struct Climb {
    /// Numbers of the stages, ascending.
    pub stages: Vec<usize>,
    /// Rounds before those that are counted; each runs every stage once.
    pub warmup_rounds: usize,
    /// Requests of a run.
    pub n_requests: usize,
    /// Requests at a time.
    pub concurrency: usize,
    /// Tokens of each prompt.
    pub n_prompt_tokens: usize,
    /// Tokens that each request generates.
    pub n_gen_tokens: usize,
    /// What each stage is to reach.
    pub target: StageTarget,
    /// How the model is loaded and run.
    pub setup: Setup,
}

impl Climb {
    fn rounds(
        &self,
        ladder: &mut dyn Ladder,
        trials: &mut [Trial],
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        let mut began = Instant::now();
        for round in 0.. {
            let counted = round >= self.warmup_rounds;
            if round == self.warmup_rounds {
                began = Instant::now();
            }
            let rates: Vec<Vec<f64>> = trials.iter().map(Trial::generated_rates_ts).collect();
            if counted && how.repetitions.are_enough(&rates, began.elapsed()) {
                for (trial, rates) in trials.iter_mut().zip(&rates) {
                    trial.repetitions = trial.samples().len();
                    trial.notes.extend(how.repetitions.missed(rates));
                }
                break;
            }
            let mut order: Vec<usize> = (0..trials.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for (at, place) in order.into_iter().enumerate() {
                let seed = how.seed.wrapping_add((round * trials.len() + at) as u64);
                self.run(ladder, (round, self.stages[place]), &mut trials[place], seed, how)?;
            }
        }
        Ok(())
    }

    /// One stage of one round.
    fn run(
        &self,
        ladder: &mut dyn Ladder,
        (round, stage): (usize, usize),
        trial: &mut Trial,
        seed: u64,
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        let counted = round.checked_sub(self.warmup_rounds);
        how.observer.turn(STAGES[stage].name);
        how.observer.phase(
            counted.map_or(Phase::Warmup(round + 1), |counted| Phase::Repetition(counted + 1)),
        );
        let before = layer::calls();
        let elapsed_ns = ladder.climb(stage, seed)?.as_nanos() as u64;
        if how.stop.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted);
        }
        let through = layer::calls().iter().zip(before).map(|(now, before)| now - before).collect();
        if counted.is_none() {
            trial.warmup.elapsed_ns.push(elapsed_ns);
        }
        if let Measured::Ladder { samples, calls, .. } = &mut trial.measured {
            *calls = through;
            if counted.is_some() {
                let sample = Sample { elapsed_ns, ..Sample::default() };
                how.observer.sample(&sample);
                samples.push(sample);
            }
        }
        Ok(())
    }

    fn trial(&self, stage: usize, model: &Model, seed: u64) -> Trial {
        let params = json!({
            "n_requests": self.n_requests,
            "concurrency": self.concurrency,
            "n_prompt_tokens": self.n_prompt_tokens,
            "n_gen_tokens": self.n_gen_tokens,
            "target": match self.target {
                StageTarget::Share(share) => json!({ "share": share }),
                StageTarget::TokensPerSecond(rate) => json!({ "tokens_per_second": rate }),
            },
        });
        let mut params = params.as_object().cloned().unwrap_or_default();
        let of_setup = Test { setup: self.setup.clone(), ..Test::default() }.params();
        let names = [N_THREADS, TYPE_K, TYPE_V].map(|parameter| parameter.name);
        params.extend(of_setup.into_iter().filter(|(name, _)| names.contains(&name.as_str())));
        params.insert("seed".into(), seed.into());
        let n_tokens = (self.n_requests * (self.n_prompt_tokens + self.n_gen_tokens)) as u64;
        Trial {
            experiment: STAGES_EXPERIMENT.to_owned(),
            started_unix_s: now_unix_s(),
            model: model.clone(),
            params,
            warmup: Warmup { n_tokens, ..Warmup::default() },
            measured: Measured::Ladder {
                stage: stage as u64,
                name: STAGES[stage].name.to_owned(),
                samples: Vec::new(),
                calls: Vec::new(),
            },
            ..Trial::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Repetitions, Silent, Warmups};
    use std::sync::atomic::AtomicBool;

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

    fn climb(fails_at: usize, stop: bool) -> (Result<Vec<Trial>, CutShort>, Notes) {
        let case = Case::Climb(Climb {
            stages: vec![0, 4, 9],
            warmup_rounds: 1,
            n_requests: 4,
            concurrency: 2,
            n_prompt_tokens: 8,
            n_gen_tokens: 5,
            target: StageTarget::Share(0.5),
            setup: Setup::default(),
        });
        let mut ladder = Notes { runs: Vec::new(), fails_at };
        let model = Model::default();
        let mut how = How {
            repetitions: Repetitions::exactly(2),
            warmup: Warmups::UntilSettled,
            seed: 100,
            observer: &mut Silent,
            stop: &AtomicBool::new(stop),
        };
        let result = Stages.measure(&case, &mut Subject::Ladder(&mut ladder, &model), &mut how);
        (result, ladder)
    }

    #[test]
    fn rounds_go_up_and_down_and_no_seed_comes_twice() {
        let (trials, ladder) = climb(0, false);
        let trials = trials.unwrap();
        let order: Vec<usize> = ladder.runs.iter().map(|run| run.0).collect();
        assert_eq!(order, [0, 4, 9, 9, 4, 0, 0, 4, 9]);
        assert!(ladder.runs.iter().zip(100..).all(|(run, seed)| run.1 == seed));
        assert_eq!(trials.len(), 3);
        assert!(trials.iter().all(|t| t.samples().len() == 2 && t.warmup.elapsed_ns.len() == 1));
        assert_eq!(trials[2].stage().unwrap().0, 9);
        assert_eq!(trials[2].samples()[0].elapsed_ns, 19_000_000);
    }

    #[test]
    fn what_was_measured_is_kept() {
        let cut = climb(6, false).0.unwrap_err();
        let stages: Vec<u64> = cut.partial.iter().map(|t| t.stage().unwrap().0).collect();
        assert_eq!(stages, [4, 9]);
        let stopped = climb(0, true).0.unwrap_err();
        assert!(matches!(stopped.error, BenchError::Interrupted) && stopped.partial.is_empty());
    }

    #[test]
    fn what_generated_nothing_has_no_time_and_meets_nothing() {
        let (trials, _) = climb(0, false);
        let mut trials = trials.unwrap();
        for trial in &mut trials {
            trial.params.insert("n_gen_tokens".into(), 0.into());
        }
        let run = Run { trials, ..Run::default() };
        let verdicts = Stages.verdicts(&run);
        assert!(verdicts.iter().all(|one| one.standing != Standing::Good), "{verdicts:?}");
        let Marks::Spans(spans) = &Stages.panels(&run)[0].marks else { panic!() };
        assert!(spans.iter().all(|span| span.words == "-"), "{spans:?}");
    }

    #[test]
    fn only_what_is_shown_is_the_dearest_layer() {
        let row = |stage, us: f64, half: Option<f64>| StageFigures {
            stage,
            name: format!("layer {stage}"),
            tokens_per_second: 100.0,
            interval: None,
            own_us_per_token: (stage > 0).then_some(us),
            own_interval: half.map(|half| [us - half, us + half]),
            own_share: None,
            loss: 0.0,
            loss_interval: None,
            verdict: StageVerdict::Met,
            rounds: 5,
        };
        let said = |layers: &[(f64, Option<f64>)]| {
            let rows = (1..).zip(layers).map(|(stage, (us, half))| row(stage, *us, *half));
            let rows: Vec<StageFigures> = std::iter::once(row(0, 0.0, None)).chain(rows).collect();
            dearest(&rows).unwrap().text
        };
        let shown = said(&[(40.0, Some(2.0)), (10.0, Some(2.0)), (-5.0, Some(9.0))]);
        assert_eq!(
            shown,
            "the dearest layer is stage 1, layer 1: 40.0 µs for each generated token"
        );
        assert!(said(&[(42.7, None), (-278.7, None)]).contains("cannot be told"));
        assert!(said(&[(40.0, Some(50.0)), (10.0, Some(90.0))]).contains("to cost anything"));
        assert!(said(&[(40.0, Some(2.0)), (37.0, Some(2.0))]).contains("of several touch"));
        assert!(dearest(&[row(0, 0.0, None)]).is_none());
    }

    #[test]
    fn the_target_is_part_of_the_record() {
        let run = |trials| Run { trials, ..Run::default() };
        assert_eq!(target(&run(climb(0, false).0.unwrap())), StageTarget::Share(0.5));
        assert_eq!(target(&run(Vec::new())), StageTarget::Share(0.8));
    }
}
