//! Which figures of two trials are compared.

use crate::batched;
use crate::metrics::{tpot_ms, ttft_ms};
use pacemark_record::{Better, Compared, Comparison, Trial, compare as compare_by};

/// Every figure of a throughput test that is compared.
pub const COMPARED: &[Compared] = &[
    Compared { name: "avg_ts", title: "t/s", better: Better::Higher, each: Trial::rates_ts },
    Compared { name: "ttft_ms", title: "ttft ms", better: Better::Lower, each: ttft_ms },
    Compared { name: "tpot_ms", title: "tpot ms", better: Better::Lower, each: tpot_ms },
];

/// Every figure of a batch that is compared.
pub const BATCH_COMPARED: &[Compared] = &[
    Compared {
        name: "speed_pp",
        title: "S_PP t/s",
        better: Better::Higher,
        each: Trial::prefill_rates_ts,
    },
    Compared {
        name: "speed_tg",
        title: "S_TG t/s",
        better: Better::Higher,
        each: Trial::decode_rates_ts,
    },
    Compared { name: "speed", title: "S t/s", better: Better::Higher, each: Trial::rates_ts },
];

/// The first of `trials`, which were measured in turn, against each other: a list for each of them,
/// empty for the first.
pub fn compare(trials: &[Trial]) -> Vec<Vec<Comparison>> {
    let Some(first) = trials.first() else { return Vec::new() };
    let figures =
        if first.experiment == batched::EXPERIMENT.name { BATCH_COMPARED } else { COMPARED };
    let against = |second: &Trial| {
        figures.iter().filter_map(|figure| compare_by(first, second, figure)).collect()
    };
    std::iter::once(Vec::new()).chain(trials[1..].iter().map(against)).collect()
}
