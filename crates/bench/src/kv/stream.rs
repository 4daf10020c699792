//! How well a model predicts the first tokens of a text, read as one sequence.
//!
//! Every token from the second on is scored, or every one after a prompt: perplexity is e to the
//! mean of their negative log-probabilities, accuracy the share of them that were the most likely.
//! A token is let go after the pass that exceeded the budget, so a token sees the budget's keys and
//! its own.

use super::score::{Piece, score};
use crate::experiment::{Case, How, Subject, mismatch};
use crate::parameter::{KV, N_PROMPT, N_THREADS, TYPE_K, TYPE_V};
use crate::perplexity::unpacked;
use crate::repeat::{CutShort, now_unix_s};
use crate::{BenchError, Experiment, Params, Warning, describe, warnings};
use pacemark_backend::BackendInfo;
use pacemark_record::env::{self, StealWatch};
use pacemark_record::stats::Interval;
use pacemark_record::{Better, Ends, Measured, Metric, Run, Series, Statistic, Texts, Trial, Unit};
use pacemark_report::{Document, Fact};
use pacemark_setup::Setup;
use serde_json::{Value, json};

/// How well the model predicts a text of which a policy keeps a part.
pub struct TextStream;

/// A text's first tokens, and what of them is kept.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Tokens to read.
    pub n_tokens: usize,
    /// How many of them are a prompt, which is not scored.
    pub n_prompt: Option<usize>,
    /// What of the keys and values is kept, as a policy's spec.
    pub kv: Option<String>,
    /// The negative log-probability of each token is told too.
    pub per_token: bool,
    /// How the model is loaded and run.
    pub setup: Setup,
    /// The text's name.
    pub file: String,
}

/// Asks for each token's value.
const PER_TOKEN: &str = "per_token";

impl Stream {
    /// The parameters as they are recorded.
    fn params(&self, backend: &BackendInfo) -> Params {
        let [type_k, type_v] = self.setup.cache.names();
        let recorded: [(&str, Value); 7] = [
            (KV.name, self.kv.as_deref().unwrap_or("full").into()),
            ("n_tokens", self.n_tokens.into()),
            (N_PROMPT.name, self.n_prompt.into()),
            (N_THREADS.name, backend.n_threads.into()),
            (TYPE_K.name, type_k.into()),
            (TYPE_V.name, type_v.into()),
            ("file", self.file.as_str().into()),
        ];
        let per_token = self.per_token.then_some((PER_TOKEN, Value::Bool(true)));
        recorded
            .into_iter()
            .chain(per_token)
            .chain(unpacked(&self.setup))
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

impl Experiment for TextStream {
    fn name(&self) -> &'static str {
        "stream"
    }

    fn help(&self) -> &'static str {
        "how well the model predicts a text of which a KV policy keeps a part"
    }

    /// An interrupt keeps the tokens until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Stream(stream), Subject::Text(text)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let nothing = |error| CutShort { partial: Vec::new(), error };
        let (n_tokens, found) = (stream.n_tokens, text.tokens.len());
        if found < n_tokens || n_tokens < 2 {
            return Err(nothing(BenchError::TextTooShort { found, n_ctx: n_tokens.max(2) }));
        }
        let started_unix_s = now_unix_s();
        let steal = StealWatch::begin();
        let piece = Piece {
            index: 0,
            tokens: &text.tokens[..n_tokens],
            n_prompt: stream.n_prompt,
            kv: stream.kv.as_deref(),
        };
        let observer = &mut *how.observer;
        let scored = score(text.backend, &piece, how.stop, &mut |computed, of| {
            observer.computed(computed, of);
        })
        .map_err(nothing)?;
        let wanted = n_tokens - stream.n_prompt.unwrap_or(1);
        let cut = scored.logprobs.len() < wanted;
        let info = text.backend.info();
        let trial = Trial {
            experiment: self.name().to_owned(),
            started_unix_s,
            model: describe(&info),
            params: stream.params(&info),
            repetitions: 1,
            measured: Measured::Texts(Texts { texts: vec![scored] }),
            peak_rss_bytes: env::peak_rss_bytes(),
            steal_share: steal.share(),
            ..Trial::default()
        };
        match cut {
            true => Err(CutShort { partial: vec![trial], error: BenchError::Interrupted }),
            false => Ok(vec![trial]),
        }
    }

    fn format(&self) -> &'static str {
        "table"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn row_name(&self, _: &Run, trial: &Trial) -> String {
        let kv = trial.params.get(KV.name).and_then(|kv| kv.as_str()).unwrap_or("full");
        format!("{} tokens, {kv}", trial.texts().map_or(0, Texts::n_scored))
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Texts(_))
    }

    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        warnings(&run.env, &[]).iter().map(Warning::to_string).collect()
    }

    /// Lines for people; one object for programs.
    fn document(&self, run: &Run, _: &[&str]) -> Document {
        let scored = run.trials.iter().filter_map(|trial| Some((trial, trial.texts()?)));
        let facts = scored.flat_map(|(trial, texts)| facts(run, trial, texts));
        Document { facts: facts.collect(), ..Document::default() }
    }
}

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

const METRICS: &[Metric] = &[
    Metric::new(&PPL, Statistic::Only)
        .within(|t| t.texts()?.ppl_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&ACCURACY, Statistic::Only)
        .within(|t| t.texts()?.accuracy_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&CACHE_MEAN, Statistic::Only).shown(),
    Metric::new(&CACHE_MAX, Statistic::Only).shown(),
    Metric::new(&KV_BYTES_RESIDENT, Statistic::Only).shown(),
    Metric::new(&KV_BYTES_ALLOCATED, Statistic::Only),
];

/// Perplexity over all tokens that were scored.
pub(super) const PPL: Series = Series {
    name: "ppl",
    title: "PPL",
    unit: Unit::Number,
    better: Better::Lower,
    help: "perplexity: e to the mean negative log-probability of the scored tokens",
    of: |t| t.texts().and_then(Texts::ppl).into_iter().collect(),
};

/// Next-token accuracy.
pub(super) const ACCURACY: Series = Series {
    name: "accuracy",
    title: "accuracy",
    unit: Unit::Number,
    better: Better::Higher,
    help: "share of the scored tokens that were the most likely",
    of: |t| t.texts().and_then(Texts::accuracy).into_iter().collect(),
};

/// Tokens held at the end.
pub(super) const CACHE_MEAN: Series = Series {
    name: "cache_mean",
    title: "cache mean",
    unit: Unit::Number,
    better: Better::Lower,
    help: "tokens kept at the end, the mean over layers and KV heads",
    of: |t| {
        t.texts()
            .map(|texts| texts.held().map(|held| held.mean_tokens()).collect())
            .unwrap_or_default()
    },
};

/// The same in the layer that has most.
pub(super) const CACHE_MAX: Series = Series {
    name: "cache_max",
    title: "cache max",
    help: "tokens kept at the end in the layer that keeps most",
    of: |t| {
        t.texts()
            .map(|texts| texts.held().map(|held| held.most_tokens as f64).collect())
            .unwrap_or_default()
    },
    ..CACHE_MEAN
};

/// Bytes of what is held.
pub(super) const KV_BYTES_RESIDENT: Series = Series {
    name: "kv_bytes_resident",
    title: "KV resident",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "bytes of the kept keys and values, over all layers",
    of: |t| {
        t.texts()
            .map(|texts| texts.held().map(|held| held.resident_bytes as f64).collect())
            .unwrap_or_default()
    },
};

/// Bytes of the pages that it is in.
pub(super) const KV_BYTES_ALLOCATED: Series = Series {
    name: "kv_bytes_allocated",
    title: "KV allocated",
    help: "bytes of the pages that they are in",
    of: |t| {
        t.texts()
            .map(|texts| texts.held().map(|held| held.page_bytes as f64).collect())
            .unwrap_or_default()
    },
    ..KV_BYTES_RESIDENT
};

fn facts(run: &Run, trial: &Trial, texts: &Texts) -> Vec<Fact> {
    let param = |name: &str| trial.params.get(name).cloned().unwrap_or_default();
    let line = |text: String| Fact::told("", text);
    let digits = |value: Option<f64>, n: usize| {
        value
            .filter(|value| value.is_finite())
            .map_or("-".to_owned(), |value| format!("{value:.n$}"))
    };
    let within = |interval: Option<Interval>, scale: f64| match interval {
        Some(i) => format!("95 % interval {:.4} to {:.4}", i.low * scale, i.high * scale),
        None => "95 % interval: -, it takes 5 stretches of 128 tokens".to_owned(),
    };
    let held = texts.held().next();
    let of_held = |of: fn(&pacemark_record::Held) -> f64| held.map(of);
    let (ppl, accuracy) = (texts.ppl_interval(), texts.accuracy_interval());
    let kv = param(KV.name);
    let mut facts = vec![
        line(format!("PPL = {}, {}", digits(texts.ppl(), 4), within(ppl, 1.0))),
        line(format!(
            "next-token accuracy: {} %, {}",
            digits(texts.accuracy().map(|share| share * 100.0), 2),
            within(accuracy, 100.0)
        )),
        line(format!(
            "{} tokens scored under {}; kept at the end: {} tokens, the mean over layers, at most {} \
             in one, {} MB",
            texts.n_scored(),
            kv.as_str().unwrap_or("full"),
            digits(of_held(|held| held.mean_tokens()), 1),
            digits(of_held(|held| held.most_tokens as f64), 0),
            digits(of_held(|held| held.resident_bytes as f64 / 1e6), 2),
        )),
        Fact::value("ppl", texts.ppl()),
        Fact::value("ppl_ci95_low", ppl.map(|i| i.low)),
        Fact::value("ppl_ci95_high", ppl.map(|i| i.high)),
        Fact::value("accuracy", texts.accuracy()),
        Fact::value("accuracy_ci95_low", accuracy.map(|i| i.low)),
        Fact::value("accuracy_ci95_high", accuracy.map(|i| i.high)),
        Fact::value("n_tokens", texts.n_scored()),
        Fact::value("cache_mean", of_held(|held| held.mean_tokens())),
        Fact::value("cache_max", held.map(|held| held.most_tokens)),
        Fact::value("kv_bytes_resident", held.map(|held| held.resident_bytes)),
        Fact::value("kv_bytes_allocated", held.map(|held| held.page_bytes)),
        Fact::value(KV.name, kv),
        Fact::value(N_PROMPT.name, param(N_PROMPT.name)),
        Fact::value(TYPE_K.name, param(TYPE_K.name)),
        Fact::value(TYPE_V.name, param(TYPE_V.name)),
        Fact::value(
            "duration_s",
            texts.texts.iter().map(|text| text.elapsed_ns as f64 / 1e9).sum::<f64>(),
        ),
        Fact::value("rate_ts", texts.rate_ts()),
        Fact::value("model", trial.model.path.as_str()),
        Fact::value("model_type", trial.model.model_type.as_str()),
        Fact::value("isa", trial.model.isa.as_str()),
        Fact::value(N_THREADS.name, param(N_THREADS.name)),
    ];
    if trial.params.contains_key(PER_TOKEN) {
        let nll: Vec<f32> =
            texts.texts.iter().flat_map(|text| &text.logprobs).map(|x| -x).collect();
        facts.push(Fact::value("nll", nll));
    }
    facts.push(Fact::value("env", json!(run.env)));
    facts
}
