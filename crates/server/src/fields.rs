//! Fields of requests that other servers know and this one has no type for: what changes an answer
//! is refused by name, what does not is accepted.
//!
//! The rule: a field that only adds to a response, or says how a server is to work, is accepted,
//! and given where it can be. A field that changes an answer is implemented, which means that
//! `openai-api` has it, or refused here, since an answer that ignores it would be wrong. A name
//! that none of OpenAI's, vLLM's and llama-server's APIs knows is ignored. The test below holds
//! this against the lists of names of those APIs.

use crate::error::{ApiError, Result};
use serde_json::{Map, Value};

/// What a body is for. A field that one of these has may mean nothing, or something else, with
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// A chat.
    Chat,
    /// A text to go on from.
    Completion,
    /// Texts for vectors.
    Embedding,
    /// A text or a chat for its tokens, or tokens for their text.
    Tokens,
}

/// Names, beside each the values that ask for nothing.
type Fields = &'static [(&'static str, &'static [&'static str])];

impl Body {
    /// Fields that change an answer in this place, and are implemented in another or mean something
    /// there.
    fn misplaced(self) -> Fields {
        match self {
            Body::Chat => &[("prompt", &[]), ("suffix", &["\"\""])],
            Body::Completion => &[
                ("chat_template_kwargs", &["{}"]),
                ("messages", &["[]"]),
                ("tool_choice", &["\"none\"", "\"auto\""]),
                ("tools", &["[]"]),
            ],
            Body::Embedding => &[
                ("add_special_tokens", &["true"]),
                ("dimensions", &[]),
                ("messages", &["[]"]),
                ("normalize", &["true"]),
            ],
            Body::Tokens => &[("add_special", &["true"]), ("parse_special", &["true"])],
        }
    }
}

/// Fields that change an answer, whatever the body is for.
const REFUSED: Fields = &[
    ("adaptive_target", &["-1", "-1.0"]),
    ("allowed_token_ids", &["[]"]),
    ("audio", &[]),
    ("bad_words", &["[]"]),
    ("best_of", &["1"]),
    ("chat_format", &[]),
    ("chat_parser", &[]),
    ("chat_template", &[]),
    ("continue_final_message", &["false"]),
    ("custom_logit_processor", &[]),
    ("documents", &["[]"]),
    ("dry_multiplier", &["0", "0.0"]),
    ("dynatemp_range", &["0", "0.0"]),
    ("ebnf", &[]),
    ("echo", &["false"]),
    ("function_call", &["\"none\""]),
    ("functions", &["[]"]),
    ("generation_prompt", &["\"\""]),
    ("grammar_lazy", &["false"]),
    ("grammar_triggers", &["[]"]),
    ("include_reasoning", &["true"]),
    ("include_stop_str_in_output", &["false"]),
    ("kv_transfer_params", &["{}"]),
    ("length_penalty", &["1", "1.0"]),
    ("logits_processors", &["[]"]),
    ("lora", &["[]"]),
    ("lora_path", &[]),
    ("max_new_tokens", &[]),
    ("min_keep", &["0", "1"]),
    ("min_new_tokens", &["0"]),
    ("mirostat", &["0"]),
    ("mm_processor_kwargs", &["{}"]),
    ("modalities", &["[\"text\"]"]),
    ("multimodal_data", &["[]"]),
    ("n_indent", &["0"]),
    ("no_stop_trim", &["false"]),
    ("parse_tool_calls", &["true"]),
    ("post_sampling_probs", &["false"]),
    ("prediction", &[]),
    ("preserved_tokens", &["[]"]),
    ("prompt_embeds", &[]),
    ("reasoning_budget", &["-1"]),
    ("reasoning_budget_tokens", &["-1"]),
    ("reasoning_control", &["false"]),
    ("reasoning_effort", &["\"none\""]),
    ("reasoning_format", &["\"none\"", "\"auto\""]),
    ("regex", &[]),
    ("repetition_detection", &[]),
    ("response_fields", &["[]"]),
    (
        "samplers",
        &[
            r#"["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"]"#,
            r#"["dry","top_k","typ_p","top_p","min_p","xtc","temperature"]"#,
            "\"edskypmxt\"",
        ],
    ),
    ("skip_special_tokens", &["true"]),
    ("spaces_between_special_tokens", &["true"]),
    ("stop_regex", &[]),
    ("structural_tag", &[]),
    ("suffix", &["\"\""]),
    ("t_max_predict_ms", &["0", "-1"]),
    ("thinking_budget_tokens", &["-1"]),
    ("thinking_forced_open", &["false"]),
    ("thinking_token_budget", &[]),
    ("truncate_prompt_tokens", &[]),
    ("truncation", &["false", "\"disabled\""]),
    ("use_beam_search", &["false"]),
    ("verbosity", &["\"medium\""]),
    ("vllm_xargs", &["{}"]),
    ("web_search_options", &[]),
];

/// Fields that leave an answer as it is and are not followed: they would add to the response or
/// tell the server how to work. Those that are given have a type in `openai-api`.
#[cfg(test)]
const ACCEPTED: &[&str] = &[
    "adaptive_decay",
    "add_generation_prompt",
    "backend_sampling",
    "cache_salt",
    "dry_allowed_length",
    "dry_base",
    "dry_penalty_last_n",
    "dry_sequence_breakers",
    "dynatemp_exponent",
    "guided_decoding_backend",
    "id_slot",
    "logprob_token_ids",
    "metadata",
    "mirostat_eta",
    "mirostat_tau",
    "n_cache_reuse",
    "n_discard",
    "n_keep",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "prompt_logprobs",
    "reasoning_budget_end_tag",
    "reasoning_budget_end_tags",
    "reasoning_budget_message",
    "reasoning_budget_start_tag",
    "request_id",
    "return_progress",
    "return_tokens",
    "safety_identifier",
    "service_tier",
    "sse_ping_interval",
    "store",
    "t_max_prompt_ms",
    "top_logprobs",
    "verbose",
];

/// Refuses what changes an answer and is not implemented for such a body.
pub(crate) fn refuse_unsupported(body: Body, extra: &Map<String, Value>) -> Result<()> {
    for (name, harmless) in body.misplaced().iter().chain(REFUSED) {
        if let Some(value) = extra.get(*name)
            && !value.is_null()
            && !harmless.iter().any(|text| {
                serde_json::from_str::<Value>(text).is_ok_and(|harmless| harmless == *value)
            })
        {
            return Err(ApiError::unsupported(
                *name,
                format!("{name}: this server does not support it"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_openai_api::{ChatRequest, CompletionRequest, EmbeddingRequest, TokenizeRequest};
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn a_field_is_refused_unless_it_asks_for_nothing() {
        for body in [Body::Chat, Body::Completion, Body::Embedding, Body::Tokens] {
            for (name, harmless) in body.misplaced().iter().chain(REFUSED) {
                let with = |value: Value| Map::from_iter([(name.to_string(), value)]);
                let error = refuse_unsupported(body, &with(json!({"a": 1}))).unwrap_err();
                assert_eq!(error.param.as_deref(), Some(*name));
                refuse_unsupported(body, &with(Value::Null)).unwrap();
                for text in *harmless {
                    refuse_unsupported(body, &with(serde_json::from_str(text).unwrap())).unwrap();
                }
            }
        }
    }

    /// Whether the type of the request knows the name: what is sent under one that it knows does
    /// not arrive in `extra`.
    fn typed(body: Body, name: &str) -> bool {
        let mut text = json!({"messages": [], "prompt": "", "input": ""});
        text[name] = Value::Null;
        // What cannot be read with a null in this place must have a type that has none.
        let extra = match body {
            Body::Chat => serde_json::from_value(text).map(|read: ChatRequest| read.extra),
            Body::Completion => {
                serde_json::from_value(text).map(|read: CompletionRequest| read.extra)
            }
            Body::Embedding => {
                serde_json::from_value(text).map(|read: EmbeddingRequest| read.extra)
            }
            Body::Tokens => serde_json::from_value(text).map(|read: TokenizeRequest| read.extra),
        };
        extra.map_or(true, |extra| !extra.contains_key(name))
    }

    /// The lists are what the servers' own sources and documents name.
    #[test]
    fn every_known_name_is_implemented_refused_or_accepted() {
        let names =
            include_str!("../tests/data/fields.txt").lines().filter(|line| !line.starts_with('#'));
        let accepted: BTreeSet<&str> = ACCEPTED.iter().copied().collect();
        for name in names.flat_map(str::split_whitespace) {
            for body in [Body::Chat, Body::Completion] {
                let refused =
                    body.misplaced().iter().chain(REFUSED).any(|(refused, _)| *refused == name);
                let places = [typed(body, name), refused, accepted.contains(name)];
                // What is accepted in one place may be implemented in another.
                let fine = matches!(
                    places,
                    [true, false, _] | [false, true, false] | [false, false, true]
                );
                assert!(fine, "{body:?}, {name}: implemented, refused, accepted: {places:?}");
            }
        }
        assert!(!ACCEPTED.iter().any(|name| typed(Body::Embedding, name)));
    }
}
