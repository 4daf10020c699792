//! What the record keeps of a row's circumstances.

use super::{ARRIVAL, Answers, Level, LoadPlan, MAX_IN_FLIGHT, Origin};
use crate::prompt::Cache;
use crate::{Bounds, Connections, Target, Trust};
use pacemark_record::Grades;
use serde_json::{Map, Value, json};

impl LoadPlan {
    /// The parameters of a row, in the order of its record.
    pub(super) fn params(
        &self,
        level: Level,
        bounds: Bounds,
        given_lengths: bool,
    ) -> Map<String, Value> {
        let mut params = self.server_params();
        params.extend(self.level_params(level, bounds));
        params.extend(self.prompt_params(given_lengths));
        let settings = &self.settings;
        let mut set = |name: &str, value: Value| {
            params.insert(name.to_owned(), value);
        };
        let reused = settings.connections == Connections::Reuse;
        set("connections", if reused { "reuse" } else { "fresh" }.into());
        set("seed", self.prompts.seed.into());
        set("nonce", self.nonce.into());
        set("generator", json!("splitmix64"));
        if self.share.of > 1 {
            set("share", format!("{}/{}", self.share.index + 1, self.share.of).into());
        }
        if !settings.extra_body.is_empty() {
            set("body", Value::Object(settings.extra_body.clone()));
        }
        if self.grades != Grades::default() {
            set("grades", self.grades.to_string().into());
        }
        if let Some(slo) = &self.slo {
            set("slo", slo.to_string().into());
        }
        params
    }

    /// Sessions in flight at once, of this share.
    pub(super) fn most_in_flight(&self) -> usize {
        let all = self.max_in_flight.unwrap_or(MAX_IN_FLIGHT);
        (self.share.part(all as u64) as usize).max(1)
    }

    fn server_params(&self) -> Map<String, Value> {
        let settings = &self.settings;
        let urls: Vec<String> = settings.targets().map(Target::url).collect();
        let mut params = Map::from_iter([("url".to_owned(), urls.join(", ").into())]);
        if settings.targets().any(|target| target.tls) && settings.trust == Trust::Anybody {
            params.insert("insecure".into(), true.into());
        }
        params.insert("model".into(), settings.model.as_str().into());
        params.insert("endpoint".into(), settings.endpoint.name().into());
        params.insert("stream".into(), settings.stream.into());
        params
    }

    fn level_params(&self, level: Level, bounds: Bounds) -> Map<String, Value> {
        let mut params = Map::new();
        let mut set = |name: &str, value: Value| {
            params.insert(name.to_owned(), value);
        };
        match level.param() {
            Some((name, value)) => set(name, value),
            None => set("trace", self.prompts.origin.file().into()),
        }
        if !matches!(level, Level::Streams(_)) {
            set("max_in_flight", self.most_in_flight().into());
        }
        if level.has_arrivals() {
            set("arrival", self.arrival.unwrap_or(ARRIVAL).to_string().into());
        }
        if let Some(requests) = bounds.requests {
            set("requests_wanted", requests.into());
        }
        if let Some(duration) = bounds.duration {
            set("duration_s", duration.as_secs_f64().into());
        }
        if let Some(until) = bounds.until {
            set("until", until.relative.into());
            set("max_time_s", until.max_time.as_secs_f64().into());
        }
        params
    }

    fn prompt_params(&self, given_lengths: bool) -> Map<String, Value> {
        let prompts = &self.prompts;
        let mut params = Map::new();
        let mut set = |name: &str, value: Value| {
            params.insert(name.to_owned(), value);
        };
        let made_up = matches!(prompts.origin, Origin::Synthetic);
        set("prompts", prompts.origin.file().unwrap_or("synthetic").into());
        if prompts.skipped() > 0 {
            set("entries_skipped", prompts.skipped().into());
        }
        let input = if made_up { prompts.input.to_string() } else { "file".to_owned() };
        set("input_lengths", input.into());
        let output = match prompts.answers {
            Some(Answers::Any) => "any".to_owned(),
            Some(Answers::Exact(lengths)) => lengths.to_string(),
            None if made_up => "64".to_owned(),
            None if given_lengths => "file".to_owned(),
            None => "any".to_owned(),
        };
        set("output_lengths", output.into());
        set("prompt_form", if prompts.ids { "ids" } else { "text" }.into());
        let cache = match prompts.cache {
            Cache::Cold => "cold".to_owned(),
            Cache::Warm => "warm".to_owned(),
            Cache::Shared { prefix, groups } => format!("shared:{prefix} x{groups}"),
        };
        set("cache", cache.into());
        set("turns", prompts.turns.into());
        params
    }
}
