//! One request's answer as it comes: bytes of its stream become events, each with the stamp of the
//! bytes that completed it.

use super::chunk::{self, Chunk, Logprob, Usage};
use super::dialect::{Dialect, Word};
use super::text;
use crate::logprob::credible;
use pacemark_backend::{
    BackendError, Event, FinishReason, GenerateRequest, Phases, TokenId, Usage as Counts,
};
use pacemark_openai_api::sse::{SseDecoder, SseLimits};
use pacemark_tokenizer::Tokenizer;
use std::collections::VecDeque;
use std::time::Instant;

/// What an answer is read by.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub tokenizer: &'a Tokenizer,
    pub dialect: &'a Dialect,
}

/// A token that may be the last: which one is, is known when the next comes or none does.
struct Held {
    id: TokenId,
    text: String,
    logprob: Option<Logprob>,
    at: Instant,
}

/// An answer.
pub(super) struct Flow {
    pub request: GenerateRequest,
    decoder: SseDecoder,
    held: Option<Held>,
    /// Tokens so far, the one that is held among them.
    n: usize,
    /// The end was announced: a reason or `[DONE]`.
    finish: Option<String>,
    done: bool,
    usage: Usage,
    /// When the last bytes came.
    at: Instant,
    wrong: Option<String>,
    began_as: Vec<u8>,
}

impl Flow {
    pub(super) fn new(request: GenerateRequest) -> Flow {
        Flow {
            request,
            decoder: SseDecoder::new(SseLimits::default()),
            held: None,
            n: 0,
            finish: None,
            done: false,
            usage: Usage::default(),
            at: Instant::now(),
            wrong: None,
            began_as: Vec::new(),
        }
    }

    /// The head came: the request was sent then.
    pub(super) fn begin(&mut self, sent: Instant, out: &mut VecDeque<Event>) {
        self.at = sent;
        out.push_back(Event::Started { at: sent, cached_tokens: 0 });
    }

    /// Bytes of the stream; whether there may be more.
    pub(super) fn bytes(
        &mut self,
        by: Reader<'_>,
        bytes: &[u8],
        at: Instant,
        out: &mut VecDeque<Event>,
    ) {
        if self.wrong.is_some() {
            return;
        }
        if self.began_as.len() < 200 {
            self.began_as.extend(&bytes[..bytes.len().min(200)]);
        }
        // The kernel's clock and this process's differ by little, but order is a promise.
        self.at = self.at.max(at);
        let mut chunks = Vec::new();
        let mut done = false;
        let decoded = self.decoder.push(bytes, |event| match event.data.trim_ascii() {
            b"[DONE]" => done = true,
            b"" => {}
            data => chunks.push(chunk::read(data)),
        });
        self.done |= done;
        for chunk in chunks {
            match chunk {
                Ok(chunk) => self.take(by, chunk, out),
                Err(why) => self.wrong = Some(why),
            }
        }
        if let Err(error) = decoded {
            self.wrong = Some(error.to_string());
        }
    }

    /// Tokens of a chunk.
    fn take(&mut self, by: Reader<'_>, chunk: Chunk, out: &mut VecDeque<Event>) {
        let before = self.usage.output.unwrap_or(0);
        // A number from outside: so many events would be made of it. The end itself may be one more.
        let most = self.request.max_tokens.max(1) as u64 + 1;
        if let Some(told) = chunk.usage.output.filter(|told| *told > most) {
            self.wrong = Some(format!("expected at most {most} tokens, the server counted {told}"));
            return;
        }
        self.usage.update(chunk.usage);
        self.finish = chunk.finish.or(self.finish.take());
        let told = chunk.ids.filter(|_| by.dialect.gives_ids);
        let are_told = told.is_some();
        let ids = told.unwrap_or_else(|| text::ids(by.tokenizer, &chunk.text));
        let counts = by.dialect.has(Word::Counts) && !by.dialect.tells_all_ids();
        let ids = match chunk.usage.output.filter(|_| counts) {
            // Counted in each chunk: ids that are told are right, and may be too few.
            Some(n) => {
                let counted = n.saturating_sub(before) as usize;
                let n = if are_told { counted.max(ids.len()) } else { counted };
                text::fit(ids, n, hidden(by))
            }
            None => ids,
        };
        if self.request.max_tokens == 0 {
            return;
        }
        let (last, mut logprobs) = (ids.len().saturating_sub(1), chunk.logprobs.into_iter());
        let mut text = Some(chunk.text);
        if ids.is_empty() {
            // Text that is of the tokens before.
            if let (Some(held), Some(text)) = (&mut self.held, text.take()) {
                held.text.push_str(&text);
            }
        }
        for (i, id) in ids.into_iter().enumerate() {
            let text = text.take_if(|_| i == last).unwrap_or_default();
            self.token(Held { id, text, logprob: logprobs.next(), at: self.at }, out);
        }
    }

    fn token(&mut self, next: Held, out: &mut VecDeque<Event>) {
        self.n += 1;
        if let Some(held) = self.held.replace(next) {
            out.push_back(self.event(held, false));
        }
    }

    fn event(&self, held: Held, last: bool) -> Event {
        let wanted = self.request.top_logprobs;
        let told = held.logprob.filter(|_| wanted.is_some());
        // What can be none was not told.
        let (logprob, mut top) =
            told.map_or((None, Vec::new()), |l| (credible(l.logprob.into()).ok(), l.top));
        top.truncate(wanted.unwrap_or(0));
        Event::Token { id: held.id, text: held.text, logprob, top, last, at: held.at }
    }

    /// The answer has ended in order: its last token and its counts, or what is wrong with it.
    pub(super) fn end(&mut self, by: Reader<'_>, out: &mut VecDeque<Event>) {
        if let Err(why) = self.judge(by, out) {
            out.push_back(Event::Failed(BackendError::Engine(why)));
            return;
        }
        if let Some(held) = self.held.take() {
            out.push_back(self.event(held, true));
        }
        let wanted = self.request.max_tokens;
        let stopped = self.finish.as_deref().is_some_and(|reason| reason != "length");
        let reason = if stopped && (self.n < wanted || wanted == 0) {
            FinishReason::Stop
        } else {
            FinishReason::Length
        };
        let reason = if wanted == 0 { FinishReason::Length } else { reason };
        let usage = Counts {
            prompt_tokens: self.request.prompt.len(),
            cached_tokens: self.usage.cached.unwrap_or(0) as usize,
            output_tokens: self.n,
            kv: None,
        };
        out.push_back(Event::Finished { reason, usage, phases: Phases::default(), at: self.at });
    }

    fn judge(&mut self, by: Reader<'_>, out: &mut VecDeque<Event>) -> Result<(), String> {
        if let Some(why) = self.wrong.take() {
            return Err(format!("{why} (after {} tokens)", self.n));
        }
        if !self.done && self.finish.is_none() {
            let found = super::words::excerpt_of(&self.began_as);
            return Err(match self.n {
                0 if !found.starts_with("data:") => {
                    format!("expected an event stream, found: {found}")
                }
                n => format!(
                    "the stream ended after {n} tokens, without a finish reason and without [DONE]"
                ),
            });
        }
        let expected = self.request.prompt.len();
        if let Some(found) = self.usage.prompt.filter(|found| *found != expected as u64) {
            return Err(format!(
                "the prompt has {expected} tokens, the server counted {found}: is it the same model (-m)?"
            ));
        }
        let is_compared = self.request.max_tokens > 0 && !by.dialect.tells_all_ids();
        let Some(told) = self.usage.output.filter(|_| is_compared) else { return Ok(()) };
        let told = told as usize;
        // One token more than its text has is the end itself.
        if told > self.n && self.request.ignore_eos {
            let at = self.at;
            for _ in self.n..told {
                self.token(Held { id: hidden(by), text: String::new(), logprob: None, at }, out);
            }
        }
        if told < self.n {
            return Err(format!(
                "the server counted {told} tokens, their text is {} by the model's tokenizer here",
                self.n
            ));
        }
        Ok(())
    }
}

/// What stands for a token that a server keeps to itself: mostly such tokens are special ones.
fn hidden(by: Reader<'_>) -> TokenId {
    by.tokenizer.eos().unwrap_or(0)
}
