//! What stands between a conversation and a template, against transformers: `data/chats.json`, made
//! by `data/make_chats.py`. And tools for templates that have no place for them, which transformers
//! leaves out: those prompts were written by hand.

use pacemark_modelfile::{Metadata, ModelFile, Value as Entry, chat_templates};
use pacemark_tokenizer::{
    ChatTemplate, ChatTemplates, Message, RenderOptions, TemplateError, Tokenizer,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Golden {
    dump: String,
    messages: Vec<Messages>,
    named: Vec<Named>,
    directories: Vec<Directory>,
    ids: Vec<Ids>,
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Message>,
    prompt: String,
}

#[derive(Deserialize)]
struct Named {
    templates: BTreeMap<String, String>,
    tools: Option<Value>,
    name: Option<String>,
    prompt: Option<String>,
}

#[derive(Deserialize)]
struct Directory {
    files: BTreeMap<String, Value>,
    templates: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Ids {
    template: String,
    ids: Vec<u32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("data/chats.json")).unwrap()
}

/// The directory whose tokenizer the values were made with.
fn llama() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/golden/llama")
}

/// Its tokenizer, and metadata with `templates` by name.
fn with_templates<'a>(
    templates: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (Metadata, Tokenizer) {
    let mut metadata = ModelFile::open(llama()).unwrap().metadata().clone();
    let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
    for (name, source) in templates {
        let key = if name == "default" { String::new() } else { format!(".{name}") };
        metadata.set(format!("tokenizer.chat_template{key}"), Entry::String(source.into()));
    }
    (metadata, tokenizer)
}

fn only(source: &str) -> ChatTemplates {
    let (metadata, tokenizer) = with_templates([("default", source)]);
    ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap()
}

fn messages(value: Value) -> Vec<Message> {
    serde_json::from_value(value).unwrap()
}

#[test]
fn messages_reach_a_template_as_transformers_hands_them_over() {
    let golden = golden();
    let template = ChatTemplate::new(&golden.dump, "", "").unwrap();
    for case in golden.messages {
        let found = template.render(&case.messages, &RenderOptions::default()).unwrap();
        assert_eq!(found, case.prompt, "{:?}", case.messages);
    }
}

#[test]
fn the_template_of_several_is_the_one_that_transformers_takes() {
    for case in golden().named {
        let (metadata, tokenizer) = with_templates(
            case.templates.iter().map(|(name, source)| (name.as_str(), source.as_str())),
        );
        let mut templates = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap();
        assert!(templates.names().eq(case.templates.keys()));
        if let Some(name) = &case.name {
            templates = templates.named(name).unwrap();
        }
        let options = RenderOptions { tools: case.tools, ..RenderOptions::default() };
        match templates.prompt(vec![Message::new("user", "hi")], &options, false) {
            Ok(found) => {
                assert_eq!(Some(found), case.prompt, "{:?} {:?}", case.templates, case.name)
            }
            Err(TemplateError::NoDefault { names }) => {
                assert_eq!((case.prompt, names.as_str()), (None, "rag, tool_use"));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn templates_are_found_where_transformers_finds_them() {
    for (at, case) in golden().directories.into_iter().enumerate() {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chats").join(at.to_string());
        let _ = std::fs::remove_dir_all(&directory); // of an earlier run
        std::fs::create_dir_all(directory.join("additional_chat_templates")).unwrap();
        for file in std::fs::read_dir(llama()).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), directory.join(file.file_name())).unwrap();
        }
        for (name, content) in &case.files {
            let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
            std::fs::write(directory.join(name), text).unwrap();
        }
        let model = ModelFile::open(&directory).unwrap();
        let found = chat_templates(model.metadata()).unwrap();
        let expected: BTreeMap<&str, &str> =
            case.templates.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        assert_eq!(found, expected, "{:?}", case.files);
    }
}

#[test]
fn a_chats_ids_are_what_its_template_writes() {
    for case in golden().ids {
        let (metadata, tokenizer) = with_templates([("default", case.template.as_str())]);
        let templates = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap();
        let prompt = templates
            .prompt(vec![Message::new("user", "the tin")], &RenderOptions::default(), false)
            .unwrap();
        assert_eq!(templates.encode(&tokenizer, &prompt), case.ids, "{}", case.template);
    }
    // ChatML in place of a template gets the BOS that the model's rules want.
    let (metadata, tokenizer) = with_templates([]);
    let templates = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap();
    assert!(templates.is_chatml());
    assert_eq!(templates.encode(&tokenizer, "the tin")[0], 1);
}

#[test]
fn one_broken_template_of_several_is_no_loss() {
    let (metadata, tokenizer) =
        with_templates([("default", "{{ messages[0].content }}"), ("rag", "{% if %}")]);
    let templates = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap();
    let render = |templates: &ChatTemplates| {
        templates.prompt(vec![Message::new("user", "hi")], &RenderOptions::default(), false)
    };
    assert_eq!(render(&templates).unwrap(), "hi");
    assert!(matches!(render(&templates.named("rag").unwrap()), Err(TemplateError::Syntax(_))));
    assert!(templates.named("tool_use").is_none());
    assert_eq!(render(&templates.replaced_by("{{ messages[0].role }}").unwrap()).unwrap(), "user");
    assert_eq!(render(&templates.chatml()).unwrap(), "<|im_start|>user\nhi<|im_end|>\n");
}

#[test]
fn names_and_numbers_of_templates_are_bounded() {
    let refused = |templates: &[(&str, &str)], part: &str| {
        let (metadata, tokenizer) = with_templates(templates.iter().copied());
        let error = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    for name in ["", "a b", "a/b", "é", "a\n", &"x".repeat(65)] {
        refused(&[(name, "x")], "letters, digits, _, - and .");
    }
    let names: Vec<String> = (0..65).map(|i| i.to_string()).collect();
    refused(
        &names.iter().map(|name| (name.as_str(), "x")).collect::<Vec<_>>(),
        "at most 64 chat templates, found 65",
    );
    let (mut metadata, tokenizer) = with_templates([("rag", "x")]);
    metadata.set("tokenizer.chat_templates", Entry::Strings(["rag", "gone"].into_iter().collect()));
    let error = ChatTemplates::from_metadata(&metadata, &tokenizer).unwrap_err().to_string();
    assert!(error.contains("tokenizer.chat_templates") && error.contains("\"gone\""), "{error}");
}

const PLAIN: &str = "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}";
/// Takes turns and no system message, as Gemma's and Mistral's older templates.
const STRICT: &str = "{% for m in messages %}{% if m.role not in ['user', 'assistant'] or \
    (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns') }}{% endif %}\
    [{{ m.role }}]{{ m.content }}\n{% endfor %}";
const KNOWING: &str = "{% if tools %}{{ tools | tojson }}\n{% endif %}{% for m in messages %}[{{ m.role }}]\
    {% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments | tojson }}){% endfor %}{{ m.content }}\n{% endfor %}";

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}])
}

/// A conversation with a system message, two calls, their results, and a user who goes on.
fn conversation() -> Value {
    let call = |id: &str, city: &str| {
        let arguments = format!("{{\"city\": \"{city}\"}}");
        json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}})
    };
    json!([
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Ulm and Bonn?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call("1", "Ulm"), call("2", "Bonn")]},
        {"role": "tool", "content": "sunny", "tool_call_id": "1"},
        {"role": "tool", "content": "rain", "tool_call_id": "2"},
        {"role": "user", "content": "And?"},
    ])
}

const CALLS: &str = "[assistant]I look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>\n\
    <tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bonn\"}}\n</tool_call>\n\
    [user]<tool_response>\nsunny\n</tool_response>\n<tool_response>\nrain\n</tool_response>\nAnd?\n";

#[test]
fn a_template_without_tools_gets_them_in_words() {
    let options = RenderOptions { tools: Some(tools()), ..RenderOptions::default() };
    let templates = only(PLAIN);
    assert_eq!(templates.tool_template(), None);
    let prompt = templates.prompt(messages(conversation()), &options, false).unwrap();
    let (system, rest) = prompt.split_once("[user]Ulm and Bonn?\n").unwrap();
    let words = system.strip_prefix("[system]Be terse.\n\n").unwrap();
    let tool = "{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{\"type\":\"object\"}}}";
    assert!(
        words.contains(&format!("<tools>\n{tool}\n</tools>"))
            && words.contains("<tool_call>\n{\"name\": "),
        "{words}"
    );
    assert_eq!(rest, CALLS);
    // Without tools to call now, what was called is not lost.
    let past =
        templates.prompt(messages(conversation()), &RenderOptions::default(), false).unwrap();
    assert_eq!(past, format!("[system]Be terse.\n[user]Ulm and Bonn?\n{CALLS}"));
    // No tools are none to tell of.
    let none = RenderOptions { tools: Some(json!([])), ..RenderOptions::default() };
    assert_eq!(
        templates.prompt(vec![Message::new("user", "hi")], &none, false).unwrap(),
        "[user]hi\n"
    );
    let alone = templates.prompt(vec![Message::new("user", "hi")], &options, false).unwrap();
    assert!(
        alone.starts_with("[system]You can call") && alone.ends_with("\n[user]hi\n"),
        "{alone}"
    );
}

#[test]
fn a_template_that_refuses_system_messages_gets_them_in_the_users_first() {
    let options = RenderOptions { tools: Some(tools()), ..RenderOptions::default() };
    let conversation: Vec<Message> = messages(conversation()).split_off(1);
    let prompt = only(STRICT).prompt(conversation, &options, false).unwrap();
    assert!(prompt.starts_with("[user]You can call"), "{prompt}");
    assert!(prompt.ends_with(&format!("\n\nUlm and Bonn?\n{CALLS}")), "{prompt}");
    let parts = json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]);
    let prompt = only(STRICT).prompt(messages(parts), &options, false).unwrap();
    assert!(prompt.starts_with("[user][{'type': 'text', 'text': 'You can call"), "{prompt}");
}

#[test]
fn tools_are_not_lost_with_a_system_message_that_a_template_drops() {
    let source =
        "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}\n{% endfor %}";
    let options = RenderOptions { tools: Some(tools()), ..RenderOptions::default() };
    let chat = messages(
        json!([{"role": "system", "content": "Be terse."}, {"role": "user", "content": "hi"}]),
    );
    let prompt = only(source).prompt(chat, &options, false).unwrap();
    assert!(prompt.starts_with("[user]You can call") && prompt.ends_with("\n\nhi\n"), "{prompt}");
}

#[test]
fn a_template_that_knows_tools_is_left_to_it() {
    let options = RenderOptions { tools: Some(tools()), ..RenderOptions::default() };
    let templates = only(KNOWING);
    assert_eq!(templates.tool_template(), Some(KNOWING));
    let prompt = templates.prompt(messages(conversation()), &options, false).unwrap();
    assert!(prompt.starts_with("[{\"type\": \"function\""), "{prompt}");
    assert!(
        prompt.contains("[assistant]weather({\"city\": \"Ulm\"})weather({\"city\": \"Bonn\"})I look.\n[tool]sunny\n"),
        "{prompt}"
    );
    // Unless its form of calls is no use to whoever reads the answer.
    let told = templates.prompt(messages(conversation()), &options, true).unwrap();
    assert!(
        told.starts_with("[system]Be terse.\n\nYou can call") && told.ends_with(CALLS),
        "{told}"
    );
}

#[test]
fn calls_get_the_form_that_a_template_takes() {
    let render = |source: &str| {
        only(source).prompt(messages(conversation()).split_off(1), &RenderOptions::default(), false)
    };
    let body =
        "{% if m.tool_calls %}{% for c in m.tool_calls %}CALL{% endfor %}{% endif %}{% endfor %}";
    for (call, content, expected) in [
        // DeepSeek's puts the text of arguments together with others; an object there is an error.
        (
            "{{ c.function.name + c.function.arguments }}",
            "{{ m.content }}",
            "I look.weather{\"city\": \"Ulm\"}",
        ),
        (
            "{{ c.function.name }}{{ c.function.arguments | tojson }}",
            "{{ m.content }}",
            "I look.weather{\"city\": \"Ulm\"}",
        ),
    ] {
        let source = format!("{{% for m in messages %}}{content}{}", body.replace("CALL", call));
        let prompt = render(&source).unwrap();
        assert!(prompt.contains(expected), "{source}: {prompt}");
    }
    // A call without content: left out for a template that can do without, empty for one that
    // cannot.
    let silent = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]);
    let source = format!(
        "{{% for m in messages %}}{{{{ 'x' + m.content }}}}{}",
        body.replace("CALL", "{{ c.function }}")
    );
    let prompt =
        only(&source).prompt(messages(silent.clone()), &RenderOptions::default(), false).unwrap();
    assert_eq!(prompt, "xhix{'name': 'f', 'arguments': {}}");
    let source =
        "{% for m in messages %}{{ 'content' in m }}{{ m.content }}{{ m.tool_calls }}{% endfor %}";
    let prompt = only(source).prompt(messages(silent), &RenderOptions::default(), false).unwrap();
    assert!(prompt.starts_with("TruehiFalse[{'id': '1'"), "{prompt}");
}
