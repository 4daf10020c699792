//! Prometheus' text format (0.0.4), as far as the names that are known: `name{labels} value [time]`
//! a line. What is no such line says nothing and is passed over.

use pacemark_record::{KnownKind, SERVER_METRICS};
use std::collections::{BTreeMap, HashMap};

/// What `/metrics` of a server says of the names in [`SERVER_METRICS`]: summed over their labels, shares
/// averaged.
pub fn values(text: &str) -> BTreeMap<String, f64> {
    let mut wanted: HashMap<String, KnownKind> = HashMap::new();
    for known in SERVER_METRICS {
        for name in known.names {
            if known.kind == KnownKind::Mean {
                wanted.insert(format!("{name}_sum"), known.kind);
                wanted.insert(format!("{name}_count"), known.kind);
            } else {
                wanted.insert((*name).to_owned(), known.kind);
            }
        }
    }
    let mut found: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for line in text.lines() {
        let Some((name, value)) = sample(line) else { continue };
        if wanted.contains_key(name) {
            let (sum, n) = found.entry(name.to_owned()).or_insert((0.0, 0.0));
            (*sum, *n) = (*sum + value, *n + 1.0);
        }
    }
    let value = |(name, (sum, n)): (String, (f64, f64))| {
        let value = if wanted[&name] == KnownKind::Share { sum / n } else { sum };
        (name, value)
    };
    found.into_iter().map(value).filter(|(_, value)| value.is_finite()).collect()
}

/// Name and value of a line. Labels may hold anything, braces and blanks within quotes too.
fn sample(line: &str) -> Option<(&str, f64)> {
    let line = line.trim();
    let end = line.find(['{', ' ', '\t'])?;
    let (name, rest) = line.split_at(end);
    let rest = if rest.starts_with('{') { after_labels(rest)? } else { rest };
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (!name.starts_with('#') && value.is_finite()).then_some((name, value))
}

/// What follows the brace that ends the labels.
fn after_labels(text: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return text.get(i + 1..),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_servers_and_junk() {
        let text = "# HELP vllm:num_requests_running Number.\n# TYPE vllm:num_requests_running gauge\n\
            vllm:num_requests_running{engine=\"0\",model=\"a } b \\\" c\"} 3.0\n\
            vllm:num_requests_running{engine=\"1\"} 1 1700000000000\n\
            vllm:kv_cache_usage_perc{engine=\"0\"} 0.5\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.25\r\n\
            vllm:time_to_first_token_seconds_bucket{le=\"+Inf\"} 9\nvllm:time_to_first_token_seconds_sum 4.5e0\n\
            llamacpp:requests_processing NaN\ntgi_queue_size +Inf\nsglang:num_queue_reqs\nsglang:token_usage{ 1\n\
            unknown 7\n{} 1\n\u{0} 2\nsglang:num_running_reqs abc\n";
        let found: Vec<(String, f64)> = values(text).into_iter().collect();
        let expected = [
            ("vllm:kv_cache_usage_perc", 0.375),
            ("vllm:num_requests_running", 4.0),
            ("vllm:time_to_first_token_seconds_sum", 4.5),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
        assert!(values("").is_empty());
        // Sums that are no number are none.
        let huge = "tgi_queue_size 1.7e308\n".repeat(3);
        assert!(values(&huge).is_empty());
    }
}
