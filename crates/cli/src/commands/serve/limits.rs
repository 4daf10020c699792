//! The flags that bound what a server does for whom.

use super::{api_key, duration};
use pacemark_server::Options;
use std::time::Duration;

/// Keys, limits, timeouts, what is logged.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Limits {
    /// Keys of which requests must carry one; /health and /ready need none
    #[arg(long, value_name = "KEY", env = "PACEMARK_API_KEY", hide_env_values = true, value_delimiter = ',',
          value_parser = api_key)]
    api_key: Vec<String>,
    /// Bytes of a request at most
    #[arg(long, value_name = "N", default_value_t = 4 << 20, value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    max_body_bytes: u64,
    /// Tokens of a prompt at most [default: the context]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_prompt_tokens: Option<u32>,
    /// The largest max_tokens that a request may ask for [default: the context]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// Connections at once; more get 429
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_connections: u32,
    /// Answers that may wait for their turn; more get 429
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_queue: u32,
    /// Time for a request's headers to come, also on a connection that is kept open
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    header_timeout: Duration,
    /// Time for a request's body to come
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    body_timeout: Duration,
    /// How long a client may take nothing of its answer before it is given up
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    write_timeout: Duration,
    /// Time for answers under way to end after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    drain_timeout: Duration,
    /// Web origins whose pages may call this server, * for any [default: none]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    cors_origin: Vec<String>,
    /// Names by which browsers call a server that listens on this machine alone and asks for no key, as a proxy
    /// passes them on [default: localhost and addresses]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    allow_host: Vec<String>,
    /// Threads for connections
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    http_threads: u16,
    /// No line on standard error for each request
    #[arg(short, long)]
    quiet: bool,
    /// Show prompts in those lines
    #[arg(long, conflicts_with = "quiet")]
    log_prompts: bool,
}

impl Limits {
    /// As the server takes them; `host` is what it listens on.
    pub(super) fn options(
        &self,
        model_names: Vec<String>,
        host: &str,
        reached_by_others: bool,
    ) -> Options {
        // Where others reach it, their names for it are not known here; and no web page has a key.
        let is_guarded = !reached_by_others && self.api_key.is_empty();
        let names = self.allow_host.iter().map(String::as_str).chain([host]);
        let known_hosts = is_guarded.then(|| names.map(str::to_owned).collect());
        let or_any = |limit: Option<u32>| limit.map_or(usize::MAX, |n| n as usize);
        Options {
            model_names,
            api_keys: self.api_key.clone(),
            max_body_bytes: self.max_body_bytes as usize,
            max_prompt_tokens: or_any(self.max_prompt_tokens),
            max_tokens: or_any(self.max_tokens),
            max_connections: self.max_connections as usize,
            max_queue: self.max_queue as usize,
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
            write_timeout: self.write_timeout,
            drain_timeout: self.drain_timeout,
            cors_origins: self.cors_origin.clone(),
            known_hosts,
            quiet: self.quiet,
            log_prompts: self.log_prompts,
            n_threads: usize::from(self.http_threads),
            ..Options::default()
        }
    }
}
