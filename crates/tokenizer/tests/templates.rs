//! Chat templates against Jinja2 in Hugging Face's environment: `data/templates.json`, made by
//! `data/make_templates.py`.

use pacemark_modelfile::{Metadata, Strings, Value};
use pacemark_tokenizer::{
    ChatTemplate, ChatTemplates, Message, RenderOptions, TemplateError, Tokenizer,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Deserialize)]
struct Golden {
    now: u64,
    templates: HashMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    messages: Vec<Message>,
    tools: Option<Json>,
    add_generation_prompt: bool,
    extra: Map<String, Json>,
    prompt: Option<String>,
    error: Option<String>,
}

#[test]
fn prompts_are_those_of_jinja2() {
    let golden: Golden = serde_json::from_str(include_str!("data/templates.json")).unwrap();
    for case in golden.cases {
        let template = ChatTemplate::new(&golden.templates[&case.template], "<s>", "</s>").unwrap();
        let options = RenderOptions {
            tools: case.tools,
            add_generation_prompt: case.add_generation_prompt,
            extra: case.extra,
            now: Some(UNIX_EPOCH + Duration::from_secs(golden.now)),
        };
        match (template.render(&case.messages, &options), case.prompt, case.error) {
            (Ok(found), Some(expected), _) => assert_eq!(found, expected, "{}", case.template),
            (Err(TemplateError::Raised(found)), _, Some(expected)) => {
                assert_eq!(found, expected, "{}", case.template)
            }
            (found, expected, error) => {
                panic!("{}: {found:?}, expected {expected:?} {error:?}", case.template)
            }
        }
    }
}

fn render(source: &str) -> Result<String, TemplateError> {
    ChatTemplate::new(source, "", "")?
        .render(&[Message::new("user", "hi")], &RenderOptions::default())
}

/// Which bound `source` passes.
fn limit(source: &str) -> &'static str {
    match render(source) {
        Err(TemplateError::Limit { what, .. }) => what,
        other => panic!("{other:?}, expected a limit"),
    }
}

#[test]
fn endless_and_huge_templates_end_with_an_error() {
    let limits = [
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "instructions",
        ),
        ("{% for i in range(999) %}{{ 'x' * 1000000 }}{% endfor %}", "bytes of output"),
        (
            "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
            "bytes of values",
        ),
        (&" ".repeat(200_000), "bytes of template"),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "levels of recursion"),
    ];
    for (source, expected) in limits {
        assert_eq!(limit(source), expected, "{source:.80}");
    }
}

#[test]
fn deep_values_and_expressions_are_refused() {
    let nest = "{% set ns.a = [ns.a] %}{% set ns.b = {'x': ns.b} %}";
    let deep = |times: usize, then: &str| {
        format!(
            "{{% set ns = namespace(a=0, b=0) %}}{{% for i in range({times}) %}}{nest}{{% endfor %}}{then}"
        )
    };
    assert_eq!(render(&deep(499, "{{ ns.a }}")).unwrap().len(), 999);
    assert_eq!(render(&deep(499, "{{ ns.a == ns.b }}")).unwrap(), "False");
    assert_eq!(render(&deep(499, "{{ ns.b|tojson }}")).unwrap().len(), 499 * 7 + 1);
    assert_eq!(limit(&deep(500, "")), "levels of values");
    for (open, close) in [("-", ""), ("not ", ""), ("(", ")"), ("[", "]")] {
        let source = format!("{{{{ {}1{} }}}}", open.repeat(25_000), close.repeat(25_000));
        assert_eq!(limit(&source), "levels of expressions and statements");
    }
    // What is long without being deep is no trouble.
    assert_eq!(render(&format!("{{{{ 1{} }}}}", " + 1".repeat(25_000))).unwrap(), "25001");
}

#[test]
fn errors_say_where_and_why() {
    let syntax = ChatTemplate::new("a\n{% if %}", "", "").unwrap_err().to_string();
    assert_eq!(syntax, "chat template: line 2: expected an expression, found '%}'");
    let raised = render("{{ raise_exception('no roles') }}").unwrap_err().to_string();
    assert_eq!(raised, "the model's chat template refuses these messages: no roles");
    let missing = render("\n{{ messages[0].x.y }}").unwrap_err().to_string();
    assert_eq!(missing, "chat template: line 2: 'dict object' has no attribute 'x'");
    for bad in [
        "{{ x|tojson }}",
        "{{ 1|tojson(indent='a', a=1) }}",
        "{{ strftime_now('%Q') }}",
        "{{ 1|tojson(a=1) }}",
    ] {
        assert!(render(bad).is_err(), "{bad}");
    }
}

/// The smallest SPM vocabulary that is one.
fn tokenizer(metadata: &mut Metadata) -> Tokenizer {
    let tokens: Strings = ["<unk>", "<s>", "</s>"].into_iter().collect();
    metadata
        .set("tokenizer.ggml.model", Value::String("llama".into()))
        .set("tokenizer.ggml.tokens", Value::Strings(tokens))
        .set("tokenizer.ggml.scores", Value::F32s(vec![0.0; 3]));
    Tokenizer::from_metadata(metadata).unwrap()
}

#[test]
fn without_a_template_chatml_stands_in() {
    #[derive(Deserialize)]
    struct Reference {
        chat: Vec<Chat>,
    }
    #[derive(Deserialize)]
    struct Chat {
        messages: Vec<Message>,
        prompt: String,
    }
    let reference: Reference = serde_json::from_str(include_str!("data/gemma3-270m.json")).unwrap();
    let mut metadata = Metadata::new();
    let tokenizer = tokenizer(&mut metadata);
    let fallback = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap();
    assert!(fallback.is_chatml());
    let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
    for chat in reference.chat {
        assert_eq!(fallback.prompt(chat.messages, &options, false).unwrap(), chat.prompt);
    }
    let source =
        "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ tools is none }}{{ x }}";
    metadata.set("tokenizer.chat_template", Value::String(source.into()));
    let own = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap();
    assert!(!own.is_chatml());
    let extra = json!({"x": [1.5, "é"]}).as_object().cloned().unwrap_or_default();
    let options = RenderOptions { extra, ..RenderOptions::default() };
    assert_eq!(
        own.prompt(vec![Message::new("user", "hi")], &options, false).unwrap(),
        "<s>hi</s>True[1.5, 'é']"
    );
}
