//! A prediction with made-up times, on a page and in every format.

use super::super::{Fitting, Setting};
use super::*;
use pacemark_record::{
    Env, FitMemory, FitRound, Layers, Measured, Model, Operations, Proof, ProofRun, Roof, SCHEMA,
    Sample,
};
use pacemark_report::{Page, render, render::RENDERERS, render::find};

/// A machine whose passes take what is said here; its round of that number breaks.
pub(in crate::fit) struct NoMachine {
    pub fails_at: usize,
    pub n_rounds: usize,
}

impl Fitting for NoMachine {
    fn roof(&mut self) -> Result<Option<Roof>, String> {
        let read_bytes_per_s = 20e9 + 1e9 * self.n_rounds.min(1) as f64;
        let bf16_per_s = None;
        Ok(Some(Roof { read_bytes_per_s, int8_per_s: 2e12, bf16_per_s, f32_per_s: 2e11 }))
    }
    fn begin(&mut self, _: &Setting) -> Result<(), String> {
        Ok(())
    }
    fn round(&mut self, setting: &Setting) -> Result<FitRound, String> {
        self.n_rounds += 1;
        if self.n_rounds == self.fails_at {
            return Err("broken".into());
        }
        let n = setting.n_parallel as u64;
        let step_ns = 10_000_000 + 100_000 * (self.n_rounds as u64 % 3);
        Ok(FitRound {
            step_ns,
            logits_ns: step_ns + 5_000_000,
            deep_ns: step_ns + n * setting.n_ctx as u64 * 200,
            prompt_ns: 100_000_000,
            prompt_deep_ns: 120_000_000,
        })
    }
    fn prove(&mut self, setting: &Setting) -> Result<Proof, String> {
        let run = |n_prompt: u64| ProofRun {
            n_prompt,
            n_gen: 16,
            samples: vec![Sample {
                ttft_ns: Some(n_prompt * 2_000_000),
                elapsed_ns: n_prompt * 2_000_000 + 16 * 50_000_000,
                ..Sample::default()
            }],
        };
        Ok(Proof {
            loaded_bytes: Some(590 << 20),
            loading_bytes: Some(600 << 20),
            running_bytes: Some(700 << 20),
            peak_bytes: Some(701 << 20),
            full: run(setting.n_ctx as u64 - 17),
            short: run(512),
            empty: run(1),
        })
    }
}

/// A model of 24 layers that reads 500 MiB a token.
pub(in crate::fit) fn setting(n_ctx: usize, n_parallel: usize) -> Setting {
    let layers = |n: u64| Layers { n, bytes: n * (20 << 20), windows: Vec::new() };
    let kv = (n_ctx * n_parallel) as u64 * (24 << 10);
    Setting {
        n_ctx,
        n_parallel,
        types: ["f16".into(), "f16".into()],
        kv: "full".into(),
        n_threads: 2,
        model: Model {
            path: "model.gguf".into(),
            model_type: "llama 1B Q4_K - Medium".into(),
            bytes_per_token: 500 << 20,
            kv_bytes_per_token: 24 << 10,
            layer_operations: Operations { int8: 2_000_000_000, ..Operations::default() },
            output_operations: Operations { int8: 100_000_000, ..Operations::default() },
            ..Model::default()
        },
        fit: Fit {
            memory: FitMemory {
                process: 16 << 20,
                weights: 560 << 20,
                table: 4 << 20,
                kv,
                work: 24 << 20,
                loading: 580 << 20,
            },
            budget_bytes: Some(1 << 30),
            largest_ctx: Some(8192),
            trained_ctx: Some(8192),
            whole: layers(24),
            of_steps: layers(8),
            of_prompts: layers(4),
            n_chunk: 512,
            ..Fit::default()
        },
        is_timed: true,
        is_proved: true,
        notes: Vec::new(),
    }
}

fn trial(setting: Setting) -> Trial {
    let mut machine = NoMachine { fails_at: 0, n_rounds: 0 };
    let mut fit = setting.fit.clone();
    let mut roofs = Vec::new();
    if setting.is_timed {
        roofs.extend(machine.roof().unwrap());
        fit.rounds = (0..5).map(|_| machine.round(&setting).unwrap()).collect();
        roofs.extend(machine.roof().unwrap());
    }
    if setting.is_proved {
        fit.proof = Some(machine.prove(&setting).unwrap());
    }
    Trial {
        experiment: "fit".into(),
        model: setting.model.clone(),
        params: setting.params(),
        repetitions: 5,
        notes: setting.notes.clone(),
        measured: Measured::Fit(Box::new(fit)),
        roofs,
        ..Trial::default()
    }
}

/// One that is proved, one whose rates are not known, and one that does not fit.
fn run() -> Run {
    let why = "no rates: a policy's own work is not predicted";
    let plain = Setting { is_proved: false, ..setting(4096, 4) };
    let policy = Setting {
        kv: "streaming:4+1020".into(),
        is_timed: false,
        notes: vec![why.into()],
        ..plain.clone()
    };
    let large = Setting { is_proved: false, ..setting(32768, 4) };
    let trials = [setting(2048, 1), plain, policy, large].map(trial).into();
    Run { schema: SCHEMA, trials, env: Env::default(), ..Run::default() }
}

fn shown(run: &Run, format: &str) -> String {
    let mut document = FitModel.document(run, &[]);
    document.notes = FitModel.notes(run);
    render(&document, find(format).unwrap(), &Page::default())
}

#[test]
fn a_page_of_it() {
    insta::assert_snapshot!("fit_md", shown(&run(), "md"));
}

#[test]
fn every_format_has_it_and_a_record_shows_it_again() {
    let run = run();
    let text = serde_json::to_string(&run).unwrap();
    let again = Run::from_json(&text).unwrap();
    for renderer in RENDERERS {
        assert_eq!(shown(&again, renderer.name), shown(&run, renderer.name));
    }
    let rows: Value = serde_json::from_str(&shown(&run, "json")).unwrap();
    assert_eq!(rows[0]["n_ctx"], 2048);
    assert_eq!((&rows[0]["fits"], &rows[3]["fits"]), (&true.into(), &false.into()));
    assert!(rows[2]["decode_ts"].is_null() && rows[0]["decode_ts_low"].as_f64() > Some(0.0));
    assert_eq!(rows[0]["running_ratio"].as_f64().map(|r| (r * 1e3).round()), Some(931.0));
}

#[test]
fn what_fits_and_what_to_take() {
    let run = run();
    let fits: Vec<_> = run.trials.iter().map(super::super::fits).collect();
    assert_eq!(fits, [Some(true), Some(true), Some(true), Some(false)]);
    let (at, why) = recommended(&run.trials).unwrap();
    assert!(at == 1 && why.contains("c4096 x4 f16") && why.contains("16384 tokens"), "{why}");
    assert_eq!(super::super::nothing_fits(&run.trials), None);
    let none = super::super::nothing_fits(&run.trials[3..]).unwrap();
    assert!(none.contains("smallest need is 3.59 GiB (c32768 x4 f16)"), "{none}");
    assert!(none.ends_with("there are 1.00 GiB"), "{none}");
    assert_eq!(recommended(&run.trials[3..]), None);
}
