//! The figures of a distance.

use pacemark_record::{Better, Distances, Ends, Metric, Series, Statistic, Trial, Unit};

use Statistic::{Mean, Most, Only, Quantile};

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

pub(super) const METRICS: &[Metric] = &[
    Metric::new(&KLD, Mean).within(|t| t.distances()?.kld_interval()).with_ends(ENDS).shown(),
    Metric::new(&KLD, Quantile(0.5)).shown(),
    Metric::new(&KLD, Quantile(0.9)).shown(),
    Metric::new(&KLD, Quantile(0.95)).shown(),
    Metric::new(&KLD, Quantile(0.99)).with_ends(ENDS).shown(),
    Metric::new(&KLD, Quantile(0.999)).shown(),
    Metric::new(&KLD, Most).shown(),
    Metric::new(&SAME_TOP, Mean)
        .named("same_top", "same top token")
        .told("share of tokens whose most likely one is the reference's")
        .within(|t| t.distances()?.top_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&RMS_DP, Only).within(|t| t.distances()?.rms_dp_interval()).with_ends(ENDS).shown(),
    Metric::new(&DP, Mean).shown(),
    Metric::new(&PPL, Only)
        .within(|t| t.distances()?.candidate.ppl_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&REFERENCE_PPL, Only).shown(),
    Metric::new(&PPL_RATIO, Only)
        .within(|t| t.distances()?.ppl_ratio_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&BITS_PER_BYTE, Only)
        .within(|t| t.distances()?.candidate.bits_per_byte_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&REFERENCE_BITS_PER_BYTE, Only).shown(),
    Metric::new(&N_SCORED, Only),
];

/// What a trial has of it, once or for each token.
fn of<T>(trial: &Trial, what: fn(&Distances) -> T) -> Option<T> {
    trial.distances().map(what)
}

pub(crate) const KLD: Series = Series {
    name: "kld",
    title: "KLD",
    unit: Unit::Nats,
    better: Better::Lower,
    help: "KL divergence of the reference's prediction to this one's, nats a token",
    of: |t| of(t, Distances::klds).unwrap_or_default(),
};

pub(crate) const SAME_TOP: Series = Series {
    name: "same_top",
    title: "same top token",
    unit: Unit::Probability,
    better: Better::Higher,
    help: "the most likely token is the reference's",
    of: |t| of(t, Distances::tops).unwrap_or_default(),
};

const DP: Series = Series {
    name: "dp",
    title: "Δp",
    unit: Unit::Probability,
    better: Better::Neither,
    help: "probability of the token that came, less what the reference gave it",
    of: |t| of(t, Distances::dps).unwrap_or_default(),
};

pub(crate) const RMS_DP: Series = Series {
    name: "rms_dp",
    title: "RMS of Δp",
    unit: Unit::Probability,
    better: Better::Lower,
    help: "root of the mean square of the difference in the probability of the token that came",
    of: |t| of(t, Distances::rms_dp).flatten().into_iter().collect(),
};

pub(crate) const PPL: Series = Series {
    name: "ppl",
    title: "PPL",
    unit: Unit::Number,
    better: Better::Lower,
    help: "perplexity: e to the mean negative log-probability of the scored tokens",
    of: |t| of(t, |d| d.candidate.ppl()).flatten().into_iter().collect(),
};

const REFERENCE_PPL: Series = Series {
    name: "reference_ppl",
    title: "ref. PPL",
    better: Better::Neither,
    help: "the reference's perplexity on the same tokens",
    of: |t| of(t, |d| d.reference.ppl()).flatten().into_iter().collect(),
    ..PPL
};

pub(crate) const PPL_RATIO: Series = Series {
    name: "ppl_ratio",
    title: "PPL ratio",
    help: "perplexity over the reference's; its interval is made of differences token by token",
    of: |t| of(t, Distances::ppl_ratio).flatten().into_iter().collect(),
    ..PPL
};

pub(crate) const BITS_PER_BYTE: Series = Series {
    name: "bits_per_byte",
    title: "bits/byte",
    help: "bits per byte of text, which can be compared between tokenizers",
    of: |t| of(t, |d| d.candidate.bits_per_byte()).flatten().into_iter().collect(),
    ..PPL
};

const REFERENCE_BITS_PER_BYTE: Series = Series {
    name: "reference_bits_per_byte",
    title: "ref. bits/byte",
    better: Better::Neither,
    help: "the reference's bits per byte of text",
    of: |t| of(t, |d| d.reference.bits_per_byte()).flatten().into_iter().collect(),
    ..PPL
};

const N_SCORED: Series = Series {
    name: "n_scored",
    title: "tokens",
    unit: Unit::Count,
    better: Better::Neither,
    help: "tokens that were scored",
    of: |t| of(t, |d| d.n_scored() as f64).into_iter().collect(),
};
