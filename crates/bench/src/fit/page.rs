//! A prediction on a page: what each setting takes and gives, where its memory goes, how it compares
//! with the model itself, and which setting to take.

use super::experiment::FitModel;
use super::figures::{LOADING, LOADING_SEEN, MOST, PEAK_SEEN, RUNNING, RUNNING_SEEN, over};
use super::{N_CTX, POLICY, recommended};
use crate::experiment::head;
use crate::{Experiment, Params, Warning, warnings};
use pacemark_record::{Fit, FitMemory, FitRate, Run, Series, Trial, stats};
use pacemark_report::{Cell, Column, Document, Rank, Row, Table, TrialRow, size as report_size};
use serde_json::Value;

/// How to read the table of settings.
const LEGEND: &str = "memory: the most of the process, while it loads or when every sequence has its \
    context. prefill: prompt tokens a second, of prompts of one chunk, and of prompts that fill the \
    context. decode: generated tokens a second of all sequences together, on an empty cache, and at \
    the end of the context. In parentheses where they will lie: the 95 % interval over rounds, wider \
    by half of what the machine's limits swung.";

/// How to read the comparison with the model itself.
const PROOF: &str = "ratio: predicted over measured. The model ran in a process of its own, on random \
    tokens; half of the rounds were taken before it and half after it.";

/// A setting's name.
pub(super) fn name(params: &Params) -> String {
    let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or("-");
    let count = |name: &str| params.get(name).and_then(Value::as_u64).unwrap_or(0);
    let types = if text("type_k") == text("type_v") {
        text("type_k").to_owned()
    } else {
        format!("{}/{}", text("type_k"), text("type_v"))
    };
    let policy = match text(POLICY) {
        "full" | "-" => String::new(),
        spec => format!(" {spec}"),
    };
    format!("c{} x{} {types}{policy}", count(N_CTX), count("n_parallel"))
}

/// Bytes for people.
pub(super) fn size(bytes: u128) -> String {
    report_size(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// All of it.
pub(super) fn document(experiment: &FitModel, run: &Run) -> Document {
    let layout = experiment.layout(&[]);
    let rows = run
        .trials
        .iter()
        .map(|trial| layout.row(&TrialRow { env: &run.env, trial, comparisons: &[] }));
    let mut document = head(&layout, run);
    document.title = run.trials.first().map(title);
    document.tables[0].in_blocks = false;
    document.tables[0].rows = rows.map(|row| Row { block: None, ..row }).collect();
    let advice = recommended(&run.trials).map(|(_, why)| format!("Recommended: {why}."));
    let legend = [Some(LEGEND.to_owned()), advice];
    document.tables[0].legend = Some(legend.into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
    document.tables.push(memory(&run.trials));
    document.tables.extend(proofs(&run.trials));
    document.tables.iter_mut().for_each(widen);
    document
}

/// Makes columns for people as wide as their texts: policies have long names.
fn widen(table: &mut Table) {
    let columns = table.columns.iter_mut().enumerate();
    for (i, column) in columns.filter(|(_, column)| column.readers.has_people()) {
        let texts = table.rows.iter().filter_map(|row| row.cells.get(i));
        let longest = texts.map(|cell| cell.text().chars().count()).max().unwrap_or(0);
        let width = column.width.unsigned_abs().max(longest) as isize;
        column.width = if column.width < 0 { -width } else { width };
    }
}

fn title(trial: &Trial) -> String {
    let budget = trial.fit().and_then(|fit| fit.budget_bytes);
    let budget =
        budget.map_or(String::new(), |bytes| format!(", {} of memory", size(bytes.into())));
    let trained = trial.fit().and_then(|fit| fit.trained_ctx);
    let trained = trained.map_or(String::new(), |n| format!(", trained for {n} tokens"));
    let n = trial.count("n_threads");
    format!("{} ({}){trained}: {n} threads{budget}", trial.model.model_type, trial.model.path)
}

/// What is to be known of a run besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> =
        warnings(&run.env, &run.trials).iter().map(Warning::to_string).collect();
    // Most notes are of the model, whatever the setting.
    for (i, trial) in run.trials.iter().enumerate() {
        for note in &trial.notes {
            let is_new = run.trials[..i].iter().all(|other| !other.notes.contains(note));
            let of_all = run.trials.len() > 1 && run.trials.iter().all(|t| t.notes.contains(note));
            match (is_new, of_all) {
                (true, true) => notes.push(note.clone()),
                (_, false) => notes.push(format!("{}: {note}", name(&trial.params))),
                (false, true) => {}
            }
        }
        let n = trial.fit().map_or(0, |fit| fit.rounds.len());
        if n > 0 && n < trial.repetitions {
            let of = trial.repetitions;
            notes.push(format!("{}: cut short after {n} of {of} rounds", name(&trial.params)));
        }
    }
    notes
}

/// Where memory goes, for people: programs have it in the rows.
fn memory(trials: &[Trial]) -> Table {
    type Of = fn(&FitMemory) -> u64;
    let parts: [(&str, Of); 6] = [
        ("weights", |m| m.weights),
        ("table", |m| m.table),
        ("KV", |m| m.kv),
        ("work", |m| m.work),
        ("process", |m| m.process),
        ("loading", FitMemory::while_loading),
    ];
    let columns = parts.iter().map(|(title, _)| Column::for_people(*title, 11));
    let setting = Column::for_people("memory of", -20).ranked(Rank::Key);
    let largest = Column::for_people("largest ctx", 11);
    let row = |trial: &Trial| -> Row {
        let fit = trial.fit();
        let of = |of: Of| fit.map_or("-".to_owned(), |fit| size(of(&fit.memory).into()));
        let most = fit.and_then(|fit| fit.largest_ctx);
        let cells = std::iter::once(name(&trial.params))
            .chain(parts.iter().map(|(_, part)| of(*part)))
            .chain([most.map_or("-".to_owned(), |n| n.to_string())]);
        cells.map(Cell::Text).collect::<Vec<_>>().into()
    };
    Table {
        columns: std::iter::once(setting).chain(columns).chain([largest]).collect(),
        rows: trials.iter().map(row).collect(),
        legend: Some(
            "largest ctx: tokens that each sequence may have within the memory there is, up to the \
             trained context"
                .to_owned(),
        ),
        ..Table::default()
    }
}

/// Predicted beside measured, where the model ran.
fn proofs(trials: &[Trial]) -> Option<Table> {
    let proved = trials.iter().filter(|trial| trial.fit().is_some_and(is_proved));
    let rows: Vec<Row> = proved.flat_map(compared).collect();
    let columns = [
        ("setting", -20, Rank::Key),
        ("figure", -22, Rank::Key),
        ("predicted", 12, Rank::Main),
        ("measured", 12, Rank::Main),
        ("ratio", 7, Rank::Main),
    ];
    let columns = columns.map(|(title, width, rank)| Column::for_people(title, width).ranked(rank));
    (!rows.is_empty()).then(|| Table {
        columns: columns.into(),
        rows,
        legend: Some(PROOF.to_owned()),
        ..Table::default()
    })
}

fn is_proved(fit: &Fit) -> bool {
    fit.proof.is_some()
}

/// A setting's figures, each predicted and measured.
fn compared(trial: &Trial) -> Vec<Row> {
    let rates = FitRate::ALL.map(|rate| {
        let title = match rate {
            FitRate::Prompt => "prefill t/s",
            FitRate::FullPrompt => "prefill t/s, full",
            FitRate::Decode => "decode t/s",
            FitRate::FullDecode => "decode t/s, full",
        };
        (title, rate.predicted(trial), rate.measured(trial), false)
    });
    let bytes = |title, predicted: &Series, measured: &Series| {
        (title, (predicted.of)(trial), (measured.of)(trial), true)
    };
    let memory = [
        bytes("memory, loading", &LOADING, &LOADING_SEEN),
        bytes("memory, running", &RUNNING, &RUNNING_SEEN),
        bytes("memory, most", &MOST, &PEAK_SEEN),
    ];
    let shown = |values: &[f64], is_bytes: bool| match stats::mean(values) {
        None => "-".to_owned(),
        Some(value) if is_bytes => size(value as u128),
        Some(value) => format!("{value:.2}"),
    };
    let row = |(title, predicted, measured, is_bytes): (&str, Vec<f64>, Vec<f64>, bool)| -> Row {
        let ratio = over(&predicted, &measured);
        let cells = [
            name(&trial.params),
            title.to_owned(),
            shown(&predicted, is_bytes),
            shown(&measured, is_bytes),
            ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}")),
        ];
        cells.map(Cell::Text).to_vec().into()
    };
    memory.into_iter().chain(rates).map(row).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Fitting, Setting};
    use super::*;
    use pacemark_record::{
        Env, FitRound, Layers, Measured, Model, Operations, Proof, ProofRun, Roof, SCHEMA, Sample,
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
}
