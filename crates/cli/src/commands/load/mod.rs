//! `pacemark load`: requests to a server, and what its users would see.

mod check;
mod child;
pub(super) mod crew;
mod options;
mod plan;
mod progress;
mod rows;
mod self_test;
mod show;

use crate::exit::Exit;
use crate::history::HistoryArgs;
use crate::offload::WorkerArgs;
use crate::until::{self, Time as Duration};
use crate::{experiments, output};
use anyhow::Result;
use pacemark_bench::Load;
use pacemark_load::plan::{Answers, Goal, Ramp};
use pacemark_load::prompt::Cache;
use pacemark_load::{Arrival, Connections, Endpoint, Lengths};
use pacemark_record::{Grades, Slo, Until};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  pacemark load --url http://localhost:8000                        4 streams, 64 requests, 128 tokens in, 64 out
  pacemark load --url http://host:8000 --concurrency 1,2,4,8       one row for each number of streams
  pacemark load --url http://host:8000 --sweep                     doubles the streams until more brings no more
  pacemark load --url http://host:8000 --rate 5 --arrival poisson --duration 60s
  pacemark load --url http://host:8000 --rate 5 --slo ttft:p95<500ms,tpot:p99<50ms   exit code 3 if missed
  pacemark load --url http://host:8000 --ramp 1..20 --duration 2m  the rate rises
  pacemark load --url http://host:8000 --trace day.jsonl           as it came: timestamp, input_length, output_length
  pacemark load --url http://host:8000 --input-tokens lognormal:500,300 --output-tokens uniform:20..200
  pacemark load --url http://host:8000 --dataset sharegpt.json --turns 3
  pacemark load --url http://host:8000 --shared-prefix 1000 --prefix-groups 4
  pacemark load --url http://host:8000 -o json --save run.json     figures for a program; every request, raw
  pacemark load --url http://host:8000 --until 2%                  until the rate is known to 2 %
  pacemark load --show run.json -o csv                             the same figures again
  pacemark load --url http://a:8000,http://b:8000 --concurrency 16 two servers as one, and each of them
  pacemark load --url http://host:8000 --concurrency 400 --workers a,b,c,d   from four machines, over ssh
  pacemark load --url http://host:8000 --concurrency 16 --workers local:4    from four processes here
  pacemark load -m smollm2-135m --concurrency 1,8                  starts a server for it
  pacemark load -m smollm2-135m --rpc 10.0.0.2:50052               with workers (needs a build with --features llama-cpp)
  pacemark load --self-test                                        how far its own stamps are off

Exit codes: 0 fine, 1 nothing was answered, 2 wrong usage, 3 a limit of --slo or --target was missed \
or could not be shown to be met. Ctrl-C shows and saves what was measured until then, and is exit code 1.";

/// Sends requests to an OpenAI-compatible server and measures what comes back.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = experiments::help_of(EXAMPLES, &Load))]
pub(super) struct Args {
    /// The server: http[s]://HOST[:PORT], with or without /v1, another API root (…/api/v3), or a
    /// whole endpoint's address. Several, by commas or --url again, are one target: requests (or
    /// conversations) go to them in turn
    #[arg(long, aliases = ["base-url"], value_name = "URL,…", value_parser = options::urls,
        required_unless_present_any = ["serve", "self_test", "show", "rpc"], conflicts_with_all = ["serve", "self_test", "show"])]
    url: Vec<options::Urls>,
    /// Start `pacemark serve -m MODEL` for this load, on a port of its own, instead of --url
    #[arg(short = 'm', long, value_name = "MODEL", conflicts_with = "self_test")]
    serve: Option<String>,
    /// A further argument of that server, e.g. --serve-arg=-t --serve-arg=2
    #[arg(long, value_name = "ARG", requires = "serve", allow_hyphen_values = true)]
    serve_arg: Vec<String>,
    /// Workers of that server, whose engine is llama.cpp's then
    #[command(flatten)]
    workers: WorkerArgs,
    /// Show the figures of a record that --save wrote, in any format, also with other limits
    /// (--slo)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["serve", "self_test", "save", "no_history", "tags", "note", "model", "endpoint", "no_stream",
        "concurrency", "requests", "duration", "until", "max_time", "rate", "arrival", "ramp", "sweep", "trace", "max_in_flight", "max_concurrency",
        "warmup", "input_tokens", "output_tokens", "prompts", "dataset", "turns", "cache", "shared_prefix", "prompt_ids", "tokenizer", "seed",
        "nonce", "connections", "header", "body", "stamps", "connect_timeout", "first_byte_timeout", "stall_timeout", "timeout"])]
    show: Option<PathBuf>,
    /// Measure this client's own error: its stamps against the clock of a mock server
    #[arg(long, conflicts_with_all = ["rate", "ramp", "trace", "sweep", "dataset", "prompts", "requests", "duration", "slo", "target", "until",
        "max_time", "model", "endpoint", "no_stream", "max_concurrency", "warmup", "input_tokens", "output_tokens", "turns", "cache", "shared_prefix",
        "prompt_ids", "tokenizer", "seed", "nonce", "connections", "header", "body", "cacert", "insecure", "connect_timeout", "first_byte_timeout",
        "stall_timeout", "timeout", "grades"])]
    self_test: bool,
    /// Streams of a self-test; --concurrency means the same there [default: 1,100,1000,2000]
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    streams: Vec<usize>,
    /// Chunks a second of a self-test, at most: server and client share this machine, and the
    /// server's lateness is not the client's error [default: 20000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    self_test_rate: Option<u32>,
    /// What the server calls the model [default: the first of /v1/models]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Which endpoint: chat or completions [default: the one of --url, else chat]
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Endpoint>)]
    endpoint: Option<Endpoint>,
    /// Ask for whole answers instead of streams: no time to first token then
    #[arg(long)]
    no_stream: bool,

    /// Send from several processes as one load: HOST over ssh, or local:N on this machine. Streams,
    /// rates and requests are divided among them
    #[arg(long = "workers", value_name = "WHERE,…", value_delimiter = ',', value_parser = crew::place,
        conflicts_with_all = ["self_test", "show"], help_heading = "Load")]
    crew: Vec<crew::Place>,
    /// What this program is called on the hosts of --workers [default: pacemark]
    #[arg(long, value_name = "COMMAND", help_heading = "Load")]
    worker_command: Option<String>,
    /// Send the first request of the first row at this time, seconds since 1970: for processes that
    /// start by themselves and are to begin together
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["self_test", "show", "crew"], help_heading = "Load")]
    start_at: Option<f64>,
    /// Streams at once, each with its next request when the one before is answered [default: 4; of
    /// a sweep, 1]
    #[arg(long, short = 'c', value_name = "N,…", value_delimiter = ',', help_heading = "Load")]
    concurrency: Vec<usize>,
    /// Requests of each row [default: 64, or 16 a stream; with --duration no bound]
    #[arg(long, aliases = ["num-prompts", "num-requests", "request-count", "max-requests"], short = 'n', value_name = "N", help_heading = "Load")]
    requests: Option<u64>,
    /// Begin no request later than this, e.g. 30s, 2m
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    duration: Option<Duration>,
    /// Go on until half the 95 % interval of the steady rate is so narrow, e.g. 2%, beyond the
    /// requests of each row
    #[arg(long, value_name = "WIDTH", value_parser = until::width, conflicts_with_all = ["duration", "ramp", "trace"],
        help_heading = "Load")]
    until: Option<f64>,
    /// With --until: begin no request of a row later than this, e.g. 30s
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2m",
        requires = "until",
        help_heading = "Load"
    )]
    max_time: Duration,
    /// Requests a second, answered or not, instead of streams; inf: all of them at once
    #[arg(long, aliases = ["request-rate"], value_name = "R,…", value_delimiter = ',', help_heading = "Load",
        conflicts_with_all = ["concurrency", "ramp", "trace"])]
    rate: Vec<f64>,
    /// How requests at a rate arrive: constant, poisson or gamma:CV [default: poisson]
    #[arg(long, value_name = "HOW", value_parser = str::parse::<Arrival>, help_heading = "Load")]
    arrival: Option<Arrival>,
    /// A rate that rises (or falls) over --duration, requests a second
    #[arg(long, value_name = "FROM..TO", requires = "duration", conflicts_with_all = ["concurrency", "trace"],
        help_heading = "Load")]
    ramp: Option<Ramp>,
    /// Doubles streams (or the rate, from --rate) until more brings no more, and finds the knee
    #[arg(long, conflicts_with_all = ["ramp", "trace"], help_heading = "Load")]
    sweep: bool,
    /// Highest level of a sweep
    #[arg(
        long,
        value_name = "LEVEL",
        default_value_t = 1024.0,
        requires = "sweep",
        help_heading = "Load"
    )]
    sweep_to: f64,
    /// Requests as they came: a JSON object a line with arrival_s or timestamp (ms), prompt or
    /// input_tokens, output_tokens
    #[arg(long, value_name = "FILE", conflicts_with = "concurrency", help_heading = "Load")]
    trace: Option<PathBuf>,
    /// Most requests in flight at a rate or from a trace; what has to wait is counted [default:
    /// 4096]
    #[arg(long, value_name = "N", help_heading = "Load")]
    max_in_flight: Option<usize>,
    /// vLLM's and AIPerf's word: streams at once, or with a rate, requests in flight
    #[arg(long, value_name = "N", hide = true, conflicts_with_all = ["concurrency", "max_in_flight"], help_heading = "Load")]
    max_concurrency: Option<usize>,
    /// Requests before counting begins, at each level [default: one a stream; 1 at a rate]
    #[arg(long, aliases = ["num-warmups", "warmup-request-count"], value_name = "N", conflicts_with = "trace", help_heading = "Load")]
    warmup: Option<u64>,

    /// Tokens of a prompt: N, uniform:A..B, normal:MEAN,SD or lognormal:MEAN,SD
    #[arg(long, aliases = ["random-input-len", "isl"], value_name = "LENGTHS", default_value = "128", value_parser = str::parse::<Lengths>,
        conflicts_with_all = ["dataset", "prompts", "trace"], help_heading = "Prompts")]
    input_tokens: Lengths,
    /// Tokens of an answer, likewise; `any` for the server's own end [default: 64; of files,
    /// theirs, else any]
    #[arg(long, aliases = ["random-output-len", "osl"], value_name = "LENGTHS", value_parser = Answers::parse, help_heading = "Prompts")]
    output_tokens: Option<Answers>,
    /// Prompts from a file: a line or a JSON object {"prompt": …} each, or a JSON array of either
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dataset", "trace"], help_heading = "Prompts")]
    prompts: Option<PathBuf>,
    /// Conversations in ShareGPT's JSON form
    #[arg(long, value_name = "FILE", conflicts_with = "trace", help_heading = "Prompts")]
    dataset: Option<PathBuf>,
    /// Requests of a conversation: each holds the ones before it and their answers
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000),
        help_heading = "Prompts")]
    turns: u32,
    /// What of a prompt the server may know: cold (nothing), warm (all prompts are one; those of a
    /// trace are its own) or shared:P (P tokens)
    #[arg(long, value_name = "STATE", default_value = "cold", value_parser = options::cache, help_heading = "Prompts")]
    cache: Cache,
    /// Begin prompts with P tokens that they share, which come on top of --input-tokens
    #[arg(long, value_name = "P", conflicts_with_all = ["cache", "dataset", "prompts", "trace"], help_heading = "Prompts")]
    shared_prefix: Option<u64>,
    /// Different shared prefixes
    #[arg(long, value_name = "K", default_value_t = 1, help_heading = "Prompts")]
    prefix_groups: u64,
    /// Send token ids instead of text (--endpoint completions)
    #[arg(long, conflicts_with_all = ["dataset", "prompts"], help_heading = "Prompts")]
    prompt_ids: bool,
    /// A GGUF file or model name whose tokenizer counts tokens, instead of the server's /tokenize
    #[arg(long, value_name = "MODEL", help_heading = "Prompts")]
    tokenizer: Option<String>,
    /// Decides lengths and arrivals
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Prompts")]
    seed: u64,
    /// Decides words [default: another for each run, so that no cache of the server knows them]
    #[arg(long, value_name = "N", help_heading = "Prompts")]
    nonce: Option<u64>,

    /// Whether connections are used again: reuse or fresh
    #[arg(long, value_name = "HOW", default_value = "reuse", value_parser = options::connections, help_heading = "Client")]
    connections: Connections,
    /// Sent as a bearer token
    #[arg(
        long,
        value_name = "KEY",
        env = "OPENAI_API_KEY",
        hide_env_values = true,
        help_heading = "Client"
    )]
    api_key: Option<String>,
    /// A further header, NAME: VALUE
    #[arg(long, value_name = "HEADER", value_parser = options::header, help_heading = "Client")]
    header: Vec<(String, String)>,
    /// Fields added to every request, as JSON; null leaves one of ours out: {"ignore_eos": null}
    #[arg(long, value_name = "JSON", value_parser = options::body, help_heading = "Client")]
    body: Option<options::Body>,
    /// Believe certificates that are signed by the ones in this PEM file (https) [default: the
    /// system's, or those of SSL_CERT_FILE and SSL_CERT_DIR]
    #[arg(long, aliases = ["ca-cert"], value_name = "FILE", conflicts_with = "insecure", help_heading = "Client")]
    cacert: Option<PathBuf>,
    /// Do not check the server's certificate (https); said in the record
    #[arg(long, short = 'k', help_heading = "Client")]
    insecure: bool,
    /// Wait so long for a connection, TLS included
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = "Client")]
    connect_timeout: Duration,
    /// Wait so long for the head of an answer
    #[arg(long, value_name = "TIME", default_value = "2m", help_heading = "Client")]
    first_byte_timeout: Duration,
    /// Wait so long between two pieces of an answer
    #[arg(long, value_name = "TIME", default_value = "1m", help_heading = "Client")]
    stall_timeout: Duration,
    /// Wait so long for a whole answer
    #[arg(long, value_name = "TIME", default_value = "10m", help_heading = "Client")]
    timeout: Duration,
    /// Do not read the server's own counts (/metrics, once a second) beside the load
    #[arg(long, conflicts_with_all = ["show", "self_test"], help_heading = "Client")]
    no_server_metrics: bool,
    /// Who stamps what arrives: kernel (where it does) or process
    #[arg(long, value_name = "WHO", default_value = "kernel", value_parser = ["kernel", "process"], help_heading = "Client")]
    stamps: String,

    /// Limits, from the schedule: FIGURE:pNN<TIME with ttft, tpot or e2e, e.g.
    /// ttft:p95<500ms,tpot:p99<50ms
    #[arg(long, value_name = "LIMITS", value_parser = str::parse::<Slo>, help_heading = "Output")]
    slo: Option<Slo>,
    /// Thresholds of the grades excellent, good, usable and slow: tokens a second / ms to the first
    /// token, the worse decides
    #[arg(long, value_name = "STEPS", value_parser = str::parse::<Grades>, default_value_t, help_heading = "Output")]
    grades: Grades,
    /// A figure that must be reached, e.g. output_ts_steady>=100 (names: those of -o json)
    #[arg(long, value_name = "TARGET", value_parser = str::parse::<Goal>, help_heading = "Output")]
    target: Vec<Goal>,
    /// Format on standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]), help_heading = "Output")]
    output: String,
    /// Write the record, every request raw, to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

impl Args {
    /// How well the rate of each row is to be known.
    fn until(&self) -> Option<Until> {
        self.until.map(|relative| Until { relative, max_time: self.max_time.0 })
    }
}

/// Runs `pacemark load`.
pub(super) fn run(mut args: Args) -> Result<Exit> {
    args.resolve();
    args.check()?;
    if args.self_test {
        return self_test::run(&args);
    }
    match &args.show {
        Some(path) => show::show(&args, path),
        None => rows::run(&args),
    }
}
