//! The seam of serving: a backend that many threads hand requests to, and that computes them
//! together.
//!
//! A [`Service`] pushes the events of a [`Backend`](crate::Backend)'s stream into a [`Sink`] from a
//! thread of its own, so that one thread can compute for thousands of listeners. Text is part of
//! the seam ([`Text`]), because only the engine knows its tokenizer and its chat template; wire
//! formats are not.

use crate::{
    BackendError, BackendInfo, Bell, Capabilities, Elsewhere, Event, GenerateRequest, MemoryUsage,
    TokenId,
};
use std::fmt;
use std::sync::Weak;

/// Takes the events of one request, in order, on the service's thread: it must not block.
pub type Sink = Box<dyn FnMut(Event) + Send>;

/// Takes an embedding `[n_embd]`, or why there is none.
pub type EmbeddingSink = Box<dyn FnOnce(Result<Vec<f32>, BackendError>) + Send>;

/// A backend that serves many at once.
pub trait Service: Send + Sync {
    /// What runs.
    fn info(&self) -> BackendInfo;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Its tokenizer and chat template; `None` for a model that has no tokenizer.
    fn text(&self) -> Option<&dyn Text>;

    /// Queues a request. Errors that concern the request arrive as [`Event::Failed`]. Dropping the
    /// ticket aborts the request and frees what it held; nothing follows in the sink then but what
    /// was under way.
    fn submit(&self, request: GenerateRequest, sink: Sink) -> Ticket;

    /// From now on `bell` is rung whenever events were handed to sinks on the service's own
    /// threads, once for all that were handed over together. Those that `submit` hands over before
    /// it returns are not among them.
    fn add_bell(&self, bell: Weak<Bell>);

    /// Queues the computation of a prompt's embedding. Without a `pooling` the model's own is used.
    fn embed(&self, prompt: Vec<TokenId>, pooling: Option<Pooling>, sink: EmbeddingSink) -> Ticket {
        let _ = (prompt, pooling);
        sink(Err(BackendError::Unsupported {
            backend: "this backend",
            ability: "compute embeddings".into(),
        }));
        Ticket::default()
    }

    /// Tokens that may follow `n_prompt` of a prompt where a policy decides what of their keys and
    /// values is kept ([`GenerateRequest::kv`]); 0 where the prompt does not fit, or an error that
    /// says why where a policy has to do with it.
    fn room(&self, kv: Option<&str>, n_prompt: usize) -> Result<usize, BackendError> {
        if kv.is_some_and(|spec| spec != "full") {
            let (backend, ability) = ("this backend", "let go of keys and values");
            return Err(BackendError::Unsupported { backend, ability: ability.into() });
        }
        Ok(self.info().n_ctx.saturating_sub(n_prompt))
    }

    /// What it is doing now, and what it has done since it was started.
    fn status(&self) -> ServiceStatus;

    /// Memory held, where it can be known.
    fn memory(&self) -> Option<MemoryUsage> {
        None
    }

    /// Workers on other machines and what they were used for until the last batch ended; `None` where
    /// all is computed here.
    fn elsewhere(&self) -> Option<Elsewhere> {
        None
    }

    /// Why no request will be answered any more.
    fn broken(&self) -> Option<String> {
        None
    }
}

/// Which of the last layer's (normed) states make the embedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean over the prompt.
    #[default]
    Mean,
    /// That of the first token.
    Cls,
    /// That of the last token.
    Last,
}

/// Text in and out of token ids.
pub trait Text: Send + Sync {
    /// Ids of `text`. With `special`, the tokens that start a sequence are added and special tokens
    /// written out are taken as such; without, the text is nothing but text.
    fn encode(&self, text: &str, special: bool) -> Vec<TokenId>;

    /// Text of `tokens`, special tokens written out. Bytes that are no characters are replaced.
    fn decode(&self, tokens: &[TokenId]) -> Result<String, BackendError>;

    /// Bytes that one token stands for; `None` outside the vocabulary.
    fn token_bytes(&self, token: TokenId) -> Option<Vec<u8>>;

    /// The prompt text that the model was trained on for this conversation, for
    /// [`Text::encode_chat`].
    fn render(&self, chat: &Chat) -> Result<String, BackendError>;

    /// Ids of a prompt from [`Text::render`]: special tokens are those that it wrote.
    fn encode_chat(&self, prompt: &str) -> Vec<TokenId>;

    /// The source of the chat template that shows the model the tools of a chat, and so teaches it
    /// to write calls. Without one [`Text::render`] tells of them in words, and asks for calls as
    /// JSON between `<tool_call>` tags.
    fn tool_template(&self) -> Option<&str>;
}

/// A conversation, as OpenAI's API has it; what a template makes of further fields is its own
/// affair.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    /// Objects with `role` and `content`, and `tool_calls` or `tool_call_id` where the role has
    /// them.
    pub messages: Vec<serde_json::Value>,
    /// Definitions of the tools that the model may call.
    pub tools: Option<serde_json::Value>,
    /// Tell of tools in words even where the template would show them.
    pub tell_tools: bool,
    /// Further variables of the template, e.g. `enable_thinking`.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// Gauges and counters of a service; counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Requests being computed.
    pub running: usize,
    /// Requests queued.
    pub waiting: usize,
    /// Blocks of the KV cache in use by requests.
    pub kv_blocks_used: usize,
    /// Blocks of the KV cache.
    pub kv_blocks: usize,
    /// Prompt tokens computed or found in the prefix cache.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub generated_tokens: u64,
    /// Prompt tokens looked up in the prefix cache.
    pub prefix_queries: u64,
    /// Of those, tokens found there.
    pub prefix_hits: u64,
    /// Times a request lost its KV to another and was computed again.
    pub preemptions: u64,
    /// Tokens guessed by speculation.
    pub drafted_tokens: u64,
    /// Of those, tokens that the model agreed with.
    pub accepted_tokens: u64,
    /// Forward passes.
    pub steps: u64,
}

/// A submitted request; dropping it aborts the request, unless it has ended.
#[derive(Default)]
pub struct Ticket(Option<Box<dyn FnOnce() + Send>>);

impl Ticket {
    /// A ticket that runs `abort` when it is dropped; `abort` does nothing to a request that has
    /// ended.
    pub fn new(abort: impl FnOnce() + Send + 'static) -> Ticket {
        Ticket(Some(Box::new(abort)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(abort) = self.0.take() {
            abort();
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}
