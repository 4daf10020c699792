//! What a load has values of: of each request, of each gap, or of the whole.

use pacemark_record::{Better, Client, Request, Series, Steady, Trial, Unit};

use Better::{Higher, Lower, Neither};

const MS: Unit = Unit::Milliseconds;
const TPS: Unit = Unit::TokensPerSecond;
const RPS: Unit = Unit::RequestsPerSecond;
const COUNT: Unit = Unit::Count;
const RATIO: Unit = Unit::Ratio;

const fn series(
    name: &'static str,
    title: &'static str,
    unit: Unit,
    better: Better,
    help: &'static str,
    of: fn(&Trial) -> Vec<f64>,
) -> Series {
    Series { name, title, unit, better, help, of }
}

pub(super) const REQUESTS: Series =
    series("requests", "requests", COUNT, Neither, "requests that ended, failed ones too", |t| {
        vec![t.requests().len() as f64]
    });
pub(super) const FAILED: Series =
    series("failed", "failed", COUNT, Lower, "of those, without a full answer", |t| {
        count(t, |request| !request.is_ok())
    });
pub(super) const HELD_BACK: Series = series(
    "held_back",
    "held back",
    COUNT,
    Lower,
    "due while as many as allowed were in flight",
    |t| count(t, |request| request.held_back),
);
pub(super) const CUT: Series = series(
    "cut",
    "cut",
    COUNT,
    Lower,
    "in flight when the load was interrupted; not counted",
    |t| one(t.load().map(|load| load.cut_requests as f64)),
);
pub(super) const DURATION: Series =
    series("duration_ms", "duration ms", MS, Neither, "first send to last token or failure", |t| {
        one(t.load_duration_ns().map(|ns| ns as f64 / 1e6))
    });
pub(super) const INPUT_TOKENS: Series = series(
    "input_tokens",
    "in tokens",
    COUNT,
    Neither,
    "prompt tokens of answered requests, by usage",
    |t| {
        let counted = t.answered().filter_map(|r| r.prompt_usage.or(r.prompt_tokens));
        vec![counted.sum::<u64>() as f64]
    },
);
pub(super) const OUTPUT_TOKENS: Series = series(
    "output_tokens",
    "out tokens",
    COUNT,
    Neither,
    "tokens of answers, by token_source",
    |t| vec![t.output_tokens() as f64],
);
pub(super) const CACHED_SHARE: Series = series(
    "cached_share",
    "cached",
    RATIO,
    Neither,
    "prompt tokens that the server found in its cache",
    |t| one(t.cached_share()),
);
pub(super) const LENGTH_DISAGREES: Series = series(
    "output_length_disagrees",
    "length off",
    COUNT,
    Lower,
    "answers not as long as asked for",
    |t| vec![t.disagreement().wanted as f64],
);
pub(super) const OUTPUT_TOTAL: Series = series(
    "output_ts_total",
    "out t/s",
    TPS,
    Higher,
    "tokens of answers over the whole duration",
    |t| one(t.output_rate_total()),
);
pub(super) const OUTPUT_STEADY: Series = series(
    "output_ts_steady",
    "steady t/s",
    TPS,
    Higher,
    "tokens within the steady-state window over its time",
    |t| steady(t, |window| Some(window.tokens_per_second)),
);
pub(super) const OUTPUT_DECODE: Series = series(
    "output_ts_decode",
    "decode t/s",
    TPS,
    Higher,
    "tokens after the first over their time, of one stream",
    |t| one(t.output_rate_decode()),
);
pub(super) const REQUEST_RATE: Series = series(
    "request_rate",
    "req/s",
    RPS,
    Higher,
    "requests that were answered, a second of the duration",
    |t| one(t.request_rate(t.answered().count())),
);
pub(super) const GOODPUT: Series = series(
    "goodput",
    "goodput",
    RPS,
    Higher,
    "requests within every limit, a second of the duration",
    |t| one(t.n_good().and_then(|good| t.request_rate(good))),
);
pub(super) const GOOD_SHARE: Series = series(
    "good_share",
    "good",
    RATIO,
    Higher,
    "requests within every limit, of all, failed and unsent ones too",
    |t| {
        let unsent = t.load().map_or(0, |load| load.unsent_requests);
        let all = (t.requests().len() as f64 + unsent as f64).max(1.0);
        one(t.n_good().map(|good| good as f64 / all))
    },
);
pub(super) const TTFT: Series =
    series("ttft_ms", "ttft", MS, Lower, "time to first token, from the send", |t| {
        of_requests(t, Request::ttft_ns)
    });
pub(super) const TTFT_SCHEDULED: Series = series(
    "ttft_scheduled_ms",
    "ttft sched",
    MS,
    Lower,
    "time to first token, from the schedule",
    |t| of_requests(t, Request::ttft_scheduled_ns),
);
pub(super) const TPOT: Series =
    series("tpot_ms", "tpot", MS, Lower, "time per output token after the first", tpot_ms);
pub(super) const ITL: Series =
    series("itl_ms", "itl", MS, Lower, "gaps between tokens, pooled", |t| gaps_ms(t, true));
pub(super) const ICL: Series =
    series("icl_ms", "icl", MS, Lower, "gaps between chunks that are not a token each", |t| {
        gaps_ms(t, false)
    });
pub(super) const E2E: Series =
    series("e2e_ms", "e2e", MS, Lower, "send to last token", |t| of_requests(t, Request::e2e_ns));
pub(super) const E2E_SCHEDULED: Series =
    series("e2e_scheduled_ms", "e2e sched", MS, Lower, "schedule to last token", |t| {
        of_requests(t, Request::e2e_scheduled_ns)
    });
pub(super) const DECODE_RATE: Series = series(
    "decode_ts",
    "decode t/s",
    TPS,
    Higher,
    "tokens a second of an answer after its first",
    |t| tpot_ms(t).into_iter().filter(|ms| *ms > 0.0).map(|ms| 1e3 / ms).collect(),
);
pub(super) const TOGETHER: Series = series(
    "together_share",
    "together",
    RATIO,
    Neither,
    "chunks that came, or were read, with the one before",
    together,
);
pub(super) const DRIFT: Series = series(
    "drift",
    "drift",
    RATIO,
    Neither,
    "rate of the steady window's last third over its first, less 1",
    |t| steady(t, |window| window.drift),
);
pub(super) const STREAM_END: Series =
    series("stream_end_ms", "end", MS, Lower, "send to the end of the stream", |t| {
        of_requests(t, |r| Some(r.end_ns.saturating_sub(r.sent_ns)))
    });
pub(super) const CONNECT: Series =
    series("connect_ms", "connect", MS, Lower, "time to open a connection, where one was", |t| {
        of_requests(t, |r| Some(r.connected_ns?.saturating_sub(r.resent_ns.unwrap_or(r.sent_ns))))
    });
pub(super) const LATE: Series =
    series("late_ms", "late", MS, Lower, "send after the schedule, the client's queue", |t| {
        late_ms(t)
    });
pub(super) const CLIENT_CPU: Series = series(
    "client_cpu",
    "client cpu",
    RATIO,
    Lower,
    "processor time of the client over time; 1 is one processor",
    |t| one(client(t).map(Client::cpu_share)),
);
pub(super) const CLIENT_LAG: Series = series(
    "client_lag_ms",
    "lag",
    MS,
    Lower,
    "lateness of the client's timers, which tick in milliseconds",
    |t| client(t).map_or_else(Vec::new, |c| c.lag_ns.iter().map(|ns| *ns as f64 / 1e6).collect()),
);
pub(super) const WARMUP_RUNS: Series =
    series("warmup_runs", "warm-ups", COUNT, Neither, "requests before counting began", |t| {
        vec![t.warmup.elapsed_ns.len() as f64]
    });
pub(super) const STEADY_FROM: Series = series(
    "steady_from_ms",
    "steady from",
    MS,
    Neither,
    "where the steady-state window begins",
    |t| steady(t, |window| Some(window.from_ns as f64 / 1e6)),
);
pub(super) const STEADY_TO: Series =
    series("steady_to_ms", "steady to", MS, Neither, "where it ends", |t| {
        steady(t, |window| Some(window.to_ns as f64 / 1e6))
    });

fn one(value: Option<f64>) -> Vec<f64> {
    value.into_iter().collect()
}

fn count(trial: &Trial, is_counted: fn(&Request) -> bool) -> Vec<f64> {
    vec![trial.requests().iter().filter(|request| is_counted(request)).count() as f64]
}

fn steady(trial: &Trial, of: fn(&Steady) -> Option<f64>) -> Vec<f64> {
    one(trial.steady().as_ref().and_then(of))
}

fn client(trial: &Trial) -> Option<&Client> {
    trial.load()?.client.as_ref()
}

/// A time of each answered request that has it.
fn of_requests(trial: &Trial, of: fn(&Request) -> Option<u64>) -> Vec<f64> {
    trial.answered().filter_map(|request| Some(of(request)? as f64 / 1e6)).collect()
}

fn tpot_ms(trial: &Trial) -> Vec<f64> {
    let source = trial.token_source();
    trial.answered().filter_map(|request| Some(request.tpot_ns(source)? / 1e6)).collect()
}

/// Share of the chunks after the first of their answer that have the stamp of the one before.
fn together(trial: &Trial) -> Vec<f64> {
    let gaps = trial.answered().flat_map(Request::gaps_ns);
    let (n, none) = gaps.fold((0, 0), |(n, none), gap| (n + 1, none + u64::from(gap == 0)));
    one((n > 0).then(|| none as f64 / n as f64))
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
        .requests()
        .iter()
        .map(|request| request.sent_ns.saturating_sub(request.scheduled_ns) as f64 / 1e6)
        .collect()
}
