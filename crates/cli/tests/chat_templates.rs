//! Chat templates through the real binary: which one is taken, what it is given, and tools for
//! those that know none.

mod binary;

use pacemark_modelfile::Value as Entry;
use pacemark_testmodel::TestModel;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const TOOLS: &str = r#""tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]"#;

/// A folder of its own, with a model of one token for each byte; removed at the end.
struct Folder(PathBuf);

impl Folder {
    /// A model with these templates by name.
    fn new(name: &str, templates: &[(&str, &str)]) -> Folder {
        let folder =
            std::env::temp_dir().join(format!("pacemark-templates-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut model = TestModel::llama();
        model.set("llama.context_length", Entry::U32(4096));
        for (name, source) in templates {
            let key = if *name == "default" { String::new() } else { format!(".{name}") };
            model.set(&format!("tokenizer.chat_template{key}"), Entry::String(source.to_string()));
        }
        let names =
            templates.iter().map(|(name, _)| *name).filter(|name| *name != "default").collect();
        model.set("tokenizer.chat_templates", Entry::Strings(names));
        model.write(&folder.join("model.gguf")).unwrap();
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let model = self.path("model.gguf");
        binary::pacemark()
            .args(["run", "-m", &model, "--chat", "-n", "1", "-o", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The prompt and its ids.
    fn prompt(&self, arguments: &[&str]) -> (String, Vec<u64>) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let ids = json["prompt_ids"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        (json["prompt"].as_str().unwrap().to_string(), ids)
    }

    /// Why it is refused.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !text.contains("panicked"), "{text}");
        text
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that logs prompts.
struct Served {
    child: Child,
    address: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn start(folder: &Folder, arguments: &[&str]) -> Served {
        let mut child = binary::pacemark()
            .args(["serve", "--port", "0", "-t", "1", "--max-num-seqs", "1", "--log-prompts", "-m"])
            .arg(folder.path("model.gguf"))
            .args(arguments)
            .env_remove("PACEMARK_API_KEY")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready: ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
        }
        let address = line.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_string();
        Served { child, address, stderr }
    }

    fn chat(&self, fields: &str) -> Value {
        let body = format!("{{\"max_tokens\": 2, {fields}}}");
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json";
        stream
            .write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Ends it; all that was logged.
    fn log(mut self) -> String {
        // As an operator would: the log is written to its end.
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap();
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it has ended, unless a test has failed
        let _ = self.child.wait();
    }
}

#[test]
fn a_chat_is_put_in_the_template_that_is_asked_for() {
    let folder = Folder::new(
        "choice",
        &[("default", "D{{ messages[0].content }}"), ("rag", "R{{ messages[0].content }}")],
    );
    assert_eq!(folder.prompt(&["-p", "hi"]).0, "Dhi");
    assert_eq!(folder.prompt(&["-p", "hi", "--chat-template", "rag"]).0, "Rhi");
    let chatml = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(folder.prompt(&["-p", "hi", "--chat-template", "chatml"]).0, chatml);
    let file = folder.path("mine.jinja");
    std::fs::write(&file, "{{ messages | length }}{{ messages[0].role }}").unwrap();
    assert_eq!(folder.prompt(&["-p", "hi", "--chat-template", &file]).0, "1user");
    assert_eq!(folder.prompt(&["-p", "hi", "--chat-template-file", &file]).0, "1user");
    let refusal = folder.refusal(&["-p", "hi", "--chat-template", "tool_use"]);
    assert!(refusal.contains("(default, rag), chatml or a file, found \"tool_use\""), "{refusal}");
    std::fs::write(&file, "{% if %}").unwrap();
    let refusal = folder.refusal(&["-p", "hi", "--chat-template", &file]);
    assert!(refusal.contains("mine.jinja") && refusal.contains("line 1"), "{refusal}");
}

#[test]
fn a_model_without_a_default_template_names_those_that_it_has() {
    let folder = Folder::new("names", &[]);
    let mut model = TestModel::gemma3();
    for name in ["rag", "tool_use"] {
        let source = format!("{name}: {{{{ messages[0].content }}}}");
        model.set(&format!("tokenizer.chat_template.{name}"), Entry::String(source));
    }
    model.write(&folder.0.join("model.gguf")).unwrap();
    let refusal = folder.refusal(&["-p", "hi"]);
    assert!(
        refusal
            .contains("expected one named default or the choice of another, found rag, tool_use"),
        "{refusal}"
    );
    assert_eq!(folder.prompt(&["-p", "hi", "--chat-template", "rag"]).0, "rag: hi");
}

#[test]
fn bos_is_what_the_template_writes() {
    // The byte-level model's BOS is <|im_start|>, id 1; here its rules ask for it.
    let prompts =
        [("{{ messages[0].content }}", 0), ("{{ bos_token }}{{ messages[0].content }}", 1)];
    for (at, (template, n_bos)) in prompts.into_iter().enumerate() {
        let folder = Folder::new(&format!("bos-{at}"), &[("default", template)]);
        let mut model = TestModel::llama();
        model.set("tokenizer.ggml.add_bos_token", Entry::Bool(true));
        model.set("tokenizer.chat_template", Entry::String(template.into()));
        model.write(&folder.0.join("model.gguf")).unwrap();
        let count = |ids: &[u64]| ids.iter().filter(|id| **id == 1).count();
        assert_eq!(count(&folder.prompt(&["-p", "ab"]).1), n_bos, "{template}");
        // ChatML writes <|im_start|> twice itself, and begins with it: nothing is added to that.
        assert_eq!(count(&folder.prompt(&["-p", "ab", "--chat-template", "chatml"]).1), 2);
    }
}

#[test]
fn arguments_of_calls_are_objects_for_templates_in_run_as_in_serve() {
    let template = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}\
        {{ c.function.arguments | tojson }}{% endfor %}{% endfor %}";
    let folder = Folder::new("arguments", &[("default", template)]);
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "refusal": null,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
        {"role": "tool", "content": "ok", "tool_call_id": "1"}]);
    let (prompt, _) = folder.prompt(&["--messages", "-p", &messages.to_string()]);
    assert_eq!(prompt, "hif{\"x\": 1}ok");
    let served = Served::start(&folder, &[]);
    assert!(served.chat(&format!("\"messages\": {messages}"))["choices"][0].is_object());
    let log = served.log();
    assert!(log.contains(r#""hif{\"x\": 1}ok""#), "{log}");
}

#[test]
fn tools_choose_a_template_or_are_told_in_words() {
    let plain = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
    let hi = r#""messages": [{"role": "user", "content": "hi"}]"#;
    let folder = Folder::new("told", &[("default", plain)]);
    let served = Served::start(&folder, &[]);
    for choice in ["auto", "auto", "required", "none"] {
        let answer = served.chat(&format!("{hi}, {TOOLS}, \"tool_choice\": \"{choice}\""));
        assert!(answer["choices"][0].is_object(), "{choice}: {answer}");
    }
    let log = served.log();
    assert_eq!(log.matches("note: the model's chat template shows no tools").count(), 1, "{log}");
    assert_eq!(log.matches(r#"\"name\":\"weather\""#).count(), 3, "{log}");
    assert!(
        log.contains("[system]You can call functions") && log.contains("\"[user]hi\""),
        "{log}"
    );

    let with_tools = "{% for tool in tools %}{{ tool.function.name }}<tool_call>{% endfor %}";
    let folder = Folder::new("tool-use", &[("default", plain), ("tool_use", with_tools)]);
    let served = Served::start(&folder, &[]);
    assert!(served.chat(&format!("{hi}, {TOOLS}"))["choices"][0].is_object());
    assert!(served.chat(hi)["choices"][0].is_object());
    let log = served.log();
    assert!(log.contains("\"weather<tool_call>\"") && log.contains("\"[user]hi\""), "{log}");
    assert!(!log.contains("note:"), "{log}");
    let served = Served::start(&folder, &["--chat-template", "default"]);
    assert!(served.chat(&format!("{hi}, {TOOLS}"))["choices"][0].is_object());
    assert!(served.log().contains("[system]You can call functions"));
}
