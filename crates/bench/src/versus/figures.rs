//! The figures of an engine beside others.

use pacemark_record::{
    Better, Contender, Ends, EngineRun, FreshRun, Metric, Series, Statistic, Trial, Unit,
};

use Statistic::{Mean, Only};

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

pub(super) const METRICS: &[Metric] = &[
    Metric::new(&PREFILL, Mean).with_ends(ENDS),
    Metric::new(&DECODE, Mean).with_ends(ENDS),
    Metric::new(&TOGETHER, Mean).with_ends(ENDS),
    Metric::new(&TTFT, Mean).with_ends(ENDS),
    Metric::new(&LOAD, Mean).with_ends(ENDS),
    Metric::new(&PEAK_RSS, Mean),
    Metric::new(&PPL, Only)
        .within(|t| t.contender()?.scores.as_ref()?.ppl_interval())
        .with_ends(ENDS),
    Metric::new(&BITS_PER_BYTE, Only),
    Metric::new(&ROOF, Only),
];

/// What two engines are compared by, round by round.
pub(super) const COMPARED: &[&Series] = &[&DECODE, &PREFILL, &TOGETHER, &TTFT, &LOAD];

/// A value of each run that has it.
fn of(trial: &Trial, what: impl Fn(&EngineRun) -> Option<f64>) -> Vec<f64> {
    trial.contender().map_or(Vec::new(), |found| found.runs.iter().filter_map(what).collect())
}

pub(super) const PREFILL: Series = Series {
    name: "prefill_ts",
    title: "prefill",
    unit: Unit::TokensPerSecond,
    better: Better::Higher,
    help: "prompt tokens over the time to the first token",
    of: |t| of(t, |run| FreshRun::prefill_ts(&run.alone)),
};

pub(super) const DECODE: Series = Series {
    name: "decode_ts",
    title: "decode",
    help: "tokens after the first over their time",
    of: |t| of(t, |run| FreshRun::decode_ts(&run.alone)),
    ..PREFILL
};

pub(super) const TOGETHER: Series = Series {
    name: "batch_ts",
    title: "batch",
    help: "tokens of all sequences a second, once every one has its first",
    of: |t| of(t, EngineRun::together_ts),
    ..PREFILL
};

pub(super) const TTFT: Series = Series {
    name: "ttft_ms",
    title: "TTFT",
    unit: Unit::Milliseconds,
    better: Better::Lower,
    help: "time to first token, from the start of computing",
    of: |t| of(t, |run| run.alone.sample.ttft_ns.map(|ns| ns as f64 / 1e6)),
};

pub(super) const LOAD: Series = Series {
    name: "load_ms",
    title: "load",
    help: "from opening the file to ready to compute, in a fresh process, warm-up included",
    of: |t| of(t, |run| (run.alone.load_ns > 0).then_some(run.alone.load_ns as f64 / 1e6)),
    ..TTFT
};

pub(super) const PEAK_RSS: Series = Series {
    name: "peak_rss_bytes",
    title: "memory",
    unit: Unit::Bytes,
    better: Better::Lower,
    help: "the most resident memory of the process that computes, loading and running",
    of: |t| of(t, |run| run.alone.peak_rss_bytes.map(|bytes| bytes as f64)),
};

pub(super) const PPL: Series = Series {
    name: "ppl",
    title: "PPL",
    unit: Unit::Number,
    better: Better::Lower,
    help: "perplexity: e to the mean negative log-probability of the scored tokens",
    of: |t| ppl(t).into_iter().collect(),
};

const BITS_PER_BYTE: Series = Series {
    name: "bits_per_byte",
    title: "bits/byte",
    help: "bits to store the scored text with the model, per byte of it",
    of: |t| scores(t).and_then(|scores| scores.bits_per_byte()).into_iter().collect(),
    ..PPL
};

pub(super) const ROOF: Series = Series {
    name: "roof_share",
    title: "% roof",
    unit: Unit::Ratio,
    better: Better::Higher,
    help: "least time that a prompt and its answer take on this machine, over the time taken",
    of: |t| t.roof_share().into_iter().collect(),
};

fn scores(trial: &Trial) -> Option<&pacemark_record::Scores> {
    trial.contender().and_then(|of: &Contender| of.scores.as_ref())
}

/// The perplexity of a trial.
pub(super) fn ppl(trial: &Trial) -> Option<f64> {
    scores(trial)?.ppl()
}

/// The figure of a series in the experiment's own statistic.
pub(super) fn figure(series: &Series, trial: &Trial) -> pacemark_record::Figure {
    let metric = METRICS.iter().find(|metric| metric.series.name == series.name);
    metric.map(|metric| metric.of(trial)).unwrap_or_default()
}
