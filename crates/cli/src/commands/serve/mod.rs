//! `pacemark serve`: a model, or a mock of one, behind OpenAI's HTTP API.

mod lab;
mod limits;
mod mock;
mod scheduling;
mod service;

use crate::backend::{self, BackendArgs, is_native};
use crate::exit::{Exit, UsageError};
use crate::offload::DeviceArgs;
use crate::{hub, input, interrupt, setup, template};
use anyhow::{Context, Result};
use limits::Limits;
use pacemark_backend::{BackendInfo, MockOptions};
use pacemark_backends::BackendEntry;
use pacemark_server::Options;
use pacemark_setup::{Setup, Threads};
use scheduling::Scheduling;
use std::net::TcpListener;
use std::path::Path;

const EXAMPLES: &str = r#"Examples:
  pacemark serve                                     the default model at http://127.0.0.1:8080
  pacemark serve -m model.gguf --port 9000 --max-num-seqs 32
  pacemark serve --host 0.0.0.0 --api-key "$KEY"     for other machines: only with a key
  pacemark serve --chat-template mine.jinja          chats in a template of your own
  pacemark serve --backend llama-cpp -m model.gguf   another engine, in static batches: see --backend
  pacemark serve --mock ttft=50ms,itl=10ms           no model: tokens by the clock, to calibrate clients
  curl http://127.0.0.1:8080/api/benchmark -H 'content-type: application/json' \
    -d '{"model_name": "smollm2-135m", "test_types": ["latency", "memory"]}'
  curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \
    -d '{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 16}'

Routes: /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/models, /tokenize, /detokenize, /health, /ready,
/metrics (Prometheus), /openapi.json, /api/benchmark (benchmarks as jobs), / (pages for a browser: docs/lab.md). SIGTERM and Ctrl-C let answers under way end, a second one does not."#;

/// Serve a model over OpenAI's HTTP API
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Model: a GGUF file, a Hugging Face directory, a name of `pacemark models list`, or
    /// hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    #[command(flatten)]
    backend: BackendArgs,
    /// Instead of a model: a token at each tick of a clock, e.g. ttft=50ms,itl=10ms; further
    /// prompt=TIME (for each prompt token), ctx=N, seqs=N (at once; others wait), and last
    /// answer=TEXT (said instead of made-up words)
    #[arg(long, value_name = "SPEC", value_parser = mock::options, conflicts_with_all = ["model", "backend"])]
    mock: Option<MockOptions>,
    #[arg(long, value_name = "NAME|FILE", visible_alias = "chat-template-file", conflicts_with = "mock", help = template::HELP,
          long_help = template::LONG_HELP)]
    chat_template: Option<String>,
    /// What requests call the model; answers call it by the first [default: from -m]
    #[arg(short = 'a', long, value_name = "NAME", value_delimiter = ',')]
    served_model_name: Vec<String>,
    /// Address or name of this machine to listen on; other machines reach 0.0.0.0
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1", value_parser = host)]
    host: String,
    /// Port to listen on; 0 for any that is free, which is printed
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// End when standard input does: for a program that starts a server of its own
    #[arg(long, hide = true)]
    until_eof: bool,
    /// Threads that compute one token [default: all cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Threads that compute prompts and batches [default: as many as -t] (-tb)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads_batch: Option<u16>,
    /// Context of a request in tokens [default: what the model was trained for, at most 8192]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    ctx_size: Option<u32>,
    #[command(flatten)]
    kv: setup::KvArgs,
    #[command(flatten)]
    keep: setup::KeepArgs,
    #[command(flatten)]
    placement: setup::HostArgs,
    #[command(flatten)]
    devices: DeviceArgs,
    #[command(flatten)]
    scheduling: Scheduling,
    #[command(flatten)]
    jobs: lab::JobArgs,
    #[command(flatten)]
    limits: Limits,
}

impl Args {
    /// The setup of the model in this backend.
    fn setup(&self, entry: &BackendEntry) -> Result<Setup, UsageError> {
        crate::server::refuse(entry, "serve")?;
        let threads =
            setup::threads(self.threads.map(usize::from), self.threads_batch.map(usize::from));
        let place = if is_native(entry) {
            self.placement.place_beside_server(&threads)?
        } else {
            backend::check_policy(entry, self.keep.spec().as_deref())?;
            self.placement.place()?
        };
        let setup = Setup {
            threads: Threads { place, ..threads },
            weights: self.placement.residence(self.weights),
            n_ctx: self.ctx_size.map(|n| n as usize),
            cache: self.kv.types(),
            offload: self.backend.placed(self.devices.offload()?),
            precision: self.devices.precision(),
            ..Setup::default()
        };
        setup::check(entry, self.scheduling.apply(entry, setup)?)
    }
}

/// Runs the command.
pub(super) fn run(args: Args) -> Result<Exit> {
    let entry = args.backend.entry()?;
    // A mock has no use for one.
    let setup = args.mock.is_none().then(|| args.setup(entry)).transpose()?;
    // Before the model is loaded: an address that is taken is known at once, and connections wait
    // until it serves.
    let listener = TcpListener::bind((&*args.host, args.port))
        .with_context(|| format!("cannot listen on {}, port {}", args.host, args.port))?;
    let reached_by_others = !listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let service = service::of(&args, entry, setup)?;
    let info = service.info();
    input::warn(&info);
    let names = if args.served_model_name.is_empty() {
        vec![default_name(&args)]
    } else {
        args.served_model_name.clone()
    };
    let kv = args.keep.spec();
    service.room(kv.as_deref(), 1).context("--kv")?;
    let options = Options { kv, ..args.limits.options(names, &args.host, reached_by_others) };
    let (name, has_keys, max_queue) =
        (options.model_names[0].clone(), !options.api_keys.is_empty(), options.max_queue);
    if reached_by_others && !has_keys {
        eprintln!(
            "warning: anyone who reaches {} may use this server; --api-key KEY asks for a key",
            args.host
        );
    }
    let annex = args.jobs.annex(&args, &options, reached_by_others);
    let server = pacemark_server::start(service, options, listener, annex)
        .context("cannot start the server")?;
    server.drain_on_signals(interrupt::ends_with_terminal()).context("cannot watch for signals")?;
    if args.until_eof {
        std::thread::spawn(end_with_input);
    }
    let BackendInfo { model_type, n_ctx, n_seqs, .. } = info;
    eprintln!(
        "ready: http://{} serves {name} ({model_type}), context {n_ctx}, {n_seqs} at once, {max_queue} may wait",
        server.address()
    );
    Ok(if server.wait() { Exit::Fine } else { Exit::Failed })
}

/// Ends the process with its standard input: whoever wanted answers is gone.
fn end_with_input() {
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink()); // an error is an end too
    std::process::exit(Exit::Fine as i32);
}

/// A model's name without folders and ending.
fn default_name(args: &Args) -> String {
    if args.mock.is_some() {
        return "mock".into();
    }
    match Path::new(&args.model).file_name().and_then(|name| name.to_str()) {
        Some(name) => name.strip_suffix(".gguf").unwrap_or(name).to_string(),
        None => args.model.clone(),
    }
}

/// A time such as `50ms`, `1.5s`, `200us` or `0`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        "" if digits == "0" => 1.0,
        other => {
            return Err(format!(
                "expected a time in s, ms or us such as 50ms, found {other:?} as its unit"
            ));
        }
    };
    let number: f64 =
        digits.parse().map_err(|_| format!("expected a time such as 50ms, found {text:?}"))?;
    let seconds = number * unit;
    if !(0.0..=1e6).contains(&seconds) {
        return Err(format!("expected 0 to 1000000 s, found {text}"));
    }
    Ok(std::time::Duration::from_secs_f64(seconds))
}

/// A name or an address, as a URL may have it too: `[::1]`.
fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
    if bare.is_empty() || !bare.chars().all(fits) {
        return Err(format!(
            "expected a name such as localhost or an address such as 0.0.0.0, found {text:?}"
        ));
    }
    Ok(bare.to_string())
}

/// A usage error where a key is empty: it would let everybody in who sends none.
fn api_key(key: &str) -> Result<String, String> {
    if key.trim().is_empty() { Err("a key must not be empty".into()) } else { Ok(key.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn hosts_are_names_or_addresses() {
        for (text, read) in [
            ("localhost", "localhost"),
            ("[::1]", "::1"),
            ("0.0.0.0", "0.0.0.0"),
            ("my-host.lan", "my-host.lan"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(read));
        }
        for wrong in ["", "http://localhost", "local host", "[]"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in ["5", "-1s", "ms", "1h", "NaNs", "infs", "", "1e99s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
