//! Log-probabilities of a prompt, by `echo` or by vLLM's `prompt_logprobs`.

use super::dialect::{Dialect, ScoreBy};
use super::link::Link;
use super::words;
use crate::logprob::credible;
use pacemark_backend::{BackendError, TextScores, TokenId};
use serde_json::Value;

/// Of `ids[1..]`, each given those before it, and whether it was the most likely.
pub(super) fn ask(
    link: &Link,
    by: ScoreBy,
    model: &str,
    ids: &[TokenId],
) -> Result<TextScores, BackendError> {
    let path = link.completions();
    let whole = link.ask(&path, &Dialect::score_body(by, model, ids))?;
    if whole.status != 200 {
        return Err(link.refusal(&path, &whole));
    }
    let found = read(by, &whole.bytes, ids).filter(|found| found.logprobs.len() + 1 == ids.len());
    found.ok_or_else(|| {
        let (url, n) = (link.url(&path), ids.len().saturating_sub(1));
        let found = words::excerpt_of(&whole.bytes);
        BackendError::Engine(format!("{url}: expected {n} log-probabilities, found: {found}"))
    })
}

fn read(by: ScoreBy, bytes: &[u8], ids: &[TokenId]) -> Option<TextScores> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let choice = value.pointer("/choices/0")?;
    let mut scores = TextScores::default();
    for (i, id) in ids.iter().enumerate().skip(1) {
        let (logprob, hit) = match by {
            ScoreBy::Echo { .. } => echoed(choice.get("logprobs")?, i)?,
            ScoreBy::PromptLogprobs => {
                let of = choice.get("prompt_logprobs")?.get(i)?.get(id.to_string())?;
                (of.get("logprob")?.as_f64()?, of.get("rank")?.as_u64()? == 1)
            }
        };
        scores.logprobs.push(credible(logprob).ok()?);
        scores.hits.push(hit);
    }
    Some(scores)
}

/// In OpenAI's arrays: a hit is as likely as the best alternative.
fn echoed(of: &Value, i: usize) -> Option<(f64, bool)> {
    let own = of.get("token_logprobs")?.get(i)?.as_f64()?;
    let top = of.get("top_logprobs")?.get(i)?.as_object()?;
    let best = top.values().filter_map(Value::as_f64).fold(f64::NEG_INFINITY, f64::max);
    Some((own, own >= best))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes() {
        let echo = br#"{"choices":[{"logprobs":{"token_logprobs":[null,-1.0,-2.0],
            "top_logprobs":[null,{"a":-0.5},{"b":-2.0}]}}]}"#;
        let found = read(ScoreBy::Echo { max_tokens: 0 }, echo, &[1, 2, 3]).unwrap();
        assert_eq!((found.logprobs, found.hits), (vec![-1.0, -2.0], vec![false, true]));
        let prompt = br#"{"choices":[{"prompt_logprobs":[null,{"2":{"logprob":-1.5,"rank":1}},
            {"9":{"logprob":-0.1,"rank":1},"3":{"logprob":-3.0,"rank":4}}]}]}"#;
        let found = read(ScoreBy::PromptLogprobs, prompt, &[1, 2, 3]).unwrap();
        assert_eq!((found.logprobs, found.hits), (vec![-1.5, -3.0], vec![true, false]));
        assert!(read(ScoreBy::PromptLogprobs, echo, &[1, 2]).is_none());
    }
}
