//! Counters and histograms of a server, and their text for Prometheus.
//!
//! Names and buckets are vLLM's (`vllm/v1/metrics/loggers.py`), so that its dashboards work; the
//! label `model_name` is too.

use pacemark_backend::Service;
use pacemark_backend::elsewhere::{Elsewhere, WorkerUsage};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// vLLM's buckets, in seconds.
const TTFT: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];
const ITL: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];
const REQUEST: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];

/// How often a duration fell where.
#[derive(Debug)]
pub(crate) struct Histogram {
    name: &'static str,
    help: &'static str,
    bounds: &'static [f64],
    /// One more than bounds: the last is above all of them.
    counts: Vec<AtomicU64>,
    sum_ns: AtomicU64,
}

impl Histogram {
    fn new(name: &'static str, help: &'static str, bounds: &'static [f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { name, help, bounds, counts, sum_ns: AtomicU64::new(0) }
    }

    /// Counts a duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket =
            self.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    fn write(&self, out: &mut String, model: &str) {
        let name = self.name;
        let mut total = 0;
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} histogram", self.help);
        for (i, count) in self.counts.iter().enumerate() {
            total += count.load(Relaxed);
            let bound = self.bounds.get(i).map_or("+Inf".to_string(), f64::to_string);
            let _ = writeln!(out, "{name}_bucket{{model_name=\"{model}\",le=\"{bound}\"}} {total}");
        }
        let sum = self.sum_ns.load(Relaxed) as f64 / 1e9;
        let _ = writeln!(
            out,
            "{name}_sum{{model_name=\"{model}\"}} {sum}\n{name}_count{{model_name=\"{model}\"}} {total}"
        );
    }
}

/// Why answers ended, as vLLM words it.
const REASONS: [&str; 4] = ["stop", "length", "abort", "error"];

/// All that a server counts itself; what its service counts is added when it is told.
#[derive(Debug)]
pub(crate) struct Metrics {
    model: String,
    /// From a request's arrival to its first token being known.
    pub ttft: Histogram,
    /// Between tokens being known.
    pub itl: Histogram,
    /// From a request's arrival to its end.
    pub e2e: Histogram,
    /// Waiting for its turn.
    pub queue: Histogram,
    ended: [AtomicU64; REASONS.len()],
    /// Requests answered with 429.
    pub refused: AtomicU64,
}

impl Metrics {
    /// Nothing counted yet.
    pub(crate) fn new(model: &str) -> Metrics {
        Metrics {
            model: escaped(model),
            ttft: Histogram::new(
                "vllm:time_to_first_token_seconds",
                "Histogram of time to first token in seconds.",
                TTFT,
            ),
            itl: Histogram::new(
                "vllm:inter_token_latency_seconds",
                "Histogram of inter-token latency in seconds.",
                ITL,
            ),
            e2e: Histogram::new(
                "vllm:e2e_request_latency_seconds",
                "Histogram of e2e request latency in seconds.",
                REQUEST,
            ),
            queue: Histogram::new(
                "vllm:request_queue_time_seconds",
                "Histogram of time spent in WAITING phase for request.",
                REQUEST,
            ),
            ended: Default::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Counts the end of an answer: `stop`, `length`, `abort` or `error`.
    pub(crate) fn ended(&self, reason: &str) {
        if let Some(i) = REASONS.iter().position(|known| *known == reason) {
            self.ended[i].fetch_add(1, Relaxed);
        }
    }

    /// Everything, in Prometheus' text format 0.0.4.
    pub(crate) fn text(&self, service: &dyn Service) -> String {
        let mut out = String::with_capacity(16 << 10);
        let status = service.status();
        let used = if status.kv_blocks == 0 {
            0.0
        } else {
            status.kv_blocks_used as f64 / status.kv_blocks as f64
        };
        let gauges = [
            (
                "vllm:num_requests_running",
                "Number of requests in model execution batches.",
                status.running as f64,
            ),
            (
                "vllm:num_requests_waiting",
                "Number of requests waiting to be processed.",
                status.waiting as f64,
            ),
            ("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", used),
        ];
        for (name, help, value) in gauges {
            self.single(&mut out, name, help, "gauge", value);
        }
        let counters = [
            ("vllm:prompt_tokens", "Number of prefill tokens processed.", status.prompt_tokens),
            (
                "vllm:generation_tokens",
                "Number of generation tokens processed.",
                status.generated_tokens,
            ),
            (
                "vllm:prefix_cache_queries",
                "Prefix cache queries, in terms of number of queried tokens.",
                status.prefix_queries,
            ),
            (
                "vllm:prefix_cache_hits",
                "Prefix cache hits, in terms of number of cached tokens.",
                status.prefix_hits,
            ),
            (
                "vllm:num_preemptions",
                "Cumulative number of preemption from the engine.",
                status.preemptions,
            ),
            ("vllm:spec_decode_num_draft_tokens", "Number of draft tokens.", status.drafted_tokens),
            (
                "vllm:spec_decode_num_accepted_tokens",
                "Number of accepted tokens.",
                status.accepted_tokens,
            ),
            ("pacemark:engine_steps", "Forward passes.", status.steps),
            (
                "pacemark:requests_refused",
                "Requests answered with 429.",
                self.refused.load(Relaxed),
            ),
        ];
        for (name, help, value) in counters {
            self.single(&mut out, &format!("{name}_total"), help, "counter", value as f64);
        }
        let name = "vllm:request_success_total";
        let _ = writeln!(
            out,
            "# HELP {name} Count of successfully processed requests.\n# TYPE {name} counter"
        );
        for (reason, count) in REASONS.iter().zip(&self.ended) {
            let count = count.load(Relaxed);
            let _ = writeln!(
                out,
                "{name}{{model_name=\"{}\",finished_reason=\"{reason}\"}} {count}",
                self.model
            );
        }
        for histogram in [&self.ttft, &self.itl, &self.e2e, &self.queue] {
            histogram.write(&mut out, &self.model);
        }
        if let Some(elsewhere) = service.elsewhere() {
            self.workers(&mut out, &elsewhere);
        }
        out
    }

    /// What workers on other machines were used for, until the last batch ended.
    fn workers(&self, out: &mut String, elsewhere: &Elsewhere) {
        type Of = fn(&WorkerUsage) -> Option<f64>;
        const COUNTERS: [(&str, &str, Of); 6] = [
            ("sent_bytes", "Bytes sent to the worker.", |w| Some(w.sent_bytes as f64)),
            ("received_bytes", "Bytes that the worker sent.", |w| Some(w.received_bytes as f64)),
            ("round_trips", "Commands that the worker answered.", |w| Some(w.round_trips as f64)),
            ("graphs", "Graphs that the worker was given.", |w| Some(w.graphs as f64)),
            ("turn_seconds", "Time in which the worker had its turn.", |w| {
                Some(w.turn_ns as f64 / 1e9)
            }),
            (
                "computing_seconds",
                "What of its turns the worker computed, by its own clock.",
                |w| w.computing_ns.map(|ns| ns as f64 / 1e9),
            ),
        ];
        for (name, help, of) in COUNTERS {
            let name = format!("pacemark:worker_{name}_total");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for worker in &elsewhere.usage.workers {
                // Of llama.cpp's own workers the computing is not known: no line, and not a zero.
                let Some(value) = of(worker) else { continue };
                let (model, endpoint) = (&self.model, escaped(&worker.endpoint.to_string()));
                let _ =
                    writeln!(out, "{name}{{model_name=\"{model}\",worker=\"{endpoint}\"}} {value}");
            }
        }
    }

    fn single(&self, out: &mut String, name: &str, help: &str, kind: &str, value: f64) {
        let model = &self.model;
        let _ = writeln!(
            out,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{model_name=\"{model}\"}} {value}"
        );
    }
}

/// A label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
