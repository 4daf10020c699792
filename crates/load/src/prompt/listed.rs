//! Prompts from files: a line or a JSON object each, or conversations in ShareGPT's form.

use super::{Cache, Encoder, Prompt, PromptError, Session, Source, Turn};
use crate::lengths::Lengths;
use pacemark_record::rng::SplitMix64;
use serde_json::Value;
use std::sync::Arc;

/// Sessions that were read, given in random order, again and again.
pub struct Listed {
    sessions: Vec<Session>,
    output: Option<Lengths>,
    cache: Cache,
    encoder: Option<Arc<dyn Encoder>>,
    special: bool,
    nonce: SplitMix64,
    lengths: SplitMix64,
    order: SplitMix64,
    /// What is left of this round.
    left: Vec<usize>,
}

impl Listed {
    /// With answers of `output` tokens, where that is given, else of the file's. At most `turns` turns of each session are kept.
    pub fn new(
        mut sessions: Vec<Session>,
        turns: u32,
        output: Option<Lengths>,
        cache: Cache,
        encoder: Option<Arc<dyn Encoder>>,
        special: bool,
        (seed, nonce): (u64, u64),
    ) -> Listed {
        sessions.iter_mut().for_each(|session| session.turns.truncate(turns.max(1) as usize));
        let stream = super::words::stream;
        let (nonce, lengths, order) = (stream(nonce, 3), stream(seed, 4), stream(seed, 5));
        Listed { sessions, output, cache, encoder, special, nonce, lengths, order, left: Vec::new() }
    }
}

impl Source for Listed {
    fn next(&mut self) -> Option<Session> {
        if self.left.is_empty() {
            self.left = (0..self.sessions.len()).collect();
        }
        let chosen = match self.cache {
            // One prompt for all, as everywhere.
            Cache::Warm => 0,
            _ => self.left.swap_remove(self.order.below(self.left.len().max(1))),
        };
        let mut session = self.sessions.get(chosen)?.clone();
        for (i, turn) in session.turns.iter_mut().enumerate() {
            if let (Prompt::Text(text), Cache::Cold, 0) = (&mut turn.prompt, self.cache, i) {
                // Before all else, so that nothing of it can be in a cache.
                *text = format!("[{:08x}] {text}", self.nonce.next_u64() >> 32);
            }
            if let Some(output) = self.output {
                turn.output_tokens = Some(output.draw(&mut self.lengths));
            }
            if let (Prompt::Text(text), Some(encoder), 0) = (&turn.prompt, &self.encoder, i)
                && !encoder.is_remote()
            {
                turn.prompt_tokens = encoder.encode(text, self.special).ok().map(|ids| ids.len() as u64);
            }
        }
        Some(session)
    }
}

/// A prompt a line: text, or a JSON object with `prompt` (or `text`, `input`) and perhaps `output_tokens`.
pub fn lines(file: &str, text: &str) -> Result<Vec<Session>, PromptError> {
    let mut sessions = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |why: &str| PromptError::Line { file: file.to_owned(), line: i + 1, why: why.to_owned() };
        let turn = if line.trim_start().starts_with('{') {
            let object: Value = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
            let prompt = ["prompt", "text", "input"].iter().find_map(|key| object.get(key)?.as_str());
            let prompt = prompt.ok_or_else(|| wrong("expected a string prompt, text or input"))?;
            let output_tokens = object.get("output_tokens").and_then(Value::as_u64);
            Turn { prompt: Prompt::Text(prompt.to_owned()), prompt_tokens: None, output_tokens }
        } else {
            Turn { prompt: Prompt::Text(line.to_owned()), ..Turn::default() }
        };
        sessions.push(Session { turns: vec![turn] });
    }
    if sessions.is_empty() { Err(PromptError::Nothing(file.to_owned())) } else { Ok(sessions) }
}

/// Conversations in ShareGPT's form: `[{"conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}]}]`. The
/// answers of the file give the lengths of ours, where an encoder counts them; they are not sent.
pub fn share_gpt(file: &str, text: &str, encoder: Option<&dyn Encoder>) -> Result<Vec<Session>, PromptError> {
    let wrong = |why: String| PromptError::File { file: file.to_owned(), why };
    let all: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let all = all.as_array().ok_or_else(|| wrong("expected a JSON array of conversations".into()))?;
    let mut sessions = Vec::new();
    for (i, entry) in all.iter().enumerate() {
        let said = entry.get("conversations").or_else(|| entry.get("conversation")).and_then(Value::as_array);
        let said = said.ok_or_else(|| wrong(format!("entry {i}: expected an array conversations")))?;
        let mut turns: Vec<Turn> = Vec::new();
        for message in said {
            let (from, value) = (message.get("from"), message.get("value").and_then(Value::as_str));
            match (from.and_then(Value::as_str), value) {
                (Some("human" | "user"), Some(value)) if !value.trim().is_empty() => {
                    turns.push(Turn { prompt: Prompt::Text(value.to_owned()), ..Turn::default() });
                }
                (Some("gpt" | "assistant" | "chatgpt"), Some(value)) => {
                    if let (Some(turn), Some(encoder)) = (turns.last_mut(), encoder.filter(|e| !e.is_remote())) {
                        turn.output_tokens = Some(encoder.encode(value, false)?.len().max(1) as u64);
                    }
                }
                (Some(_), _) => {} // system and tool messages
                (None, _) => return Err(wrong(format!("entry {i}: expected from and value in every message"))),
            }
        }
        if !turns.is_empty() {
            sessions.push(Session { turns });
        }
    }
    if sessions.is_empty() { Err(PromptError::Nothing(file.to_owned())) } else { Ok(sessions) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str, _: bool) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    #[test]
    fn files_of_each_form() {
        let sessions = lines("f", "hello\n\n{\"prompt\":\"a\\nb\",\"output_tokens\":3}\n").unwrap();
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions[1].turns[0].prompt, Prompt::Text("a\nb".into()));
        assert_eq!(sessions[1].turns[0].output_tokens, Some(3));
        let error = lines("f.jsonl", "x\n{\"y\":1}").unwrap_err().to_string();
        assert_eq!(error, "f.jsonl: line 2: expected a string prompt, text or input");
        assert!(matches!(lines("f", " \n"), Err(PromptError::Nothing(_))));
        let talk = r#"[{"id":"x","conversations":[{"from":"system","value":"s"},{"from":"human","value":"q1"},
            {"from":"gpt","value":"four"},{"from":"human","value":"q2"},{"from":"gpt","value":"12345"}]},
            {"conversations":[]}]"#;
        let sessions = share_gpt("f", talk, Some(&bytes)).unwrap();
        let outputs: Vec<_> = sessions[0].turns.iter().map(|turn| turn.output_tokens).collect();
        assert_eq!((sessions.len(), outputs), (1, vec![Some(4), Some(5)]));
        for wrong in ["", "{}", "[]", "[1]", r#"[{"conversations":[{"value":"x"}]}]"#] {
            assert!(share_gpt("f", wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_prompt_once_a_round_and_never_alike() {
        let sessions = lines("f", "a\nb\nc").unwrap();
        let encoder: Arc<dyn Encoder> = Arc::new(bytes);
        let mut listed = Listed::new(sessions.clone(), 1, None, Cache::Cold, Some(encoder), false, (1, 2));
        let six: Vec<Session> = (0..6).map(|_| listed.next().unwrap()).collect();
        let texts: Vec<&str> = six
            .iter()
            .map(|s| match &s.turns[0].prompt {
                Prompt::Text(text) => text.as_str(),
                Prompt::Ids(_) => panic!(),
            })
            .collect();
        for round in texts.chunks(3) {
            let mut ends: Vec<_> = round.iter().map(|text| &text[11..]).collect();
            ends.sort_unstable();
            assert_eq!(ends, ["a", "b", "c"]);
        }
        assert_eq!(six[0].turns[0].prompt_tokens, Some(12));
        let mut starts: Vec<_> = texts.iter().map(|text| &text[..10]).collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts.len(), 6);
        let mut warm = Listed::new(sessions, 1, Some(Lengths::Fixed(5)), Cache::Warm, None, false, (1, 2));
        let first = warm.next().unwrap();
        assert_eq!(
            first.turns[0],
            Turn { prompt: Prompt::Text("a".into()), prompt_tokens: None, output_tokens: Some(5) }
        );
        assert_eq!(warm.next().unwrap(), first);
    }
}
