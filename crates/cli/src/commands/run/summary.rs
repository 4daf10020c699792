//! The summary of a run, for people and for machines.

use super::timings::Timings;
use pacemark_backend::BackendInfo;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Aligned lines; a figure that cannot be measured is a dash with the reason.
pub(super) fn text(
    info: &BackendInfo,
    load: Duration,
    t: &Timings,
    peak_rss: Option<u64>,
) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<14}{value}");
    };
    let stages: Vec<String> =
        info.load.iter().map(|(stage, time)| format!("{stage} {:.1}", ms(*time))).collect();
    let batch = if info.n_threads_batch == info.n_threads {
        String::new()
    } else {
        format!(" ({} for the prompt)", info.n_threads_batch)
    };
    line("model", format!("{}, {} threads{batch}, {}", info.model_type, info.n_threads, info.isa));
    line("load", format!("{:.1} ms ({})", ms(load), stages.join(", ")));
    let cached =
        if t.cached_tokens > 0 { format!(", {} cached", t.cached_tokens) } else { String::new() };
    line("prompt", format!("{} tokens{cached}", t.prompt_tokens));
    line("TTFT", t.ttft().map_or("- (no token came)".into(), |time| format!("{:.1} ms", ms(time))));
    line(
        "prefill",
        t.prefill_rate().map_or("- (no token came)".into(), |rate| format!("{rate:.1} t/s")),
    );
    line("output", format!("{} tokens", t.output_tokens()));
    let tpot = t.tpot().map(|(mean, sd)| match sd {
        Some(sd) => format!("{:.2} ± {:.2} ms", ms(mean), ms(sd)),
        None => format!("{:.2} ms (one gap: no deviation)", ms(mean)),
    });
    line("TPOT", tpot.unwrap_or("- (needs two tokens)".into()));
    line(
        "decode",
        t.decode_rate().map_or("- (needs two tokens)".into(), |rate| format!("{rate:.1} t/s")),
    );
    line(
        "total",
        t.total().map_or("- (nothing was finished)".into(), |time| format!("{:.1} ms", ms(time))),
    );
    let rss = peak_rss.map(|bytes| format!("{:.1} MiB", bytes as f64 / 1048576.0));
    line("peak RSS", rss.unwrap_or("- (the system does not tell)".into()));
    out
}

/// The same figures; null where a figure cannot be measured.
pub(super) fn json(info: &BackendInfo, t: &Timings, peak_rss: Option<u64>) -> Value {
    let load: serde_json::Map<String, Value> =
        info.load.iter().map(|(stage, time)| (format!("{stage}_ms"), json!(ms(*time)))).collect();
    json!({
        "load": load,
        "load_ms": info.load.iter().map(|(_, time)| ms(*time)).sum::<f64>(),
        "prompt_tokens": t.prompt_tokens,
        "cached_tokens": t.cached_tokens,
        "ttft_ms": t.ttft().map(ms),
        "prefill_tokens_per_second": t.prefill_rate(),
        "output_tokens": t.output_tokens(),
        "tpot_ms": t.tpot().map(|(mean, _)| ms(mean)),
        "tpot_sd_ms": t.tpot().and_then(|(_, sd)| sd).map(ms),
        "decode_tokens_per_second": t.decode_rate(),
        "total_ms": t.total().map(ms),
        "peak_rss_bytes": peak_rss,
        "n_threads": info.n_threads,
        "n_threads_batch": info.n_threads_batch,
        "isa": info.isa,
        "kv_bytes_per_token": info.kv_bytes_per_token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn absent_figures_are_dashes_and_nulls() {
        let t = Timings::new(Instant::now(), 4);
        let text = text(&BackendInfo::default(), Duration::from_millis(3), &t, None);
        assert!(text.contains("TPOT          - (needs two tokens)"), "{text}");
        assert!(text.contains("peak RSS      - (the system does not tell)"), "{text}");
        assert!(json(&BackendInfo::default(), &t, None)["ttft_ms"].is_null());
    }
}
