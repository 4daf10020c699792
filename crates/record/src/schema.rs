//! The record's shape. A field is added freely; changing what one means raises [`SCHEMA`].

use crate::{
    Away, Cold, Contender, DeviceUse, Distances, Fit, Items, Measured, Operations, Quantized,
    Request, Requests, Roof, Sample, Scores, Texts, Tuned, Worker, bounds, earlier, place, stats,
};
use pacemark_files::excerpt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of this schema, written into every record. Since 2 a trial says what kind of thing it
/// measured ([`Measured`]).
pub const SCHEMA: u32 = 2;

/// One invocation of a benchmark: where it ran and what it measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// The command line.
    pub command: Vec<String>,
    /// The machine and the build.
    pub env: Env,
    /// Names of the parameters that were swept or are not at their defaults: what tells rows apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub varied: Vec<String>,
    /// In the order in which they ran.
    pub trials: Vec<Trial>,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not a record, or a damaged one.
    #[error("not a record of Pacemark: {0}")]
    Json(String),
    /// Numbers that no measurement has.
    #[error(
        "not a record of Pacemark: trials[{trial}]: expected times and counts that come to less \
         than 2^62 together, found more"
    )]
    Absurd {
        /// Number of the trial, from 0.
        trial: usize,
    },
    /// Written by a later version.
    #[error(
        "the record has schema {found}, this version reads up to {SCHEMA}: use a newer Pacemark"
    )]
    Newer {
        /// The record's schema.
        found: u32,
    },
}

impl Run {
    /// Reads a record that was written as JSON, by this version or an earlier one.
    pub fn from_json(text: &str) -> Result<Run, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        // Its message repeats strings of any length.
        let wrong =
            |error: serde_json::Error| RecordError::Json(excerpt(&error.to_string()).into_owned());
        let at = |run: &Value| RecordError::Json(excerpt(&place::explain(run)).into_owned());
        let value = || serde_json::from_str::<Value>(text).map_err(wrong);
        let head: Head = match serde_json::from_str(text) {
            Ok(head) => head,
            Err(_) => return Err(at(&value()?)),
        };
        if head.schema > SCHEMA {
            return Err(RecordError::Newer { found: head.schema });
        }
        let run: Run = if head.schema < SCHEMA {
            let mut run = value()?;
            earlier::bring_up(&mut run);
            Run::deserialize(&run).map_err(|_| at(&run))?
        } else {
            match serde_json::from_str(text) {
                Ok(run) => run,
                Err(_) => return Err(at(&value()?)),
            }
        };
        match bounds::absurd(&run) {
            Some(trial) => Err(RecordError::Absurd { trial }),
            None => Ok(run),
        }
    }
}

/// The machine and the build. What the machine does not tell is `None`, never guessed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Env {
    /// Name of the processor.
    pub cpu_model: Option<String>,
    /// Logical processors that this process may use.
    pub logical_cpus: usize,
    /// Physical memory.
    pub memory_bytes: Option<u64>,
    /// The lowest limit of this process's memory below that: its container's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// Who sets it, e.g. `control group /a/b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_by: Option<String>,
    /// Share of processors' time that this process may have, in processors, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<f64>,
    /// Who limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota_by: Option<String>,
    /// Who sets the processors' frequency, e.g. `performance`; none on most virtual machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Operating system and kernel release.
    pub kernel: Option<String>,
    /// Version of Pacemark.
    pub version: String,
    /// Commit that was built; `unknown` outside a repository.
    pub commit: String,
    /// Commits up to it, llama.cpp's build number; 0 outside a repository.
    pub build_number: u64,
    /// When the run began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// Runnable processes, averaged over the minute before the run began.
    pub load_average_1m: Option<f64>,
    /// Share of processor time that the hypervisor gave to others during the run, 0 to 1.
    pub steal_share: Option<f64>,
    /// What of its devices could not be read, and why, a sentence each; empty where nobody asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices_absent: Vec<String>,
}

/// A loaded model and what runs it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// File, as it was opened.
    pub path: String,
    /// A number of its contents that tells files of other weights apart; none of what is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Architecture, size and type, as llama.cpp words it.
    pub model_type: String,
    /// Bytes of all tensors.
    pub bytes: u64,
    /// Number of weights.
    pub n_params: u64,
    /// Weight bytes read to generate one token.
    pub bytes_per_token: u64,
    /// KV bytes of one token over all layers; 0 where that is not known.
    #[serde(default)]
    pub kv_bytes_per_token: u64,
    /// Of those, what layers have that see a window of positions only, and that window.
    #[serde(default)]
    pub kv_windowed: Option<(u64, u64)>,
    /// Operations of one token in the layers; all zero where they are not known.
    #[serde(default)]
    pub layer_operations: Operations,
    /// Operations of one token's logits.
    #[serde(default)]
    pub output_operations: Operations,
    /// Name of the backend.
    pub backend: String,
    /// The engine and its version.
    #[serde(default)]
    pub engine: String,
    /// What computes, e.g. `CPU`.
    pub device: String,
    /// Instruction set in use.
    pub isa: String,
    /// Types in which the backend keeps keys and values, as it tells them, which may be others than were
    /// asked for; empty where it does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kv_types: String,
    /// Load stages in order, each with its time in nanoseconds.
    pub load_ns: Vec<(String, u64)>,
}

/// One row of a benchmark: fixed parameters, repeated measurements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Row of `bench::EXPERIMENTS`.
    pub experiment: String,
    /// When it began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// What ran.
    pub model: Model,
    /// The parameters by name, e.g. `n_prompt`, `n_threads`.
    pub params: Map<String, Value>,
    /// Runs before the first counted one.
    pub warmup: Warmup,
    /// Repetitions that were asked for; fewer samples than that means it was cut short.
    pub repetitions: usize,
    /// Its place among the trials of one test that were measured in turn: 0 for the first, which the
    /// others are compared with.
    #[serde(default)]
    pub turn: u64,
    /// What was noticed while it was measured, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What was measured, raw. Its fields stand beside those of the trial in JSON.
    #[serde(flatten)]
    pub measured: Measured,
    /// Peak resident memory of the process up to the end of this trial, counted from the load of
    /// its model where the system allows, else from the start of the process.
    pub peak_rss_bytes: Option<u64>,
    /// Share of processor time that the hypervisor gave to others during this trial, 0 to 1.
    #[serde(default)]
    pub steal_share: Option<f64>,
    /// Limits of the machine, measured before and after this trial; empty where they were not.
    #[serde(default)]
    pub roofs: Vec<Roof>,
    /// Other machines that computed for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Worker>,
    /// What each repetition, or the one request, used them for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<Away>,
    /// What devices did during its counted repetitions; those that can be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceUse>,
}

/// Something about a trial that its figures alone do not show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flag {
    /// Repetitions lie far from the others.
    Outliers,
    /// The rate changed from the first to the last repetitions by this ratio, more than the spread
    /// explains.
    Drift(f64),
    /// The warm-up was ended by its bound while the time still changed by this ratio.
    Unsettled(f64),
    /// This share of processor time went to other machines.
    Steal(f64),
}

impl Flag {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Flag::Outliers => "outliers",
            Flag::Drift(_) => "drift",
            Flag::Unsettled(_) => "unsettled",
            Flag::Steal(_) => "steal",
        }
    }
}

/// Remaining drift of the warm-up below this is of no consequence.
const UNSETTLED: f64 = 0.05;

/// Steal below this share is of no consequence.
const STEAL: f64 = 0.02;

impl Trial {
    /// A whole-number parameter; 0 if there is none of that name. Tokens are counted in 32 bits:
    /// what a record says beyond that is cut.
    pub fn count(&self, name: &str) -> u64 {
        self.params.get(name).and_then(Value::as_u64).unwrap_or(0).min(u32::MAX.into())
    }

    /// The repetitions of a test, the rounds of a stage or the runs of a setting; none of what
    /// measures otherwise.
    pub fn samples(&self) -> &[Sample] {
        match &self.measured {
            Measured::Repetitions { samples } | Measured::Ladder { samples, .. } => samples,
            Measured::Tuned(tuned) => &tuned.samples,
            _ => &[],
        }
    }

    /// As [`Self::samples`], to add to; `None` of what measures otherwise.
    pub fn samples_mut(&mut self) -> Option<&mut Vec<Sample>> {
        match &mut self.measured {
            Measured::Repetitions { samples } | Measured::Ladder { samples, .. } => Some(samples),
            _ => None,
        }
    }

    /// The requests of a load, in the order in which they ended; none of what measures otherwise.
    pub fn requests(&self) -> &[Request] {
        self.load().map_or(&[], |load| &load.requests)
    }

    /// The scores of a text.
    pub fn scores(&self) -> Option<&Scores> {
        match &self.measured {
            Measured::Scores(scores) => Some(scores),
            _ => None,
        }
    }

    /// How far a text's predictions are from a reference's.
    pub fn distances(&self) -> Option<&Distances> {
        match &self.measured {
            Measured::Distances(distances) => Some(distances),
            Measured::Quantized(quantized) => quantized.distances.as_ref(),
            Measured::Tuned(tuned) => tuned.distances.as_ref(),
            _ => None,
        }
    }

    /// What was measured of a type of weights.
    pub fn quantized(&self) -> Option<&Quantized> {
        match &self.measured {
            Measured::Quantized(quantized) => Some(quantized),
            _ => None,
        }
    }

    /// What was measured of an engine beside others.
    pub fn contender(&self) -> Option<&Contender> {
        match &self.measured {
            Measured::Contender(contender) => Some(contender),
            _ => None,
        }
    }

    /// As [`Self::contender`], to add to.
    pub fn contender_mut(&mut self) -> Option<&mut Contender> {
        match &mut self.measured {
            Measured::Contender(contender) => Some(contender),
            _ => None,
        }
    }

    /// What was measured of a setting of a search.
    pub fn tuned(&self) -> Option<&Tuned> {
        match &self.measured {
            Measured::Tuned(tuned) => Some(tuned),
            _ => None,
        }
    }

    /// As [`Self::tuned`], to add to.
    pub fn tuned_mut(&mut self) -> Option<&mut Tuned> {
        match &mut self.measured {
            Measured::Tuned(tuned) => Some(tuned),
            _ => None,
        }
    }

    /// What was measured of texts.
    pub fn texts(&self) -> Option<&Texts> {
        match &self.measured {
            Measured::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// What was measured of a task's items.
    pub fn items(&self) -> Option<&Items> {
        match &self.measured {
            Measured::Items(items) => Some(items),
            _ => None,
        }
    }

    /// What a model will take.
    pub fn fit(&self) -> Option<&Fit> {
        match &self.measured {
            Measured::Fit(fit) => Some(fit),
            _ => None,
        }
    }

    /// Starts of fresh processes.
    pub fn cold(&self) -> Option<&Cold> {
        match &self.measured {
            Measured::Cold(cold) => Some(cold),
            _ => None,
        }
    }

    /// What a load measured.
    pub fn load(&self) -> Option<&Requests> {
        match &self.measured {
            Measured::Requests(load) => Some(load),
            _ => None,
        }
    }

    /// As [`Self::load`], to change.
    pub fn load_mut(&mut self) -> Option<&mut Requests> {
        match &mut self.measured {
            Measured::Requests(load) => Some(load),
            _ => None,
        }
    }

    /// Tokens that one repetition computes: what a rate divides by time.
    pub fn tokens_per_repetition(&self) -> u64 {
        self.n_parallel().saturating_mul(self.count("n_prompt") + self.count("n_gen"))
    }

    /// Tokens per second of each repetition.
    pub fn rates_ts(&self) -> Vec<f64> {
        let n_tokens = self.tokens_per_repetition() as f64;
        self.samples().iter().map(|s| 1e9 * n_tokens / s.elapsed_ns.max(1) as f64).collect()
    }

    /// What should make a reader look twice.
    pub fn flags(&self) -> Vec<Flag> {
        let rates = self.rates_ts();
        let outliers = (!stats::outliers(&rates).is_empty()).then_some(Flag::Outliers);
        let drift = stats::changed_speed(&rates, stats::CONFIDENCE).map(Flag::Drift);
        let unsettled =
            self.warmup.drift().filter(|change| !self.warmup.settled && change.abs() > UNSETTLED);
        let steal = self.steal_share.filter(|share| *share > STEAL);
        [outliers, drift, unsettled.map(Flag::Unsettled), steal.map(Flag::Steal)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The test in llama-bench's words.
    pub fn test_name(&self) -> String {
        test_name(&self.params)
    }
}

/// A throughput test in llama-bench's words, e.g. `pp512`, `tg128`, `pp512+tg128 @ d4096`; ` x8`
/// for a batch of eight.
pub fn test_name(params: &Map<String, Value>) -> String {
    let count = |name| params.get(name).and_then(Value::as_u64).unwrap_or(0);
    let shape = match (count("n_prompt"), count("n_gen")) {
        (n_prompt, 0) => format!("pp{n_prompt}"),
        (0, n_gen) => format!("tg{n_gen}"),
        (n_prompt, n_gen) => format!("pp{n_prompt}+tg{n_gen}"),
    };
    let shape = if params.contains_key("n_parallel") {
        format!("{shape} x{}", count("n_parallel"))
    } else {
        shape
    };
    match count("n_depth") {
        0 => shape,
        depth => format!("{shape} @ d{depth}"),
    }
}

/// Runs that were real but are not counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Warmup {
    /// Tokens of each run.
    pub n_tokens: u64,
    /// Time of each run.
    pub elapsed_ns: Vec<u64>,
    /// Two consecutive runs agreed; otherwise the bound ended the warm-up.
    pub settled: bool,
}

impl Warmup {
    /// Relative change from the last but one to the last run, e.g. 0.02: what had not settled when
    /// counting began. `None` for fewer than two runs.
    pub fn drift(&self) -> Option<f64> {
        match self.elapsed_ns[..] {
            [.., previous, last] if previous > 0 => Some(last as f64 / previous as f64 - 1.0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    #[test]
    fn a_run_survives_json_and_a_newer_one_is_refused() {
        let samples = vec![Sample { elapsed_ns: 7, ..Sample::default() }];
        let trial = Trial { measured: Measured::Repetitions { samples }, ..Trial::default() };
        let run = Run {
            schema: SCHEMA,
            command: vec!["bench".into()],
            env: Env::default(),
            varied: Vec::new(),
            trials: vec![trial],
        };
        let text = serde_json::to_string(&run).unwrap();
        assert_eq!(Run::from_json(&text).unwrap(), run);
        let newer = text.replacen(&format!("\"schema\":{SCHEMA}"), "\"schema\":99", 1);
        assert!(matches!(Run::from_json(&newer), Err(RecordError::Newer { found: 99 })));
        let absurd = text.replacen("\"elapsed_ns\":7", "\"elapsed_ns\":18446744073709551615", 1);
        assert!(matches!(Run::from_json(&absurd), Err(RecordError::Absurd { trial: 0 })));
        let span = Span { to_ns: u64::MAX, ..Span::default() };
        let device = DeviceUse { repetitions: vec![span], ..DeviceUse::default() };
        let sampled = Trial { devices: vec![device], ..Trial::default() };
        let sampled = Run { trials: vec![Trial::default(), sampled], ..run.clone() };
        let text = serde_json::to_string(&sampled).unwrap();
        assert!(matches!(Run::from_json(&text), Err(RecordError::Absurd { trial: 1 })));
        let (name, samples, calls) = (String::new(), Vec::new(), Vec::new());
        let measured = Measured::Ladder { stage: u64::MAX, name, samples, calls };
        let ladder = Trial { measured, ..Trial::default() };
        let ladder = Run { trials: vec![ladder], ..run.clone() };
        let text = serde_json::to_string(&ladder).unwrap();
        assert!(matches!(Run::from_json(&text), Err(RecordError::Absurd { trial: 0 })));
        for no_run in ["[]", "[1]", "[2]", r#"{"schema":1}"#, r#"{"schema":1,"trials":[1,{}]}"#] {
            assert!(matches!(Run::from_json(no_run), Err(RecordError::Json(_))), "{no_run}");
        }
    }

    #[test]
    fn warm_up_drift_compares_the_last_two_runs() {
        let warmup = |elapsed_ns| Warmup { elapsed_ns, ..Warmup::default() };
        assert_eq!(warmup(vec![900, 200, 150]).drift(), Some(-0.25));
        assert_eq!(warmup(vec![900]).drift(), None);
    }
}
