//! Prompts from files: a line or a JSON object each, or conversations in ShareGPT's form.

use super::{Cache, Encoder, Prompt, PromptError, REMOTE_CHECKS, Session, Source, Turn, Verified};
use crate::lengths::{Lengths, MAX_TOKENS};
use pacemark_record::rng::SplitMix64;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// One conversation of a file: what is asked, and what was answered then.
pub type Talk = Vec<Asked>;

/// One turn of a conversation in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What the user says.
    pub prompt: String,
    /// The answer, whose length ours is to have.
    pub answer: Answer,
}

/// What a file says of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing.
    Unknown,
    /// Its text.
    Text(String),
    /// Its tokens.
    Tokens(u64),
}

/// What a listed source is asked for, besides its conversations.
pub struct ListedOptions {
    /// Turns of a conversation that are kept, at most.
    pub turns: u32,
    /// Tokens of answers, instead of the file's.
    pub output: Option<Lengths>,
    /// What prompts share.
    pub cache: Cache,
    /// Counts include the tokens that start a sequence.
    pub special: bool,
    /// Decides lengths and order.
    pub seed: u64,
    /// Decides the words that make prompts new.
    pub nonce: u64,
}

/// Conversations that were read, given in random order, again and again.
pub struct Listed {
    talks: Vec<Talk>,
    options: ListedOptions,
    encoder: Option<Arc<dyn Encoder>>,
    nonce: SplitMix64,
    lengths: SplitMix64,
    order: SplitMix64,
    /// What is left of this round.
    left: Vec<usize>,
    made: u64,
}

impl Listed {
    /// Of the conversations of a file; the encoder counts their answers, each when it is first needed.
    pub fn new(mut talks: Vec<Talk>, options: ListedOptions, encoder: Option<Arc<dyn Encoder>>) -> Listed {
        talks.iter_mut().for_each(|talk| talk.truncate(options.turns.max(1) as usize));
        let stream = super::words::stream;
        let (nonce, lengths, order) = (stream(options.nonce, 3), stream(options.seed, 4), stream(options.seed, 5));
        Listed { talks, options, encoder, nonce, lengths, order, left: Vec::new(), made: 0 }
    }

    /// The file says how long answers are to be, or somebody here can count them.
    pub fn tells_lengths(&self) -> bool {
        let known = |asked: &Asked| match asked.answer {
            Answer::Unknown => false,
            Answer::Text(_) => self.encoder.is_some(),
            Answer::Tokens(_) => true,
        };
        self.talks.iter().flatten().any(known)
    }

    /// Tokens of an answer of the file.
    fn answer_tokens(&mut self, talk: usize, turn: usize) -> Option<u64> {
        let encoder = self.encoder.clone();
        let answer = &mut self.talks.get_mut(talk)?.get_mut(turn)?.answer;
        if let (Answer::Text(text), Some(encoder)) = (&*answer, encoder) {
            let counted = encoder.encode(text, false).ok();
            *answer = counted.map_or(Answer::Unknown, |ids| Answer::Tokens(ids.len().max(1) as u64));
        }
        match answer {
            Answer::Tokens(n) => Some(*n),
            Answer::Unknown | Answer::Text(_) => None,
        }
    }
}

impl Source for Listed {
    fn next(&mut self) -> Option<Session> {
        if self.left.is_empty() {
            self.left = (0..self.talks.len()).collect();
        }
        let chosen = match self.options.cache {
            // One prompt for all, as everywhere.
            Cache::Warm => 0,
            _ => self.left.swap_remove(self.order.below(self.left.len().max(1))),
        };
        let mut turns = Vec::new();
        for i in 0..self.talks.get(chosen)?.len() {
            let mut text = self.talks[chosen][i].prompt.clone();
            if self.options.cache == Cache::Cold && i == 0 {
                text = super::words::mark(&mut self.nonce, &text);
            }
            let output_tokens = match self.options.output {
                Some(output) => Some(output.draw(&mut self.lengths)),
                None => self.answer_tokens(chosen, i),
            };
            let first = self.made < REMOTE_CHECKS;
            let counts = self.encoder.as_ref().filter(|encoder| i == 0 && (first || !encoder.is_remote()));
            let ids = counts.and_then(|encoder| encoder.encode(&text, self.options.special).ok());
            let prompt_tokens = ids.map(|ids| ids.len() as u64);
            turns.push(Turn { prompt: Prompt::Text(text), prompt_tokens, output_tokens });
        }
        self.made += 1;
        Some(Session { turns })
    }

    /// Counted here where that costs no request; nothing was made to a length.
    fn lengths(&self) -> Verified {
        Verified { counted: self.encoder.as_ref().is_some_and(|encoder| !encoder.is_remote()), checked: 0, wrong: 0 }
    }
}

/// A prompt a line: text, or a JSON object with `prompt` (or `text`, `input`) and perhaps `output_tokens`.
pub fn lines(file: &str, text: &str) -> Result<Vec<Talk>, PromptError> {
    let mut talks = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |why: &str| PromptError::Line { file: file.to_owned(), line: i + 1, why: why.to_owned() };
        let asked = if line.trim_start().starts_with('{') {
            let object: Value = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
            let prompt = ["prompt", "text", "input"].iter().find_map(|key| object.get(key)?.as_str());
            let prompt = prompt.ok_or_else(|| wrong("expected a string prompt, text or input"))?;
            let answer = match object.get("output_tokens").filter(|value| !value.is_null()) {
                None => Answer::Unknown,
                Some(value) => {
                    let count = value.as_u64().filter(|n| (1..=MAX_TOKENS).contains(n));
                    Answer::Tokens(count.ok_or_else(|| wrong(&super::expected_count("output_tokens", value)))?)
                }
            };
            Asked { prompt: prompt.to_owned(), answer }
        } else {
            Asked { prompt: line.to_owned(), answer: Answer::Unknown }
        };
        talks.push(vec![asked]);
    }
    if talks.is_empty() { Err(PromptError::Nothing(file.to_owned())) } else { Ok(talks) }
}

/// A conversation of a file.
#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "conversation", alias = "messages")]
    conversations: Vec<Message>,
}

/// What one side says.
#[derive(Deserialize)]
struct Message {
    #[serde(alias = "role")]
    from: String,
    /// Not always text.
    #[serde(alias = "content", default)]
    value: Value,
}

/// Conversations in ShareGPT's form: `[{"conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}]}]`, or
/// an object a line; OpenAI's `messages`, `role` and `content` mean the same. The answers of the file give the lengths of
/// ours; they are not sent.
pub fn share_gpt(file: &str, text: &str) -> Result<Vec<Talk>, PromptError> {
    let read: Result<Vec<Entry>, serde_json::Error> = if text.trim_start().starts_with('{') {
        serde_json::Deserializer::from_str(text).into_iter().collect()
    } else {
        serde_json::from_str(text)
    };
    let wrong = |error: serde_json::Error| PromptError::File {
        file: file.to_owned(),
        why: format!("expected an array of conversations in ShareGPT's form: {error}"),
    };
    let mut talks = Vec::new();
    for entry in read.map_err(wrong)? {
        let mut talk = Talk::new();
        for message in entry.conversations {
            let Value::String(text) = message.value else { continue };
            match message.from.as_str() {
                "human" | "user" if !text.trim().is_empty() => {
                    talk.push(Asked { prompt: text, answer: Answer::Unknown });
                }
                "gpt" | "assistant" | "chatgpt" => {
                    if let Some(asked) = talk.last_mut() {
                        asked.answer = Answer::Text(text);
                    }
                }
                _ => {} // system and tool messages
            }
        }
        if !talk.is_empty() {
            talks.push(talk);
        }
    }
    if talks.is_empty() { Err(PromptError::Nothing(file.to_owned())) } else { Ok(talks) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str, _: bool) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    fn options() -> ListedOptions {
        ListedOptions { turns: 1, output: None, cache: Cache::Cold, special: false, seed: 1, nonce: 2 }
    }

    #[test]
    fn files_of_each_form() {
        let talks = lines("f", "hello\n\n{\"prompt\":\"a\\nb\",\"output_tokens\":3}\n").unwrap();
        assert_eq!(talks.len(), 2);
        assert_eq!(talks[1], [Asked { prompt: "a\nb".into(), answer: Answer::Tokens(3) }]);
        let error = lines("f.jsonl", "x\n{\"y\":1}").unwrap_err().to_string();
        assert_eq!(error, "f.jsonl: line 2: expected a string prompt, text or input");
        let error = lines("f.jsonl", "{\"prompt\":\"x\",\"output_tokens\":-1}").unwrap_err().to_string();
        assert_eq!(error, "f.jsonl: line 1: output_tokens: expected 1 to 10000000, found -1");
        assert!(matches!(lines("f", " \n"), Err(PromptError::Nothing(_))));
        let talk = r#"[{"id":"x","conversations":[{"from":"system","value":"s"},{"from":"human","value":"q1"},
            {"from":"gpt","value":"four"},{"from":"human","value":"q2"},{"from":"gpt","value":"12345"}]},
            {"conversations":[]}]"#;
        let talks = share_gpt("f", talk).unwrap();
        let mut listed = Listed::new(talks, ListedOptions { turns: 2, ..options() }, Some(Arc::new(bytes)));
        assert!(listed.tells_lengths());
        let outputs: Vec<_> = listed.next().unwrap().turns.iter().map(|turn| turn.output_tokens).collect();
        assert_eq!(outputs, [Some(4), Some(5)]);
        let by_line = "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}\n{\"messages\":[]}\n";
        assert_eq!(share_gpt("f", by_line).unwrap(), [[Asked { prompt: "q".into(), answer: Answer::Unknown }]]);
        for wrong in ["", "{}", "[]", "[1]", r#"[{"conversations":[{"value":"x"}]}]"#, "[{\"conversations\":3}]"] {
            assert!(share_gpt("f", wrong).is_err(), "{wrong}");
        }
        let error = share_gpt("f", "[{\"conversations\":[{\"value\":\"x\"}]}]").unwrap_err().to_string();
        assert!(error.contains("missing field `from` at line 1 column"), "{error}");
    }

    #[test]
    fn lengths_that_nobody_counts_are_not_made_up() {
        let talk = r#"[{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"four"}]}]"#;
        let mut listed = Listed::new(share_gpt("f", talk).unwrap(), options(), None);
        assert!(!listed.tells_lengths());
        assert_eq!(listed.next().unwrap().turns[0].output_tokens, None);
    }

    #[test]
    fn every_prompt_once_a_round_and_never_alike() {
        let talks = lines("f", "a\nb\nc").unwrap();
        let mut listed = Listed::new(talks.clone(), options(), Some(Arc::new(bytes)));
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
        assert_eq!((six[0].turns[0].prompt_tokens, listed.lengths().counted), (Some(12), true));
        let mut starts: Vec<_> = texts.iter().map(|text| &text[..10]).collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts.len(), 6);
        let warm = ListedOptions { output: Some(Lengths::Fixed(5)), cache: Cache::Warm, ..options() };
        let mut warm = Listed::new(talks, warm, None);
        let first = warm.next().unwrap();
        assert_eq!(
            first.turns[0],
            Turn { prompt: Prompt::Text("a".into()), prompt_tokens: None, output_tokens: Some(5) }
        );
        assert_eq!(warm.next().unwrap(), first);
    }
}
