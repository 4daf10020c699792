//! What a template makes of tools, calls and system messages, found out by giving it some.
//!
//! Its source says less: a template may name `tools` and never write one, or take them under
//! another name. The texts that are looked for occur in no template, so where one is in the prompt
//! it came from the conversation.

use super::{ChatTemplate, Message, RenderOptions};
use serde_json::{Value, json};
use std::time::SystemTime;

const TOOL: &str = "pacemark_probe_tool";
const ARGUMENT: &str = "pacemark-probe-argument";
const RESULT: &str = "pacemark-probe-result";
const SYSTEM: &str = "pacemark-probe-system";

/// What a template shows the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// The tools of a request.
    pub tools: bool,
    /// A system message.
    pub system: bool,
    /// Calls that were made, and their results; how calls must be written for it, if it shows any.
    pub calls: Option<CallForm>,
}

/// How a template takes an assistant's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallForm {
    /// Arguments are the text of OpenAI's API and not the object that it stands for.
    pub text_arguments: bool,
    /// Content must be there, if only as an empty text.
    pub content: bool,
}

impl CallForm {
    /// As transformers' documentation asks for first: most templates take it, and some that take
    /// another as well show it worse.
    const ALL: [CallForm; 4] = [
        CallForm { text_arguments: false, content: false },
        CallForm { text_arguments: false, content: true },
        CallForm { text_arguments: true, content: false },
        CallForm { text_arguments: true, content: true },
    ];

    /// Puts a message's calls in this form.
    pub(super) fn apply(self, message: &mut Message) {
        if message.calls().is_empty() {
            return;
        }
        if self.text_arguments {
            message.write_arguments();
        } else {
            message.parse_arguments();
        }
        if self.content && message.content.is_none() {
            message.content = Some(super::Content::Text(String::new()));
        }
    }
}

impl Abilities {
    pub(super) fn of(template: &ChatTemplate) -> Abilities {
        let user = || Message::new("user", "hi");
        let system = || Message::new("system", SYSTEM);
        let shows = |messages: &[Message], tools: Option<Value>, texts: &[&str]| {
            let now = Some(SystemTime::UNIX_EPOCH);
            let options = RenderOptions {
                tools,
                add_generation_prompt: true,
                now,
                ..RenderOptions::default()
            };
            let prompt = template.render(messages, &options).unwrap_or_default();
            texts.iter().all(|text| prompt.contains(text))
        };
        let calls = |form: &CallForm| {
            let mut call = called();
            form.apply(&mut call);
            shows(&[user(), call, result()], Some(tools()), &[TOOL, ARGUMENT, RESULT])
        };
        Abilities {
            tools: shows(&[user()], Some(tools()), &[TOOL])
                || shows(&[system(), user()], Some(tools()), &[TOOL]),
            system: shows(&[system(), user()], None, &[SYSTEM]),
            calls: CallForm::ALL.into_iter().find(calls),
        }
    }
}

fn tools() -> Value {
    json!([{
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "A tool.",
            "parameters": {
                "type": "object",
                "properties": { "x": { "type": "string", "description": "A text." } },
                "required": ["x"],
            },
        },
    }])
}

/// A call; its id is of nine letters and digits, which Mistral's templates insist on.
fn called() -> Message {
    let function = json!({ "name": TOOL, "arguments": { "x": ARGUMENT } });
    let calls = json!([{ "id": "probe0001", "type": "function", "function": function }]);
    let mut message = Message { role: "assistant".into(), ..Message::default() };
    message.extra.insert("tool_calls".into(), calls);
    message
}

fn result() -> Message {
    let mut message = Message::new("tool", RESULT);
    message
        .extra
        .extend([("name".into(), json!(TOOL)), ("tool_call_id".into(), json!("probe0001"))]);
    message
}
