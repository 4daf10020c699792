//! The figures of a load, by the definitions of metrics.md.

use pacemark_record::stats::{self, CONFIDENCE};
use pacemark_record::{Better, Metric, Request, Steady, Trial, Unit};

use Better::{Higher, Lower, Neither};
const MS: Unit = Unit::Milliseconds;
const TPS: Unit = Unit::TokensPerSecond;
const RPS: Unit = Unit::RequestsPerSecond;

const fn metric(
    name: &'static str,
    title: &'static str,
    unit: Unit,
    better: Better,
    help: &'static str,
    of: fn(&Trial) -> Option<f64>,
) -> Metric {
    Metric { name, title, unit, better, help, of, in_tables: false }
}

/// Mean, percentiles and the interval of the median of one figure of requests: the percentiles that
/// a sample cannot support are absent.
macro_rules! distribution {
    ($name:literal, $title:literal, $help:literal, $values:expr) => {
        [
            metric(
                concat!($name, "_mean"),
                concat!($title, " mean"),
                MS,
                Lower,
                concat!($help, ": mean"),
                |t| stats::mean(&$values(t)),
            ),
            metric(
                concat!($name, "_sd"),
                concat!($title, " sd"),
                MS,
                Lower,
                concat!($help, ": standard deviation of the sample"),
                |t| stats::sample_sd(&$values(t)),
            ),
            metric(
                concat!($name, "_p50"),
                concat!($title, " p50"),
                MS,
                Lower,
                concat!($help, ": median"),
                |t| at($values(t), 0.5),
            )
            .shown(),
            metric(
                concat!($name, "_p90"),
                concat!($title, " p90"),
                MS,
                Lower,
                concat!($help, ": 90th percentile"),
                |t| at($values(t), 0.9),
            ),
            metric(
                concat!($name, "_p95"),
                concat!($title, " p95"),
                MS,
                Lower,
                concat!($help, ": 95th percentile"),
                |t| at($values(t), 0.95),
            ),
            metric(
                concat!($name, "_p99"),
                concat!($title, " p99"),
                MS,
                Lower,
                concat!($help, ": 99th percentile"),
                |t| at($values(t), 0.99),
            )
            .shown(),
            metric(
                concat!($name, "_p50_low"),
                concat!($title, " p50 from"),
                MS,
                Lower,
                "its median's 95 % interval: low",
                |t| Some(bounds($values(t), 0.5)?.0),
            ),
            metric(
                concat!($name, "_p50_high"),
                concat!($title, " p50 to"),
                MS,
                Lower,
                "its median's 95 % interval: high",
                |t| Some(bounds($values(t), 0.5)?.1),
            ),
            metric(
                concat!($name, "_min"),
                concat!($title, " min"),
                MS,
                Lower,
                concat!($help, ": least"),
                |t| $values(t).into_iter().reduce(f64::min),
            ),
            metric(
                concat!($name, "_max"),
                concat!($title, " max"),
                MS,
                Lower,
                concat!($help, ": most"),
                |t| $values(t).into_iter().reduce(f64::max),
            ),
        ]
    };
}

const COUNTS: [Metric; 9] = [
    metric(
        "requests",
        "requests",
        Unit::Count,
        Neither,
        "requests that ended, failed ones too",
        |t| Some(t.requests.len() as f64),
    )
    .shown(),
    metric("failed", "failed", Unit::Count, Lower, "of those, without a full answer", |t| {
        Some(t.requests.iter().filter(|r| !r.is_ok()).count() as f64)
    })
    .shown(),
    metric(
        "held_back",
        "held back",
        Unit::Count,
        Lower,
        "due while as many as allowed were in flight",
        |t| Some(t.requests.iter().filter(|r| r.held_back).count() as f64),
    ),
    metric(
        "cut",
        "cut",
        Unit::Count,
        Lower,
        "in flight when the load was interrupted; not counted",
        |t| Some(t.cut_requests as f64),
    ),
    metric("duration_ms", "duration ms", MS, Neither, "first send to last token or failure", |t| {
        Some(t.load_duration_ns()? as f64 / 1e6)
    }),
    metric(
        "input_tokens",
        "in tokens",
        Unit::Count,
        Neither,
        "prompt tokens of answered requests, by usage",
        |t| {
            let counted = t.answered().filter_map(|r| r.prompt_usage.or(r.prompt_tokens));
            Some(counted.sum::<u64>() as f64)
        },
    ),
    metric(
        "output_tokens",
        "out tokens",
        Unit::Count,
        Neither,
        "tokens of answers, by token_source",
        |t| Some(t.output_tokens() as f64),
    ),
    metric(
        "cached_share",
        "cached",
        Unit::Ratio,
        Neither,
        "prompt tokens that the server found in its cache",
        |t| t.cached_share(),
    ),
    metric(
        "output_length_disagrees",
        "length off",
        Unit::Count,
        Lower,
        "answers not as long as asked for",
        |t| Some(t.disagreement().wanted as f64),
    ),
];

const RATES: [Metric; 8] = [
    metric(
        "output_ts_total",
        "out t/s",
        TPS,
        Higher,
        "tokens of answers over the whole duration",
        |t| t.output_rate_total(),
    )
    .shown(),
    metric(
        "output_ts_steady",
        "steady t/s",
        TPS,
        Higher,
        "tokens within the steady-state window over its time",
        |t| Some(t.steady()?.tokens_per_second),
    )
    .shown(),
    metric("output_ts_steady_low", "from", TPS, Higher, "its 95 % interval, by blocks: low", |t| {
        Some(t.steady()?.interval?.low)
    })
    .shown(),
    metric("output_ts_steady_high", "to", TPS, Higher, "its 95 % interval, by blocks: high", |t| {
        Some(t.steady()?.interval?.high)
    })
    .shown(),
    metric(
        "output_ts_decode",
        "decode t/s",
        TPS,
        Higher,
        "tokens after the first over their time, of one stream",
        |t| t.output_rate_decode(),
    ),
    metric(
        "request_rate",
        "req/s",
        RPS,
        Higher,
        "requests that were answered, a second of the duration",
        |t| t.request_rate(t.answered().count()),
    )
    .shown(),
    metric(
        "goodput",
        "goodput",
        RPS,
        Higher,
        "requests within every limit, a second of the duration",
        |t| t.request_rate(t.n_good()?),
    )
    .shown(),
    metric(
        "good_share",
        "good",
        Unit::Ratio,
        Higher,
        "requests within every limit, of all, failed and unsent ones too",
        |t| {
            Some(t.n_good()? as f64 / (t.requests.len() as f64 + t.unsent_requests as f64).max(1.0))
        },
    ),
];

const TTFT: [Metric; 10] = distribution!(
    "ttft_ms",
    "ttft",
    "time to first token, from the send",
    |t: &Trial| of_requests(t, Request::ttft_ns)
);
const TTFT_SCHEDULED: [Metric; 10] = distribution!(
    "ttft_scheduled_ms",
    "ttft sched",
    "time to first token, from the schedule",
    |t: &Trial| of_requests(t, Request::ttft_scheduled_ns)
);
const TPOT: [Metric; 10] =
    distribution!("tpot_ms", "tpot", "time per output token after the first", tpot_ms);
const ITL: [Metric; 10] =
    distribution!("itl_ms", "itl", "gaps between tokens, pooled", |t: &Trial| gaps_ms(t, true));
const ICL: [Metric; 10] =
    distribution!("icl_ms", "icl", "gaps between chunks that are not a token each", |t: &Trial| {
        gaps_ms(t, false)
    });
const E2E: [Metric; 10] =
    distribution!("e2e_ms", "e2e", "send to last token", |t: &Trial| of_requests(
        t,
        Request::e2e_ns
    ));
const E2E_SCHEDULED: [Metric; 10] =
    distribution!("e2e_scheduled_ms", "e2e sched", "schedule to last token", |t: &Trial| {
        of_requests(t, Request::e2e_scheduled_ns)
    });

const OTHERS: [Metric; 13] = [
    metric(
        "decode_ts_p50",
        "decode t/s p50",
        TPS,
        Higher,
        "tokens a second of an answer after its first: median",
        |t| at(decode_ts(t), 0.5),
    ),
    metric(
        "decode_ts_min",
        "decode t/s min",
        TPS,
        Higher,
        "tokens a second of an answer after its first: least",
        |t| decode_ts(t).into_iter().reduce(f64::min),
    ),
    metric(
        "together_share",
        "together",
        Unit::Ratio,
        Neither,
        "chunks that came, or were read, with the one before",
        together,
    ),
    metric(
        "drift",
        "drift",
        Unit::Ratio,
        Neither,
        "rate of the steady window's last third over its first, less 1",
        |t| t.steady()?.drift,
    ),
    metric(
        "stream_end_ms_p50",
        "end p50",
        MS,
        Lower,
        "send to the end of the stream: median",
        |t| at(of_requests(t, |r| Some(r.end_ns.saturating_sub(r.sent_ns))), 0.5),
    ),
    metric(
        "connect_ms_p50",
        "connect p50",
        MS,
        Lower,
        "time to open a connection, where one was: median",
        |t| {
            at(
                of_requests(t, |r| {
                    Some(r.connected_ns?.saturating_sub(r.resent_ns.unwrap_or(r.sent_ns)))
                }),
                0.5,
            )
        },
    ),
    metric(
        "late_ms_p50",
        "late p50",
        MS,
        Lower,
        "send after the schedule, the client's queue: median",
        |t| at(late_ms(t), 0.5),
    ),
    metric("late_ms_p99", "late p99", MS, Lower, "send after the schedule: 99th percentile", |t| {
        at(late_ms(t), 0.99)
    }),
    metric(
        "client_cpu",
        "client cpu",
        Unit::Ratio,
        Lower,
        "processor time of the client over time; 1 is one processor",
        |t| Some(t.client.as_ref()?.cpu_share()),
    )
    .shown(),
    metric(
        "client_lag_ms_p99",
        "lag p99",
        MS,
        Lower,
        "lateness of the client's timers, which tick in milliseconds",
        |t| at(t.client.as_ref()?.lag_ns.iter().map(|ns| *ns as f64 / 1e6).collect(), 0.99),
    ),
    metric(
        "warmup_runs",
        "warm-ups",
        Unit::Count,
        Neither,
        "requests before counting began",
        |t| Some(t.warmup.elapsed_ns.len() as f64),
    ),
    metric(
        "steady_from_ms",
        "steady from",
        MS,
        Neither,
        "where the steady-state window begins",
        |t| steady(t, |s| s.from_ns as f64 / 1e6),
    ),
    metric("steady_to_ms", "steady to", MS, Neither, "where it ends", |t| {
        steady(t, |s| s.to_ns as f64 / 1e6)
    }),
];

const N: usize = 9 + 8 + 7 * 10 + 13;

/// Every figure, in the order of the columns.
pub const METRICS: &[Metric] = &{
    const EMPTY: Metric = metric("", "", MS, Neither, "", |_| None);
    let mut all = [EMPTY; N];
    let mut n = 0;
    let groups: [&[Metric]; 10] =
        [&COUNTS, &RATES, &TTFT, &TTFT_SCHEDULED, &TPOT, &ITL, &ICL, &E2E, &E2E_SCHEDULED, &OTHERS];
    let mut group = 0;
    while group < groups.len() {
        let mut i = 0;
        while i < groups[group].len() {
            all[n] = groups[group][i];
            n += 1;
            i += 1;
        }
        group += 1;
    }
    all
};

fn steady(trial: &Trial, of: fn(&Steady) -> f64) -> Option<f64> {
    trial.steady().as_ref().map(of)
}

/// A time of each answered request that has it.
fn of_requests(trial: &Trial, of: fn(&Request) -> Option<u64>) -> Vec<f64> {
    trial.answered().filter_map(|request| Some(of(request)? as f64 / 1e6)).collect()
}

fn tpot_ms(trial: &Trial) -> Vec<f64> {
    let source = trial.token_source();
    trial.answered().filter_map(|request| Some(request.tpot_ns(source)? / 1e6)).collect()
}

fn decode_ts(trial: &Trial) -> Vec<f64> {
    tpot_ms(trial).into_iter().filter(|ms| *ms > 0.0).map(|ms| 1e3 / ms).collect()
}

/// Share of the chunks after the first of their answer that have the stamp of the one before.
fn together(trial: &Trial) -> Option<f64> {
    let gaps = trial.answered().flat_map(Request::gaps_ns);
    let (n, none) = gaps.fold((0, 0), |(n, none), gap| (n + 1, none + u64::from(gap == 0)));
    (n > 0).then(|| none as f64 / n as f64)
}

/// Gaps where chunks are tokens, or where they are not; nothing in the other case.
fn gaps_ms(trial: &Trial, are_tokens: bool) -> Vec<f64> {
    if trial.chunks_are_tokens() == are_tokens { trial.chunk_gaps_ms() } else { Vec::new() }
}

/// Of every request, failed ones too: they were sent. A fixed number of streams has no schedule to
/// be late for.
fn late_ms(trial: &Trial) -> Vec<f64> {
    if trial.params.contains_key("concurrency") {
        return Vec::new();
    }
    trial
        .requests
        .iter()
        .map(|request| request.sent_ns.saturating_sub(request.scheduled_ns) as f64 / 1e6)
        .collect()
}

/// A percentile, where the sample supports it.
fn at(mut values: Vec<f64>, p: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    stats::supported_quantile(&values, p, CONFIDENCE)
}

fn bounds(mut values: Vec<f64>, p: f64) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    stats::quantile_interval(&values, p, CONFIDENCE)
}

#[cfg(test)]
mod tests;
