//! Finds what a server takes, by a few tiny requests: a server says nothing of it, and most pass over
//! words that they do not know. So what is refused is found word by word, and whether a word is
//! obeyed by making the model want to end.

use super::chunk::{self, Chunk};
use super::dialect::{Dialect, Obeyed, PromptAs, ScoreBy, Word};
use super::link::Link;
use super::{OpenAiError, score, text, words};
use pacemark_backend::{BackendError, TokenId};
use pacemark_load::Whole;
use pacemark_openai_api::sse::{SseDecoder, SseLimits};
use pacemark_tokenizer::Tokenizer;
use serde_json::{Map, Value, json};

/// What probes are made of.
pub(super) struct Probe<'a> {
    pub link: &'a Link,
    pub model: &'a str,
    pub tokenizer: &'a Tokenizer,
}

/// A text of many kinds of characters.
const TELLING: &str = "Fox-quick: 1234567 naïve größe, 你好!\n\n\tfn() {} Жук жук жук, qqq";

/// Tokens that a probe of an answer asks for.
const N: usize = 4;

/// An answer to a probe: its chunks that carry something, and what they say together.
#[derive(Debug, Default)]
struct Answer {
    n_chunks: usize,
    n_ids: usize,
    /// Chunks with text that count tokens.
    n_counted: usize,
    all: Chunk,
}

impl Probe<'_> {
    /// All that is found.
    pub(super) fn find(&self) -> Result<(Dialect, Vec<String>), OpenAiError> {
        let ids = self.tokenizer.encode_prompt("The quick brown fox");
        let prompt = self.prompt(&ids)?;
        let mut dialect = Dialect {
            prompt,
            words: Vec::new(),
            gives_ids: false,
            logprobs: false,
            score: None,
            goes_on: Obeyed::Unknown,
        };
        let sent = text::prompt(self.tokenizer, prompt, &ids)?;
        dialect.words = self.words(&sent)?;
        let answer = self.answer(&sent, &dialect.words, |_| ())?;
        dialect.gives_ids = answer.n_ids > 0;
        // Taken by many who pass over it.
        dialect.words.retain(|word| *word != Word::Counts || answer.n_counted > 0);
        // Only who has no other way is asked for all that `verbose` says.
        let others: Vec<Word> =
            dialect.words.iter().copied().filter(|word| *word != Word::Tokens).collect();
        if self.answer(&sent, &others, |_| ())?.n_ids >= answer.n_ids {
            dialect.words = others;
        }
        self.same_tokens(prompt)?;
        let merged = answer.all.usage.output.is_some_and(|n| n > answer.n_chunks as u64);
        dialect.logprobs = self.logprobs(&sent, &dialect.words);
        dialect.goes_on = self.goes_on(&sent, &dialect.words);
        dialect.score = (prompt == PromptAs::Ids).then(|| self.score(&ids)).flatten();
        let warnings = warnings(&dialect, &answer, merged);
        Ok((dialect, warnings))
    }

    fn body(
        &self,
        prompt: &Value,
        words: &[Word],
        more: impl Fn(&mut Map<String, Value>),
    ) -> String {
        let mut body = Map::new();
        body.insert("model".into(), self.model.into());
        body.insert("prompt".into(), prompt.clone());
        body.insert("max_tokens".into(), N.into());
        body.insert("temperature".into(), 0.into());
        body.insert("stream".into(), true.into());
        words.iter().for_each(|word| word.say(&mut body, N));
        more(&mut body);
        Value::Object(body).to_string()
    }

    /// Its answer, of any status.
    fn ask(&self, body: &str) -> Result<Whole, BackendError> {
        self.link.ask(&self.link.completions(), body)
    }

    fn answer(
        &self,
        prompt: &Value,
        words: &[Word],
        more: impl Fn(&mut Map<String, Value>),
    ) -> Result<Answer, BackendError> {
        let whole = self.ask(&self.body(prompt, words, more))?;
        let path = self.link.completions();
        if whole.status != 200 {
            return Err(self.link.refusal(&path, &whole));
        }
        read(&whole.bytes)
            .map_err(|why| BackendError::Engine(format!("{}: {why}", self.link.url(&path))))
    }

    /// Whether it takes ids: it counts as many as were sent. One that refuses them, or reads them as
    /// something else, is sent text.
    fn prompt(&self, ids: &[TokenId]) -> Result<PromptAs, OpenAiError> {
        let body = json!({
            "model": self.model, "prompt": ids, "max_tokens": 1, "temperature": 0, "stream": false,
        });
        let whole = self.ask(&body.to_string())?;
        match whole.status {
            200 => {
                let path = self.link.url(&self.link.completions());
                let answer = chunk::read(&whole.bytes)
                    .map_err(|why| OpenAiError::Server(format!("{path}: {why}")))?;
                let counted = answer.usage.prompt.is_none_or(|n| n == ids.len() as u64);
                Ok(if counted { PromptAs::Ids } else { PromptAs::Text })
            }
            // Servers in Go and Python tell of a type that they did not expect in these ways.
            400 | 422 | 500 => Ok(PromptAs::Text),
            _ => Err(self.link.refusal(&self.link.completions(), &whole).into()),
        }
    }

    /// Whether the server's tokens are the file's: a text that tokenizers cut differently has as many.
    /// One more or less is the token that starts a sequence.
    fn same_tokens(&self, sent_as: PromptAs) -> Result<(), OpenAiError> {
        if sent_as == PromptAs::Text {
            // Counted with every prompt.
            return Ok(());
        }
        let body = json!({
            "model": self.model, "prompt": TELLING, "max_tokens": 1, "temperature": 0, "stream": false,
        });
        let whole = self.ask(&body.to_string())?;
        let counted = chunk::read(&whole.bytes).ok().and_then(|answer| answer.usage.prompt);
        let ours = self.tokenizer.encode_prompt(TELLING).len() as u64;
        match counted.filter(|theirs| whole.status == 200 && theirs.abs_diff(ours) > 1) {
            None => Ok(()),
            Some(theirs) => Err(OpenAiError::Server(format!(
                "{}: a text of {theirs} tokens there is {ours} by the file of -m: it is not the same model",
                self.link.url(&self.link.completions())
            ))),
        }
    }

    /// Words that are not refused.
    fn words(&self, prompt: &Value) -> Result<Vec<Word>, OpenAiError> {
        let is_taken = |words: &[Word]| -> Result<bool, OpenAiError> {
            let whole = self.ask(&self.body(prompt, words, |_| ()))?;
            match whole.status {
                200 => Ok(true),
                // llama-server says 500 of what it does not support.
                400 | 405..=499 | 500 => Ok(false),
                _ => Err(self.link.refusal(&self.link.completions(), &whole).into()),
            }
        };
        if is_taken(&Word::ALL)? {
            return Ok(Word::ALL.to_vec());
        }
        // Without any of them it must do, or something else is wrong.
        self.answer(prompt, &[], |_| ())?;
        let mut taken = Vec::new();
        for word in Word::ALL {
            if is_taken(&[word])? {
                taken.push(word);
            }
        }
        Ok(taken)
    }

    /// Whether alternatives come with ids.
    fn logprobs(&self, prompt: &Value, words: &[Word]) -> bool {
        let answer = self.answer(prompt, words, |body| {
            body.insert("logprobs".into(), 3.into());
            body.insert("return_tokens_as_token_ids".into(), true.into());
        });
        answer.is_ok_and(|answer| {
            let told = &answer.all.logprobs;
            told.len() == N && told.iter().all(|token| token.top.len() >= 3)
        })
    }

    /// Whether it goes on after an end: with a bias that makes the model end at once, an answer of
    /// all tokens is obedience, if without these words the answer ends.
    fn goes_on(&self, prompt: &Value, words: &[Word]) -> Obeyed {
        let Some(end) = self.tokenizer.eos() else { return Obeyed::Unknown };
        let (ending, others): (Vec<Word>, Vec<Word>) =
            words.iter().partition(|word| matches!(word, Word::IgnoreEos | Word::MinTokens));
        if ending.is_empty() {
            return Obeyed::No;
        }
        let n_tokens = |words: &[Word]| {
            let answer = self.answer(prompt, words, |body| {
                body.insert("logit_bias".into(), json!({ end.to_string(): 100 }));
            });
            answer.ok().and_then(|answer| {
                answer.all.usage.output.or(Some(answer.n_ids as u64).filter(|n| *n > 0))
            })
        };
        match (n_tokens(&others), n_tokens(words)) {
            (Some(without), Some(with)) if without < N as u64 => {
                if with >= N as u64 {
                    Obeyed::Yes
                } else {
                    Obeyed::No
                }
            }
            _ => Obeyed::Unknown,
        }
    }

    /// How it tells log-probabilities of a prompt, if in any of the known ways.
    fn score(&self, ids: &[TokenId]) -> Option<ScoreBy> {
        let ways = [
            ScoreBy::Echo { max_tokens: 0 },
            ScoreBy::Echo { max_tokens: 1 },
            ScoreBy::PromptLogprobs,
        ];
        ways.into_iter().find(|way| score::ask(self.link, *way, self.model, ids).is_ok())
    }
}

/// An answer that came whole: a stream, or one object of who does not stream.
fn read(bytes: &[u8]) -> Result<Answer, String> {
    let (mut answer, mut wrong, mut is_stream) = (Answer::default(), None, false);
    let decoded = SseDecoder::new(SseLimits::default()).push(bytes, |event| {
        is_stream = true;
        if event.data.trim_ascii() == b"[DONE]" || event.data.is_empty() {
            return;
        }
        match chunk::read(event.data) {
            Ok(chunk) => {
                let n_ids = chunk.ids.as_ref().map_or(0, Vec::len);
                answer.n_ids += n_ids;
                answer.n_chunks += usize::from(n_ids > 0 || !chunk.text.is_empty());
                answer.n_counted +=
                    usize::from(!chunk.text.is_empty() && chunk.usage.output.is_some());
                answer.all.usage.update(chunk.usage);
                answer.all.logprobs.extend(chunk.logprobs);
            }
            Err(why) => wrong = Some(why),
        }
    });
    decoded.map_err(|error| error.to_string())?;
    if !is_stream {
        return Err(format!("expected an event stream, found: {}", words::excerpt_of(bytes)));
    }
    wrong.map_or(Ok(answer), Err)
}

fn warnings(dialect: &Dialect, answer: &Answer, merged: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if dialect.prompt == PromptAs::Text {
        warnings.push(
            "the server takes no token ids: prompts are sent as text where that is the same tokens"
                .into(),
        );
    }
    if !dialect.gives_ids {
        let why = "the server tells no token ids: those of the output are its text's, read by the model's tokenizer here";
        warnings.push(why.into());
    }
    if answer.all.usage.output.is_none() {
        warnings.push("the server counts no tokens (usage): counts are of its chunks".into());
    }
    if merged {
        let why = "the server sends several tokens in a chunk: they share its stamp";
        warnings.push(why.into());
    }
    match dialect.goes_on {
        Obeyed::Yes => {}
        Obeyed::No => warnings.push(
            "the server ends an answer where the model does (no ignore_eos, no min_tokens): rows of so many tokens may fail"
                .into(),
        ),
        Obeyed::Unknown => warnings.push(
            "whether the server goes on where the model would end (ignore_eos, min_tokens) could not be tried".into(),
        ),
    }
    if !dialect.has(Word::NoCache) && !dialect.has(Word::Salt) {
        warnings.push("the server cannot be told to compute a prompt that its cache has".into());
    }
    warnings
}
