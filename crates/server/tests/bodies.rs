//! Any JSON with fields that mean something, and any bytes, are answered or refused, never a fault.

mod inputs;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Names that the routes know.
const FIELDS: &[&str] = &[
    "model",
    "messages",
    "prompt",
    "input",
    "tokens",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stream",
    "stream_options",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "seed",
    "user",
    "top_k",
    "min_p",
    "repetition_penalty",
    "ignore_eos",
    "min_tokens",
    "stop_token_ids",
    "response_format",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "priority",
    "kv",
    "timings",
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "chat_template_kwargs",
    "add_generation_prompt",
    "add_special_tokens",
    "encoding_format",
    "pooling",
    "return_token_strs",
    "echo",
    "best_of",
    "dimensions",
];

/// Values that are right somewhere.
fn apt() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("a"),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(true),
        json!(null),
        json!(""),
        json!("auto"),
        json!("required"),
        json!([1, 2]),
        json!(["a", "b"]),
        json!([[1], [2]]),
        json!({}),
        json!({"1": 0.5}),
        json!(1e308),
        json!(u64::MAX),
        json!([{"role": "user", "content": "a"}]),
        json!([{"role": "assistant", "content": [{"type": "text", "text": "é"}]}]),
        json!([{"type": "function", "function": {"name": "f"}}]),
        json!({"type": "function", "function": {"name": "f"}}),
        json!({"type": "json_object"}),
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}),
        json!({"include_usage": true}),
        json!({"regex": "a+"}),
        json!("base64"),
        json!("last"),
    ])
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        apt(),
        any::<f64>().prop_map(|x| json!(x)),
        any::<i64>().prop_map(|x| json!(x)),
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..4)
                .prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

fn bodies() -> impl Strategy<Value = Value> {
    let field = (prop::sample::select(FIELDS), prop_oneof![3 => apt(), 1 => any_json()]);
    let needed = prop::sample::select(vec![
        json!({"prompt": "a", "messages": [{"role": "user", "content": "a"}], "input": "a", "tokens": [1]}),
        json!({"prompt": "a", "input": ["a"], "tokens": []}),
        json!({"messages": [{"role": "user", "content": "a"}]}),
        json!({}),
    ]);
    (needed, prop::collection::vec(field, 0..6)).prop_map(|(mut body, fields)| {
        fields.into_iter().for_each(|(name, value)| body[name] = value);
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn json_is_never_a_fault(body in bodies()) {
        inputs::body(body.to_string().as_bytes());
    }

    #[test]
    fn bytes_are_never_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        inputs::body(&bytes);
    }
}

#[test]
fn seeds_of_the_fuzz_target_cut_anywhere() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/request");
    let mut n_seeds = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        let bytes = std::fs::read(seed.unwrap().path()).unwrap();
        (0..=bytes.len()).for_each(|end| inputs::body(&bytes[..end]));
        n_seeds += 1;
    }
    assert!(n_seeds >= 4, "only {n_seeds} seeds");
}

#[test]
fn no_refusal_repeats_a_long_string() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/request");
    let mut n = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read_to_string(seed.unwrap().path()).unwrap();
        n += pacemark_testmodel::long::each(&seed, &mut |text| inputs::body(text.as_bytes()));
    }
    assert!(n > 50, "{n}");
}
