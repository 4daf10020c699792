//! What any bytes mean as a test of this crate, and what must hold for them: used by the fuzz
//! targets (`fuzz/fuzz_targets`) and by the plain test in `seeds.rs`, which runs over the same
//! seeds.

pub(crate) mod directory;

use pacemark_modelfile::{Metadata, Strings, Value};
use pacemark_tokenizer::{
    ChatTemplate, ChatTemplates, DecodeOptions, EncodeOptions, Message, RenderOptions, TokenType,
    Tokenizer,
};
use serde_json::json;

/// A vocabulary and a text. Parts end with a line feed: flags; the text; the tokens, each after its
/// type and score; an empty line; the merges. In a part `\n` stands for a line feed.
pub(crate) fn tokenizer(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let mut lines = source.split('\n');
    let flags: Vec<u8> = lines.next().unwrap_or_default().bytes().collect();
    let flag = |at: usize| flags.get(at).copied().unwrap_or(b'0');
    let text = lines.next().unwrap_or_default().replace("\\n", "\n");
    let metadata = metadata(&flag, &mut lines);
    let tokenizer = match Tokenizer::from_metadata(&metadata) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return assert!(error.to_string().contains("expected")),
    };
    for (add_special, parse_special) in [(false, false), (false, true), (true, false), (true, true)]
    {
        let ids = tokenizer.encode(&text, EncodeOptions { add_special, parse_special });
        let special = DecodeOptions { special: true, ..DecodeOptions::default() };
        let whole =
            tokenizer.decode_with(&ids, special).expect("encoding gives ids of the vocabulary");
        let bytes: Vec<u8> =
            ids.iter().flat_map(|&id| tokenizer.token_bytes(id).unwrap_or_default()).collect();
        assert_eq!(whole, String::from_utf8_lossy(&bytes));
        // Nothing is lost where every byte has a token that stands for it and nothing else is in
        // the way.
        let is_plain = |id: u32| tokenizer.token_type(id) == Some(TokenType::Normal);
        let has_rules = flag(RULES) > b'0';
        if flag(0) == b'b'
            && flag(2) == b'a'
            && !has_rules
            && !add_special
            && ids.iter().all(|&id| is_plain(id))
        {
            assert_eq!(whole, text);
        }
    }
    let _ = tokenizer.encode_prompt(&text);
    assert!(tokenizer.end_of_generation().iter().all(|&id| tokenizer.token_text(id).is_some()));
}

fn metadata<'l>(
    flag: &impl Fn(usize) -> u8,
    lines: &mut impl Iterator<Item = &'l str>,
) -> Metadata {
    let is_bpe = flag(0) == b'b';
    let mut tokens = Strings::default();
    if flag(2) == b'a' {
        let all = |byte: u8| if is_bpe { spelled(byte) } else { format!("<0x{byte:02X}>") };
        tokens = (0..=255).map(all).collect();
    }
    let mut types: Vec<i32> = vec![if is_bpe { 1 } else { 6 }; tokens.len()];
    let mut scores = vec![0.0; tokens.len()];
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let mut chars = line.chars();
        types.push(chars.next().map_or(0, |c| c as i32 - '0' as i32));
        scores.push(chars.next().map_or(0.0, |c| c as u32 as f32 - 64.0));
        tokens.push(&chars.as_str().replace("\\n", "\n"));
    }
    let pre = ["default", "gpt-2", "smollm", "qwen2", "llama-bpe"][usize::from(flag(1)) % 5];
    let mut metadata = Metadata::new();
    if flag(RULES) > b'0' {
        set_rules(flag, &types, &scores, &mut metadata);
    }
    let mut set = |key: &str, value: Value| {
        metadata.set(format!("tokenizer.ggml.{key}"), value);
    };
    set("model", Value::String(if is_bpe { "gpt2" } else { "llama" }.into()));
    set("pre", Value::String(pre.into()));
    set("tokens", Value::Strings(tokens));
    set("token_type", Value::I32s(types));
    set("scores", Value::F32s(scores));
    set("merges", Value::Strings(lines.collect()));
    for (at, key) in
        [(3, "bos_token_id"), (4, "eos_token_id"), (5, "eot_token_id"), (6, "unknown_token_id")]
    {
        if flag(at) > b'0' {
            set(key, Value::U32((flag(at) - b'0').into()));
        }
    }
    for (at, key) in [(7, "add_bos_token"), (8, "add_eos_token"), (9, "add_space_prefix")] {
        if flag(at) > b'0' {
            set(key, Value::Bool(flag(at) == b't'));
        }
    }
    metadata
}

/// The flag that asks for Hugging Face's rules; those behind it say which.
const RULES: usize = 10;

/// Hugging Face's rules. Added tokens are those of control and user-defined types; their scores are
/// flags.
fn set_rules(flag: &impl Fn(usize) -> u8, types: &[i32], scores: &[f32], metadata: &mut Metadata) {
    let normalizers: [&[&str]; 6] = [
        &[],
        &["NFC"],
        &["Prepend", "▁", "Replace", " ", "▁"],
        &["NFKD", "StripAccents", "Lowercase"],
        &["StripLeft", "StripRight", "Replace", "a", "bcd"],
        &["Replace", "", "x"],
    ];
    let of = |at: usize, n: usize| usize::from(flag(RULES + at)) % n;
    let (ids, added): (Vec<u32>, Vec<u32>) = (0..)
        .zip(types.iter().zip(scores))
        .filter(|(_, (kind, _))| matches!(kind, 3 | 4))
        .map(|(id, (_, score))| (id, (score + 64.0) as u32 & 31))
        .unzip();
    let mut set = |key: &str, value: Value| {
        metadata.set(format!("tokenizer.pacemark.{key}"), value);
    };
    set("rules", Value::String("huggingface".into()));
    set("normalizer", Value::Strings(normalizers[of(1, 6)].iter().collect()));
    set("space_prefix", Value::String(["never", "first", "always"][of(2, 3)].into()));
    for (at, key) in
        [(3, "split_at_spaces"), (4, "ignore_merges"), (5, "fuse_unknown"), (6, "strip_space")]
    {
        set(key, Value::Bool(of(at, 2) == 1));
    }
    if flag(RULES + 7) > b'0' {
        set("unknown_token_id", Value::U32((flag(RULES + 7) - b'0').into()));
    }
    set("added_ids", Value::U32s(ids));
    set("added_flags", Value::U32s(added));
}

/// A byte in the byte alphabet.
fn spelled(byte: u8) -> String {
    let is_visible = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let hidden = (0..byte).filter(|byte| !is_visible(byte)).count() as u32;
    let code = if is_visible(&byte) { u32::from(byte) } else { 0x100 + hidden };
    char::from_u32(code).map(String::from).unwrap_or_default()
}

/// A template, and after a line `----` a message for each line: role, a space, content.
pub(crate) fn template(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let (source, messages) = source.split_once("\n----\n").unwrap_or((&source, "user hi"));
    let Ok(template) = ChatTemplate::new(source, "<s>", "</s>") else { return };
    let templates = CHATML.with(|chatml| chatml.replaced_by(source).expect("it has been compiled"));
    let message = |line: &str| match line.split_once(' ') {
        Some((role, text)) => Message::new(role, text),
        None => Message { role: line.into(), ..Message::default() },
    };
    let messages: Vec<Message> = messages.lines().map(message).collect();
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"x": [1, 2.5, null, true, "é"]}}}]);
    for tools in [None, Some(tools)] {
        let options =
            RenderOptions { tools, add_generation_prompt: true, ..RenderOptions::default() };
        if let Err(error) = template.render(&messages, &options) {
            assert!(!error.to_string().is_empty());
        }
        // The same with a call in it, in the template's own way and in words.
        let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}});
        let mut calling = Message { role: "assistant".into(), ..Message::default() };
        calling.extra.insert("tool_calls".into(), json!([call]));
        let called = [messages.as_slice(), &[calling, Message::new("tool", "é")]].concat();
        for tell_tools in [false, true] {
            if let Err(error) = templates.prompt(called.clone(), &options, tell_tools) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

thread_local! {
    /// Templates of the smallest vocabulary that is one, to be replaced.
    static CHATML: ChatTemplates = {
        let mut metadata = Metadata::new();
        metadata
            .set("tokenizer.ggml.model", Value::String("llama".into()))
            .set("tokenizer.ggml.tokens", Value::Strings(["<unk>", "<s>", "</s>"].into_iter().collect()))
            .set("tokenizer.ggml.scores", Value::F32s(vec![0.0; 3]));
        let tokenizer = Tokenizer::from_metadata(&metadata).expect("a vocabulary");
        ChatTemplates::from_metadata(&metadata, &tokenizer).expect("no template")
    };
}
