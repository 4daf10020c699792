//! What the record keeps of a row.

use super::Args;
use super::levels::{self, Level};
use super::options::Output;
use super::prompts;
use pacemark_load::prompt::{Cache, Verified};
use pacemark_load::{Bounds, Connections, Measured, Settings, Trust};
use pacemark_record::{Grades, LOAD_EXPERIMENT, Requests, Trial};
use serde_json::{Map, Value, json};

/// One row's circumstances.
pub(super) struct Row<'a> {
    pub args: &'a Args,
    pub settings: &'a Settings,
    pub level: Level,
    pub bounds: Bounds,
    pub nonce: u64,
    /// What is known of the lengths of its prompts.
    pub lengths: Verified,
    /// Entries of its file that hold nothing to send.
    pub skipped: u64,
    pub given_lengths: bool,
}

/// The trial, without what only its runner knows.
pub(super) fn trial(row: &Row<'_>, counted_by: &str, measured: Measured) -> Trial {
    let mut params = parameters(row);
    params.insert("prompt_tokens_by".into(), counted_by.into());
    let Measured { requests, cut_requests, unsent_requests, client, .. } = measured;
    // The server may have counted what we could not.
    let told = requests.iter().any(|request| request.prompt_usage.is_some());
    params.insert("prompt_tokens_exact".into(), (row.lengths.counted || told).into());
    params.insert("prompts_checked".into(), row.lengths.checked.into());
    params.insert("prompts_off".into(), row.lengths.wrong.into());
    Trial {
        experiment: LOAD_EXPERIMENT.to_owned(),
        params,
        repetitions: row.bounds.requests.unwrap_or(0) as usize,
        measured: pacemark_record::Measured::Requests(Requests {
            requests,
            cut_requests,
            unsent_requests,
            client: Some(client),
        }),
        ..Trial::default()
    }
}

fn parameters(row: &Row<'_>) -> Map<String, Value> {
    let Row { args, settings, .. } = row;
    let target = &settings.target;
    let mut params = Map::new();
    let mut set = |name: &str, value: Value| {
        params.insert(name.to_owned(), value);
    };
    set("url", target.url().into());
    if target.tls && settings.trust == Trust::Anybody {
        set("insecure", true.into());
    }
    set("model", settings.model.as_str().into());
    set("endpoint", settings.endpoint.name().into());
    set("stream", settings.stream.into());
    match row.level {
        Level::Streams(n) => set("concurrency", n.into()),
        // JSON has no word for an endless one.
        Level::Rate(f64::INFINITY) => set("rate", "inf".into()),
        Level::Rate(rate) => set("rate", rate.into()),
        Level::Ramp(ramp) => set("ramp", ramp.to_string().into()),
        Level::Trace => {
            set("trace", args.trace.as_ref().map(|path| path.display().to_string()).into())
        }
    }
    if !matches!(row.level, Level::Streams(_)) {
        set("max_in_flight", args.max_in_flight.unwrap_or(levels::MAX_IN_FLIGHT).into());
    }
    if row.level.has_arrivals() {
        set("arrival", args.arrival.unwrap_or(levels::ARRIVAL).to_string().into());
    }
    if let Some(requests) = row.bounds.requests {
        set("requests_wanted", requests.into());
    }
    if let Some(duration) = row.bounds.duration {
        set("duration_s", duration.as_secs_f64().into());
    }
    let file = args.dataset.as_ref().or(args.prompts.as_ref()).or(args.trace.as_ref());
    set("prompts", file.map_or("synthetic".to_owned(), |path| path.display().to_string()).into());
    if row.skipped > 0 {
        set("entries_skipped", row.skipped.into());
    }
    set("input_lengths", file.map_or(args.input_tokens.to_string(), |_| "file".to_owned()).into());
    let output = match args.output_tokens {
        Some(Output::Any) => "any".to_owned(),
        Some(Output::Exact(lengths)) => lengths.to_string(),
        None if file.is_none() => "64".to_owned(),
        None if row.given_lengths => "file".to_owned(),
        None => "any".to_owned(),
    };
    set("output_lengths", output.into());
    set("prompt_form", if args.prompt_ids { "ids" } else { "text" }.into());
    let cache = match prompts::cache(args) {
        Cache::Cold => "cold".to_owned(),
        Cache::Warm => "warm".to_owned(),
        Cache::Shared { prefix, groups } => format!("shared:{prefix} x{groups}"),
    };
    set("cache", cache.into());
    set("turns", args.turns.into());
    set(
        "connections",
        if settings.connections == Connections::Reuse { "reuse" } else { "fresh" }.into(),
    );
    set("seed", args.seed.into());
    set("nonce", row.nonce.into());
    set("generator", json!("splitmix64"));
    if !settings.extra_body.is_empty() {
        set("body", Value::Object(settings.extra_body.clone()));
    }
    if args.grades != Grades::default() {
        set("grades", args.grades.to_string().into());
    }
    if let Some(slo) = &args.slo {
        set("slo", slo.to_string().into());
    }
    params
}
