//! The figures of a load, by the definitions of metrics.md: which statistics of which [`series`]
//! have a column.

mod series;

use pacemark_record::{Ends, Metric, Series, Statistic};
use series::*;

use Statistic::{Least, Mean, Most, Only, Quantile, StandardDeviation};

/// Every figure, in the order of the columns.
pub const METRICS: &[Metric] = {
    const N: usize = 15 + 7 * 9 + 13;
    const GROUPS: [&[Metric]; 9] = [
        &TOTALS,
        &distribution(&TTFT),
        &distribution(&TTFT_SCHEDULED),
        &distribution(&TPOT),
        &distribution(&ITL),
        &distribution(&ICL),
        &distribution(&E2E),
        &distribution(&E2E_SCHEDULED),
        &OTHERS,
    ];
    &joined::<N>(&GROUPS)
};

/// Mean, percentiles and the interval of the median: the percentiles that a sample cannot support
/// are absent.
const fn distribution(series: &'static Series) -> [Metric; 9] {
    [
        Metric::new(series, Mean),
        Metric::new(series, StandardDeviation),
        Metric::new(series, Quantile(0.5)).shown(),
        Metric::new(series, Quantile(0.9)),
        Metric::new(series, Quantile(0.95)),
        Metric::new(series, Quantile(0.99)).shown(),
        // Its columns stand after those of the percentiles.
        Metric::new(series, Quantile(0.5)).without_column().with_ends(UNTITLED),
        Metric::new(series, Least),
        Metric::new(series, Most),
    ]
}

const UNTITLED: Ends = Ends { infix: "", titles: None };

/// One list of several.
const fn joined<const N: usize>(groups: &[&[Metric]]) -> [Metric; N] {
    let mut all = [groups[0][0]; N];
    let (mut n, mut group) = (0, 0);
    while group < groups.len() {
        let mut i = 0;
        while i < groups[group].len() {
            all[n] = groups[group][i];
            n += 1;
            i += 1;
        }
        group += 1;
    }
    assert!(n == N);
    all
}

/// What the whole load came to.
const TOTALS: [Metric; 15] = [
    only(&REQUESTS).shown(),
    only(&FAILED).shown(),
    only(&HELD_BACK),
    only(&CUT),
    only(&DURATION),
    only(&INPUT_TOKENS),
    only(&OUTPUT_TOKENS),
    only(&CACHED_SHARE),
    only(&LENGTH_DISAGREES),
    only(&OUTPUT_TOTAL).shown(),
    only(&OUTPUT_STEADY)
        .shown()
        .within(|t| t.steady()?.interval)
        .with_ends(Ends { infix: "", titles: Some(["from", "to"]) }),
    only(&OUTPUT_DECODE),
    only(&REQUEST_RATE).shown(),
    only(&GOODPUT).shown(),
    only(&GOOD_SHARE).shown(),
];

/// What else there is to know of it.
const OTHERS: [Metric; 13] = [
    Metric::new(&DECODE_RATE, Quantile(0.5)),
    Metric::new(&DECODE_RATE, Least),
    only(&TOGETHER),
    only(&DRIFT),
    Metric::new(&STREAM_END, Quantile(0.5)),
    Metric::new(&CONNECT, Quantile(0.5)),
    Metric::new(&LATE, Quantile(0.5)),
    Metric::new(&LATE, Quantile(0.99)),
    only(&CLIENT_CPU).shown(),
    Metric::new(&CLIENT_LAG, Quantile(0.99)),
    only(&WARMUP_RUNS),
    only(&STEADY_FROM),
    only(&STEADY_TO),
];

const fn only(series: &'static Series) -> Metric {
    Metric::new(series, Only)
}

#[cfg(test)]
mod tests;
