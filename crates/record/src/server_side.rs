//! What servers count of themselves while a load runs (`/metrics`), raw, and the names under which
//! each of them tells the same things: one table, a line for each thing. Reading it from a server is
//! left to `load`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is made of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownKind {
    /// How much there is: mean and most of the readings.
    Gauge,
    /// The same of a share, 0 to 1.
    Share,
    /// What only grows: the last reading less the first.
    Counter,
    /// Seconds of a histogram: what its sum grew by over what its count did.
    Mean,
}

/// Something that servers tell, and its name at each.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What it is.
    pub figure: &'static str,
    /// What is made of it.
    pub kind: KnownKind,
    /// Its names in Prometheus' format, without labels; of a mean without `_sum` and `_count`. The
    /// first that a server has is taken.
    pub names: &'static [&'static str],
}

const fn known(figure: &'static str, kind: KnownKind, names: &'static [&'static str]) -> Known {
    Known { figure, kind, names }
}

/// What vLLM (and `pacemark serve`, which has its names), SGLang, TGI and llama-server tell.
#[rustfmt::skip]
pub const SERVER_METRICS: &[Known] = &[
    known("running", KnownKind::Gauge, &["vllm:num_requests_running", "sglang:num_running_reqs", "tgi_batch_current_size", "llamacpp:requests_processing"]),
    known("waiting", KnownKind::Gauge, &["vllm:num_requests_waiting", "sglang:num_queue_reqs", "tgi_queue_size", "llamacpp:requests_deferred"]),
    known("kv use", KnownKind::Share, &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage", "llamacpp:kv_cache_usage_ratio"]),
    known("prompt tokens", KnownKind::Counter, &["vllm:prompt_tokens_total", "sglang:prompt_tokens_total", "tgi_request_input_length_sum", "llamacpp:prompt_tokens_total"]),
    known("generated tokens", KnownKind::Counter, &["vllm:generation_tokens_total", "sglang:generation_tokens_total", "tgi_request_generated_tokens_sum", "llamacpp:tokens_predicted_total"]),
    known("cached tokens", KnownKind::Counter, &["vllm:prefix_cache_hits_total", "sglang:cached_tokens_total"]),
    known("preemptions", KnownKind::Counter, &["vllm:num_preemptions_total"]),
    known("ttft", KnownKind::Mean, &["vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds"]),
    known("queue", KnownKind::Mean, &["vllm:request_queue_time_seconds", "sglang:queue_time_seconds", "tgi_request_queue_duration"]),
    known("e2e", KnownKind::Mean, &["vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds", "tgi_request_duration"]),
];

/// One server's account of a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerSide {
    /// The server, as the record names it.
    pub url: String,
    /// Why there is nothing, or nothing after some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// What was read, in order: before the row, once a second, and after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scrapes: Vec<Scrape>,
}

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scrape {
    /// When it had come, nanoseconds since the trial began; before that, negative.
    pub at_ns: i64,
    /// Values of the names in [`SERVER_METRICS`], summed over labels; shares are their mean.
    pub values: BTreeMap<String, f64>,
}

/// What readings come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ServerFigure {
    /// Mean and most.
    Level {
        /// Mean of the readings within the row.
        mean: f64,
        /// The highest of them.
        most: f64,
    },
    /// So many more.
    Grew(f64),
    /// Mean in seconds, of so many.
    Mean {
        /// Seconds.
        seconds: f64,
        /// Of so many.
        count: f64,
    },
}

impl ServerSide {
    /// The same with its readings so much later.
    pub(crate) fn later(&self, shift: u64) -> ServerSide {
        let shift = i64::try_from(shift).unwrap_or(i64::MAX);
        let at = |scrape: &Scrape| Scrape {
            at_ns: scrape.at_ns.saturating_add(shift),
            values: scrape.values.clone(),
        };
        ServerSide { scrapes: self.scrapes.iter().map(at).collect(), ..self.clone() }
    }

    /// What the server tells of it; [`None`] where it does not.
    pub fn figure(&self, known: &Known) -> Option<ServerFigure> {
        known.names.iter().find_map(|name| match known.kind {
            KnownKind::Gauge | KnownKind::Share => {
                // Before it began, and at its end, there is nothing of the row at the server.
                let last = self.scrapes.len().saturating_sub(1);
                let within = self.scrapes[..last].iter().filter(|scrape| scrape.at_ns >= 0);
                let values: Vec<f64> =
                    within.filter_map(|scrape| scrape.values.get(*name)).copied().collect();
                // One reading alone may be from before the first request.
                if values.len() < 2 {
                    return None;
                }
                let most = values.iter().copied().reduce(f64::max)?;
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                Some(ServerFigure::Level { mean, most })
            }
            KnownKind::Counter => self.growth(name).map(ServerFigure::Grew),
            KnownKind::Mean => {
                let sum = self.growth(&format!("{name}_sum"))?;
                let count = self.growth(&format!("{name}_count")).filter(|count| *count > 0.0)?;
                Some(ServerFigure::Mean { seconds: sum / count, count })
            }
        })
    }

    /// From the last reading before the row to the last of all. A counter that fell belongs to a
    /// server that began anew: there is no growth of it.
    fn growth(&self, name: &str) -> Option<f64> {
        let before = self.scrapes.iter().take_while(|scrape| scrape.at_ns < 0).count();
        let of_row = &self.scrapes[before.saturating_sub(1)..];
        let mut values = of_row.iter().filter_map(|scrape| scrape.values.get(name));
        let (first, last) = (values.next()?, values.next_back()?);
        Some(last - first).filter(|growth| *growth >= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(values: &[&[(&str, f64)]]) -> ServerSide {
        let scrape = |(i, of): (usize, &&[(&str, f64)])| Scrape {
            at_ns: i as i64 - 1,
            values: of.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        };
        ServerSide {
            scrapes: values.iter().enumerate().map(scrape).collect(),
            ..ServerSide::default()
        }
    }

    fn found(side: &ServerSide, figure: &str) -> Option<ServerFigure> {
        side.figure(SERVER_METRICS.iter().find(|known| known.figure == figure).unwrap())
    }

    #[test]
    fn figures_by_hand() {
        let (run, sum, count) = (
            "vllm:num_requests_running",
            "vllm:time_to_first_token_seconds_sum",
            "vllm:time_to_first_token_seconds_count",
        );
        let of = side(&[
            &[(run, 0.0), (sum, 1.0), (count, 10.0), ("llamacpp:prompt_tokens_total", 5.0)],
            &[(run, 4.0)],
            &[(run, 2.0)],
            &[(run, 0.0), (sum, 3.0), (count, 14.0), ("llamacpp:prompt_tokens_total", 105.0)],
        ]);
        assert_eq!(found(&of, "running"), Some(ServerFigure::Level { mean: 3.0, most: 4.0 }));
        assert_eq!(found(&of, "ttft"), Some(ServerFigure::Mean { seconds: 0.5, count: 4.0 }));
        assert_eq!(found(&of, "prompt tokens"), Some(ServerFigure::Grew(100.0)));
        assert_eq!(found(&of, "waiting"), None);
        // What comes before the row is not of it.
        let mut waited = of.clone();
        waited.scrapes.insert(
            0,
            Scrape { at_ns: -9, values: [(run.to_owned(), 9.0), (count.to_owned(), 1.0)].into() },
        );
        assert_eq!(found(&waited, "running"), found(&of, "running"));
        assert_eq!(found(&waited, "ttft"), found(&of, "ttft"));
        // A row that is over before a second is has two readings, of an idle server.
        assert_eq!(found(&side(&[&[(run, 0.0)], &[(run, 0.0)]]), "running"), None);
        // Nothing was counted, one reading, or a server that began anew.
        assert_eq!(
            found(&side(&[&[(sum, 1.0), (count, 1.0)], &[(sum, 1.0), (count, 1.0)]]), "ttft"),
            None
        );
        assert_eq!(found(&side(&[&[(sum, 1.0), (count, 1.0)]]), "ttft"), None);
        let again =
            side(&[&[("sglang:prompt_tokens_total", 9.0)], &[("sglang:prompt_tokens_total", 1.0)]]);
        assert_eq!(found(&again, "prompt tokens"), None);
    }

    #[test]
    fn no_name_is_there_twice() {
        let mut names: Vec<&str> =
            SERVER_METRICS.iter().flat_map(|known| known.names).copied().collect();
        let n = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n);
    }
}
