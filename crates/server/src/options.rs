//! What a server is told when it starts: names, keys, limits, timeouts.

use std::time::Duration;

/// Limits and names. The defaults are those of `pacemark serve`.
#[derive(Clone, Debug)]
pub struct Options {
    /// What requests may call the model; answers and metrics call it by the first.
    pub model_names: Vec<String>,
    /// Keys of which each request must carry one; none for no check.
    pub api_keys: Vec<String>,
    /// Bytes of a request's body at most.
    pub max_body_bytes: usize,
    /// Tokens of a prompt at most; the context bounds it too, unless a policy keeps a part of it.
    /// `usize::MAX` is the context in any case.
    pub max_prompt_tokens: usize,
    /// What `max_tokens` may be at most; the context bounds it likewise.
    pub max_tokens: usize,
    /// What of the keys and values is kept where a request does not say, as a policy's spec; all
    /// of them without one.
    pub kv: Option<String>,
    /// Connections at once.
    pub max_connections: usize,
    /// Answers that wait for their turn, beyond those computed at once.
    pub max_queue: usize,
    /// Requests read, rendered and tokenized at once.
    pub max_preparing: usize,
    /// Events of one request that its client has not taken yet.
    pub max_unread_events: usize,
    /// From a connection being opened or its last answer to the next request's headers.
    pub header_timeout: Duration,
    /// From a request's headers to the end of its body.
    pub body_timeout: Duration,
    /// How long a connection may take nothing.
    pub write_timeout: Duration,
    /// What is left for answers under way when the server drains.
    pub drain_timeout: Duration,
    /// Web origins that browsers may call from, `*` for any; none without.
    pub cors_origins: Vec<String>,
    /// Names by which this server is called, besides addresses and `localhost`: a web page whose name
    /// was made to lead here has another. Any name where there is none.
    pub known_hosts: Option<Vec<String>>,
    /// No line for each request.
    pub quiet: bool,
    /// Prompts in those lines.
    pub log_prompts: bool,
    /// Threads for connections.
    pub n_threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            model_names: vec!["default".into()],
            api_keys: Vec::new(),
            max_body_bytes: 4 << 20,
            max_prompt_tokens: usize::MAX,
            max_tokens: usize::MAX,
            kv: None,
            max_connections: 4096,
            max_queue: 1024,
            max_preparing: 2,
            max_unread_events: 4096,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            cors_origins: Vec::new(),
            known_hosts: None,
            quiet: false,
            log_prompts: false,
            n_threads: 1,
        }
    }
}

impl Options {
    /// Tokens of a prompt at most where the context does not bound it.
    pub(crate) fn prompt_limit(&self, n_ctx: usize) -> usize {
        if self.max_prompt_tokens == usize::MAX { n_ctx } else { self.max_prompt_tokens }
    }

    /// Tokens of an answer at most where the context does not bound it.
    pub(crate) fn answer_limit(&self, n_ctx: usize) -> usize {
        if self.max_tokens == usize::MAX { n_ctx } else { self.max_tokens }
    }

    /// What answers call the model.
    pub(crate) fn model_name(&self) -> &str {
        self.model_names.first().map_or("", String::as_str)
    }
}
