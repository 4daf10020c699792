//! `results.json`: the study in the schema of the script that it takes the place of, with its keys
//! and units (seconds, tokens a second, GB of 2^30 bytes, accuracy as a share) and ours beside.

use super::figures::METRICS;
use super::page::{name, notes};
use super::study::METHOD;
use pacemark_record::{Figure, Run, ScoredText, Texts, Trial};
use serde_json::{Map, Value, json};

/// What the figures are.
const DEFINITIONS: &[(&str, &str)] = &[
    ("ttft", "seconds until the prompt is computed and the first token known"),
    ("tpot", "seconds a token after the first"),
    ("throughput", "generated tokens over the time of prompt and generation, a second"),
    ("perplexity", "of the sample's tokens, one sequence; aggregated over all tokens together"),
    ("peak_vram_gb", "of a device; null where none computes"),
    ("peak_rss_gb", "most memory of the process while it generated, the model's included"),
    ("cache_size", "tokens kept at the end, the mean over layers and KV heads"),
    ("cache_size_max", "the same in the layer that keeps most"),
    ("kv_bytes_allocated", "bytes of the pages of keys and values, over all layers"),
    ("kv_bytes_resident", "bytes of the keys and values in them"),
];

/// Keys of the figures and what they are in our units, and by what to multiply those.
const FIGURES: &[(&str, &str, f64)] = &[
    ("ttft", "ttft_s", 1.0),
    ("tpot", "tpot_s", 1.0),
    ("throughput", "throughput_ts", 1.0),
    ("perplexity", "ppl", 1.0),
    ("accuracy", "accuracy", 1.0),
    ("peak_rss_gb", "peak_rss_bytes", GB),
    ("cache_size", "cache_mean", 1.0),
    ("cache_size_max", "cache_max", 1.0),
    ("kv_bytes_allocated", "kv_bytes_allocated", 1.0),
    ("kv_bytes_resident", "kv_bytes_resident", 1.0),
];

const GB: f64 = 1.0 / (1u64 << 30) as f64;

/// The document; `config` is what was asked for.
pub fn results(run: &Run, mut config: Map<String, Value>) -> Value {
    let methods: Vec<Value> = run.trials.iter().map(|trial| json!(trial.params)).collect();
    let definitions: Map<String, Value> =
        DEFINITIONS.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect();
    config.insert("methods".to_owned(), json!(methods));
    config.insert("definitions".to_owned(), definitions.into());
    config.insert("notes".to_owned(), json!(notes(run)));
    let raw: Vec<Value> = run.trials.iter().flat_map(raw).collect();
    let aggregated: Map<String, Value> =
        run.trials.iter().map(|trial| (name(trial).to_owned(), statistics(trial).into())).collect();
    let baseline =
        run.trials.iter().find(|trial| trial.params.get(METHOD) == Some(&json!("baseline")));
    let of_baseline = |key: &str| {
        let value = baseline.and_then(|trial| statistics(trial).remove(key));
        (key.to_owned(), value.unwrap_or_default())
    };
    let baseline: Map<String, Value> =
        ["perplexity", "accuracy", "throughput", "tpot"].into_iter().map(of_baseline).collect();
    json!({
        "config": config,
        "raw_results": raw,
        "aggregated_stats": aggregated,
        "baseline_stats": baseline,
    })
}

/// An object for each continuation, with the scores of its sample.
fn raw(trial: &Trial) -> Vec<Value> {
    let Some(Texts { texts }) = trial.texts() else { return Vec::new() };
    let scored = |index: u64| texts.iter().find(|text| text.index == index && text.ppl().is_some());
    let repetition = |at: usize| texts[..at].iter().filter(|t| t.index == texts[at].index).count();
    let object = |(at, text): (usize, &ScoredText)| {
        let continued = text.continued.as_ref()?;
        let held = continued.held.as_ref();
        let gb = |bytes: u64| bytes as f64 * GB;
        Some(json!({
            "method": name(trial),
            "sample": text.index,
            "repetition": repetition(at),
            "ttft": continued.ttft_s(),
            "tpot": continued.tpot_s(),
            "throughput": continued.throughput_ts(),
            "perplexity": scored(text.index).and_then(ScoredText::ppl),
            "accuracy": scored(text.index).and_then(ScoredText::accuracy),
            "peak_vram_gb": null,
            "peak_rss_gb": continued.peak_rss_bytes.map(gb),
            "final_cache_size": held.map(|held| held.mean_tokens()),
            "cache_size_max": held.map(|held| held.most_tokens),
            "kv_bytes_allocated": held.map(|held| held.page_bytes),
            "kv_bytes_resident": held.map(|held| held.resident_bytes),
        }))
    };
    texts.iter().enumerate().filter_map(object).collect()
}

/// Each figure under its key, then where it lies.
fn statistics(trial: &Trial) -> Map<String, Value> {
    let figures: Vec<(&str, Figure, f64)> = FIGURES
        .iter()
        .filter_map(|(key, column, scale)| {
            let metric = METRICS.iter().find(|metric| metric.name() == *column)?;
            Some((*key, metric.of(trial), *scale))
        })
        .collect();
    let mut object = Map::new();
    for (key, figure, scale) in &figures {
        object.insert((*key).to_owned(), json!(figure.value.map(|value| value * scale)));
        if *key == "accuracy" {
            object.insert("peak_vram_gb".to_owned(), Value::Null);
        }
    }
    for (key, figure, scale) in &figures {
        if let Some(interval) = figure.interval {
            object.insert(format!("{key}_ci95_low"), json!(interval.low * scale));
            object.insert(format!("{key}_ci95_high"), json!(interval.high * scale));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::testing::trials;
    use super::*;

    #[test]
    fn the_schema_has_its_keys_and_units() {
        let run = Run { trials: trials(), ..Run::default() };
        let config = json!({ "method": "streaming_llm" });
        let results = results(&run, config.as_object().unwrap().clone());
        let raw = &results["raw_results"];
        assert_eq!(raw.as_array().unwrap().len(), 9, "three continuations of three methods");
        let tpot = raw[0]["tpot"].as_f64().unwrap();
        assert!(raw[0]["ttft"] == json!(0.5) && (tpot - 0.01).abs() < 1e-9, "{}", raw[0]);
        assert_eq!(raw[2]["perplexity"], raw[0]["perplexity"], "a repetition is of a scored text");
        assert_eq!((&raw[2]["sample"], &raw[2]["repetition"]), (&json!(0), &json!(1)));
        assert_eq!((&raw[0]["peak_vram_gb"], &raw[0]["peak_rss_gb"]), (&Value::Null, &json!(0.25)));
        let baseline = &results["aggregated_stats"]["baseline"];
        for key in ["perplexity", "accuracy", "throughput", "tpot"] {
            assert_eq!(results["baseline_stats"][key], baseline[key]);
            assert!(baseline[key].is_f64(), "{key}: {baseline}");
        }
        assert_eq!(baseline["cache_size"], json!(600.0));
        assert_eq!(results["aggregated_stats"]["snapkv_128"]["perplexity"], Value::Null);
        assert_eq!(results["config"]["method"], "streaming_llm");
    }

    #[test]
    fn every_key_has_a_figure() {
        for (key, column, _) in FIGURES {
            assert!(METRICS.iter().any(|metric| metric.name() == *column), "{key}: {column}");
        }
    }
}
