//! No error about a model, its vocabulary or its template repeats more than a bounded piece of what
//! it is about.

#[allow(dead_code, reason = "other inputs are of other tests")]
mod inputs;

use pacemark_testmodel::long;
use pacemark_tokenizer::{ChatTemplate, Message, RenderOptions};
use std::path::Path;

fn seeds(name: &str) -> impl Iterator<Item = String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    std::fs::read_dir(directory)
        .unwrap()
        .map(|seed| std::fs::read_to_string(seed.unwrap().path()).unwrap())
}

/// The lengths of messages are checked where the inputs are.
#[test]
fn of_config_json() {
    for seed in seeds("config") {
        let n = long::each(&seed, &mut |text| {
            let opened = inputs::directory::config_json(text.as_bytes());
            opened
                .iter()
                .flat_map(|model| model.warnings())
                .for_each(|warning| assert!(warning.len() < 4000));
        });
        assert!(n > 20, "{n}");
    }
}

#[test]
fn of_tokenizer_json() {
    for seed in seeds("tokenizer_json") {
        assert!(
            long::each(&seed, &mut |text| inputs::directory::tokenizer_json(text.as_bytes())) > 20
        );
    }
}

#[test]
fn of_the_files_beside_them() {
    let token = r#"{"content": "<s>", "lstrip": false, "normalized": false, "special": true}"#;
    for (file, seed) in [
        (
            "tokenizer_config.json",
            format!(
                r#"{{"bos_token": {token}, "eos_token": "</s>", "add_bos_token": true, "chat_template": [{{"name": "default", "template": "x"}}], "added_tokens_decoder": {{"1": {token}}}, "tokenizer_class": "LlamaTokenizer", "legacy": false}}"#
            ),
        ),
        ("generation_config.json", r#"{"eos_token_id": [1, 2], "bos_token_id": 1}"#.into()),
        ("special_tokens_map.json", format!(r#"{{"bos_token": {token}, "additional_special_tokens": ["<s>"]}}"#)),
        ("added_tokens.json", r#"{"<s>": 1}"#.into()),
        (
            "modules.json",
            r#"[{"idx": 0, "name": "0", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#.into(),
        ),
        ("chat_template.json", r#"{"chat_template": {"default": "x", "tool_use": "y"}}"#.into()),
    ] {
        let n = long::each(&seed, &mut |text| {
            if let Some(model) = inputs::directory::open("llama", file, text.as_bytes()) {
                model.warnings().iter().for_each(|warning| assert!(warning.len() < 4000));
            }
        });
        assert!(n > 2, "{n}");
    }
}

#[test]
fn of_templates() {
    let long = "x".repeat(1 << 18); // a template may be as long
    let texts = [
        "{% L %}",
        "{{ L }",
        "{{ L() }}",
        "{{ 1 | L }}",
        "{{ 1 is L }}",
        "{{ 'L' + 1 }}",
        "{{ 'L' | int + [] }}",
        "{{ [].L.a }}",
        "{{ raise_exception('L') }}",
        "{{ {'L': 1} + 1 }}",
        "{{ ['L'] | map('L') | list }}",
        "{{ 'a'.L() }}",
        "{% set L.b = 1 %}",
        "{% macro L() %}",
        "{{ '%d' % 'L' }}",
        "{{ '{L}'.format() }}",
        "{{ cycler('L') }}",
        "{{ m(L=1) }}",
        "{% macro m() %}{% endmacro %}{{ m(L=1) }}",
        "{{ range('L') }}",
        "{{ 'L' * 'L' }}",
        "{{ strftime_now('L', 1) }}",
        "{% for a, b in ['L'] %}{% endfor %}",
        "{{ ['L'] | sum }}",
        "{{ namespace('L') }}",
        "{% include 'L' %}",
        "{{ 1 | round(method='L') }}",
        "{{ [1] | sort(L=1) }}",
        "{{ 'L",
    ];
    let mut refused = 0;
    for text in texts {
        let error = match ChatTemplate::new(&text.replace('L', &long), "<s>", "</s>") {
            Err(error) => Some(error),
            Ok(template) => {
                template.render(&[Message::new("user", "hi")], &RenderOptions::default()).err()
            }
        };
        if let Some(error) = error {
            refused += 1;
            assert!(
                error.to_string().len() < long::MESSAGE,
                "{text}: {} bytes",
                error.to_string().len()
            );
        }
    }
    assert!(refused > texts.len() / 2, "{refused}");
}
