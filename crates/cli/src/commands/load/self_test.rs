//! `pacemark load --self-test`: how far the client's stamps are off, at the number of streams asked
//! for.
//!
//! A mock server in a process of its own ticks a token to each stream, and writes into each chunk
//! the time at which it wrote it, on the monotonic clock that both processes share. What the
//! client's figures would be with those times instead of its own stamps is the truth; the
//! difference is the client's error, made on the same requests.

use super::Args;
use super::child::Child;
use super::progress::Progress;
use crate::exit::Exit;
use crate::interrupt;
use anyhow::{Context, Result, bail};
use pacemark_load::prompt::{Cache, Synthetic, SyntheticOptions};
use pacemark_load::{BUSY, Bounds, Endpoint, Lengths, Measured, Settings, Shape, run as run_load};
use pacemark_record::stats;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Time between two tokens of a stream in milliseconds, at least; more where so many streams would
/// come to more than `--self-test-rate`.
const ITL_MS: f64 = 50.0;

/// Tokens of an answer.
const TOKENS: u64 = 20;

/// Requests of a row: enough for a median with one stream, for a p99 with a hundred.
const REQUESTS: u64 = 40;
const ROUNDS: u64 = 3;

/// Where nothing else is said: rows, and chunks a second at most.
const STREAMS: &[usize] = &[1, 100, 1000, 2000];
const CHUNKS_A_SECOND: u32 = 20_000;

/// An error of a percentile, in milliseconds, that is too high for a figure to be believed.
const MAX_ERROR_MS: f64 = 1.0;

/// One number of streams.
#[derive(Default)]
struct Row {
    streams: usize,
    /// Of the mock.
    itl_ms: f64,
    requests: usize,
    failed: usize,
    ttft: Figures,
    itl: Figures,
    /// Stamps after the times at which the server wrote.
    late: Figures,
    /// Share of chunks that have the stamp of the one before.
    together: f64,
    cpu: f64,
}

impl Row {
    /// Chunks a second when all streams run.
    fn rate(&self) -> f64 {
        self.streams as f64 * 1e3 / self.itl_ms
    }

    /// Why its figures are not to be believed (metrics.md, rule 8).
    fn doubts(&self) -> Vec<String> {
        let figures = [self.ttft.p50, self.ttft.p99, self.itl.p50, self.itl.p99];
        let worst = figures
            .into_iter()
            .flatten()
            .map(|(ours, truth)| (ours - truth).abs())
            .fold(0.0, f64::max);
        let error =
            (worst > MAX_ERROR_MS).then(|| format!("figures are off by up to {worst:.1} ms"));
        let busy = (self.cpu > BUSY)
            .then(|| format!("the client used {:.0} % of a processor", self.cpu * 100.0));
        error
            .into_iter()
            .chain(busy)
            .map(|why| format!("{} streams: {why}", self.streams))
            .collect()
    }
}

/// Percentiles by the client's stamps and by the server's times, in milliseconds; absent where the
/// sample is too small.
#[derive(Default)]
struct Figures {
    p50: Option<(f64, f64)>,
    p99: Option<(f64, f64)>,
}

/// Runs `pacemark load --self-test`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let streams = if args.streams.is_empty() { STREAMS } else { &args.streams };
    let most = streams.iter().max().copied().unwrap_or(1);
    // The child inherits what this process may open.
    pacemark_load::allow_open_files(2 * most as u64)?;
    let mut progress = Progress::new();
    let (mut rows, mut examples) = (Vec::new(), Vec::new());
    for &streams in streams {
        let itl_ms = (streams as f64 * 1e3
            / f64::from(args.self_test_rate.unwrap_or(CHUNKS_A_SECOND)))
        .max(ITL_MS);
        let child = mock(streams, itl_ms)?;
        let settings = settings(args, &child);
        let requests = REQUESTS.max(ROUNDS * streams as u64);
        let bounds = Bounds { requests: Some(requests), duration: None };
        progress.begin(&format!("{streams} streams"), bounds);
        let measured = measure(&settings, streams, bounds, &mut progress)?;
        if interrupt::flag().load(Relaxed) {
            break;
        }
        examples.extend(
            measured.requests.iter().find_map(|r| Some((streams, r.failure.clone()?.message))),
        );
        rows.push(row(streams, itl_ms, &measured)?);
    }
    drop(progress);
    let text = match args.output.as_str() {
        "json" => format!("{:#}\n", as_json(args, &rows)),
        _ => as_text(args, &rows),
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    for (streams, example) in &examples {
        eprintln!("warning: {streams} streams: {example}");
    }
    for doubt in rows.iter().flat_map(Row::doubts) {
        eprintln!("warning: {doubt}: too many for this client on this machine");
    }
    let failed = rows.is_empty() || rows.iter().any(|row| row.failed > 0);
    Ok(if failed { Exit::Failed } else { Exit::Fine })
}

/// A mock server with room for all streams.
fn mock(streams: usize, itl_ms: f64) -> Result<Child> {
    let spec = format!("ttft={ITL_MS}ms,itl={itl_ms}ms");
    let (connections, queue) = ((streams + 64).to_string(), streams.to_string());
    let words = ["--mock", &spec, "--max-connections", &connections, "--max-queue", &queue];
    Child::serve(&words.map(str::to_owned))
}

fn settings(args: &Args, child: &Child) -> Settings {
    let mut settings =
        Settings::new(child.target.clone(), Endpoint::Completions, "mock".to_owned());
    settings.kernel_stamps = args.stamps == "kernel";
    let options = json!({ "include_usage": true, "emitted_ns": true });
    settings.extra_body.insert("stream_options".to_owned(), options);
    settings
}

fn measure(
    settings: &Settings,
    streams: usize,
    bounds: Bounds,
    progress: &mut Progress,
) -> Result<Measured> {
    let options = SyntheticOptions {
        input: Lengths::Fixed(16),
        output: Some(Lengths::Fixed(TOKENS)),
        cache: Cache::Cold,
        turns: 1,
        ids: true,
        special: false,
        seed: 0,
        nonce: 0,
    };
    let mut source = Synthetic::new(options, None)?;
    let shape = Shape::Closed { concurrency: streams };
    Ok(run_load(settings, shape, bounds, &mut source, None, progress, interrupt::flag())?)
}

fn row(streams: usize, itl_ms: f64, measured: &Measured) -> Result<Row> {
    let (mut ttft, mut itl, mut late) = Default::default();
    let (mut failed, mut together, mut chunks) = (0, 0, 0);
    let ms = |ns: u64| ns as f64 / 1e6;
    for (request, emitted) in measured.requests.iter().zip(&measured.emitted_ns) {
        failed += usize::from(!request.is_ok());
        if !request.is_ok() {
            continue;
        }
        if emitted.len() != request.chunks_ns.len() {
            bail!("the server tells no times of its chunks: it is another version");
        }
        chunks += emitted.len();
        together += request.chunks_ns.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let truth: Vec<u64> =
            emitted.iter().map(|ns| ns.saturating_sub(measured.origin_ns)).collect();
        let of = |stamps: &[u64], to: (&mut Vec<f64>, &mut Vec<f64>)| {
            to.0.extend(stamps.first().map(|first| ms(first.saturating_sub(request.sent_ns))));
            to.1.extend(stamps.windows(2).map(|pair| ms(pair[1].saturating_sub(pair[0]))));
        };
        let ((ttft, ttft_truth), (itl, itl_truth)): (&mut Pair, &mut Pair) = (&mut ttft, &mut itl);
        of(&request.chunks_ns, (ttft, itl));
        of(&truth, (ttft_truth, itl_truth));
        let (late, zero): &mut Pair = &mut late;
        late.extend(
            request
                .chunks_ns
                .iter()
                .zip(&truth)
                .map(|(stamp, truth)| ms(stamp.saturating_sub(*truth))),
        );
        zero.resize(late.len(), 0.0);
    }
    let requests = measured.requests.len();
    let cpu = measured.client.cpu_share();
    let together = together as f64 / chunks.max(1) as f64;
    let (ttft, itl, late) = (figures(ttft), figures(itl), figures(late));
    Ok(Row { streams, itl_ms, requests, failed, ttft, itl, late, together, cpu })
}

/// By the client, and in truth.
type Pair = (Vec<f64>, Vec<f64>);

fn figures((mut ours, mut truth): Pair) -> Figures {
    ours.sort_by(f64::total_cmp);
    truth.sort_by(f64::total_cmp);
    let at = |p| {
        let of = |values: &[f64]| stats::supported_quantile(values, p, stats::CONFIDENCE);
        Some((of(&ours)?, of(&truth)?))
    };
    Figures { p50: at(0.5), p99: at(0.99) }
}

fn as_text(args: &Args, rows: &[Row]) -> String {
    let mut text = format!(
        "A mock server, {TOKENS} tokens an answer, the first after {ITL_MS} ms; stamps by the {}. Times in ms: what the client \
         measured, and in parentheses how much\nmore that is than by the times at which the server wrote. late: a stamp after \
         its chunk was written; together: chunks with the stamp of the one before.\n\n",
        args.stamps
    );
    text += &format!(
        "{:>7} {:>8} {:>8} {:>6} {:>18} {:>18} {:>17} {:>17} {:>8} {:>8} {:>8} {:>5}\n",
        "streams",
        "chunks/s",
        "requests",
        "failed",
        "ttft p50",
        "ttft p99",
        "itl p50",
        "itl p99",
        "late p50",
        "late p99",
        "together",
        "cpu"
    );
    let cell = |of: Option<(f64, f64)>| match of {
        Some((ours, truth)) => format!("{ours:.3} ({:+.3})", ours - truth),
        None => "-".to_owned(),
    };
    let late = |of: Option<(f64, f64)>| of.map_or("-".to_owned(), |(late, _)| format!("{late:.3}"));
    for row in rows {
        text += &format!(
            "{:>7} {:>8.0} {:>8} {:>6} {:>18} {:>18} {:>17} {:>17} {:>8} {:>8} {:>6.2} % {:>3.0} %\n",
            row.streams,
            row.rate(),
            row.requests,
            row.failed,
            cell(row.ttft.p50),
            cell(row.ttft.p99),
            cell(row.itl.p50),
            cell(row.itl.p99),
            late(row.late.p50),
            late(row.late.p99),
            row.together * 100.0,
            row.cpu * 100.0,
        );
    }
    text
}

fn as_json(args: &Args, rows: &[Row]) -> Value {
    let figure = |of: Option<(f64, f64)>| {
        of.map(|(ours, truth)| json!({ "measured": ours, "true": truth, "error": ours - truth }))
    };
    let rows = rows.iter().map(|row| {
        json!({
            "streams": row.streams,
            "itl_ms": row.itl_ms,
            "chunks_per_second": row.rate(),
            "requests": row.requests,
            "failed": row.failed,
            "ttft_ms_p50": figure(row.ttft.p50),
            "ttft_ms_p99": figure(row.ttft.p99),
            "itl_ms_p50": figure(row.itl.p50),
            "itl_ms_p99": figure(row.itl.p99),
            "late_ms_p50": row.late.p50.map(|(late, _)| late),
            "late_ms_p99": row.late.p99.map(|(late, _)| late),
            "stamped_together": row.together,
            "client_cpu": row.cpu,
        })
    });
    json!({ "ttft_ms": ITL_MS, "tokens": TOKENS, "stamps": args.stamps, "rows": rows.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_or_a_busy_client_is_told() {
        let off = |ours, cpu| {
            let ttft = Figures { p50: Some((ours, 50.0)), p99: None };
            Row { streams: 4, ttft, cpu, ..Row::default() }.doubts().join("; ")
        };
        assert_eq!(off(50.9, 0.7), "");
        assert_eq!(off(48.5, 0.0), "4 streams: figures are off by up to 1.5 ms");
        assert_eq!(off(50.0, 0.93), "4 streams: the client used 93 % of a processor");
    }
}
