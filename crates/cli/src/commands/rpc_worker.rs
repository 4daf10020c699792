//! `pacemark rpc-worker`: this machine computes layers for others, by llama.cpp's own worker behind a
//! gate that says who calls and what computing took.

use crate::exit::{Exit, UsageError};
use crate::offload::devices;
use anyhow::{Context, Result, anyhow};
use pacemark_backends::Work;
use pacemark_rpc::{Gate, GateOptions, is_private};
use pacemark_setup::Threads;
use std::fs;
use std::net::{IpAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::thread;

const EXAMPLES: &str = "\
Examples:
  pacemark rpc-worker                                for this machine alone, to try it
  pacemark rpc-worker --host 0.0.0.0 -t 8            for the machines of a private network
  pacemark rpc-worker --host 10.0.0.2 --cache ~/.cache/pacemark-rpc      weights are sent once
  pacemark bench --backend llama-cpp --rpc 10.0.0.2:50052 -ngl 0,99      on the caller: with it and without

A worker has no password and no encryption: whoever reaches it can use it, and read and change what it computes. It listens on
this machine alone unless told otherwise, and serves callers of private networks only. It serves one caller after the other.
It needs a build with --features llama-cpp; callers are Pacemark's (run, bench, eval, serve with --rpc) and llama.cpp's own.";

/// Compute layers of a model for other machines
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Address or name of this machine to listen on; other machines reach 0.0.0.0
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// Port to listen on; 0 for any that is free, which is printed
    #[arg(short, long, value_name = "PORT", default_value_t = 50052)]
    port: u16,
    /// Threads that compute, at most llama.cpp's 512 [default: all processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: Option<u16>,
    /// Devices to compute on, by the names of `bench --list-devices` [default: the processors, which have the name CPU there]
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    device: Vec<String>,
    /// Keep large tensors in this folder, so that a model is sent once and not at every load
    #[arg(short, long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Listen on, and serve, addresses that anybody on the internet reaches
    #[arg(long)]
    public: bool,
    /// End when standard input does: for a program that starts a worker of its own
    #[arg(long, hide = true)]
    until_eof: bool,
}

/// Runs the command.
pub(super) fn run(args: Args) -> Result<Exit> {
    let names = args.device.join("/");
    let wanted = match args.device.is_empty() || args.device == ["CPU"] {
        true => Vec::new(),
        false => devices(&names)
            .map_err(|why| UsageError(format!("--device {names}: {why}")))?
            .unwrap_or_default(),
    };
    let listener = listen(&args)?;
    if let Some(folder) = &args.cache {
        fs::create_dir_all(folder)
            .with_context(|| format!("--cache: cannot make {}", folder.display()))?;
    }
    let n_threads = args.threads.map_or(Threads::default(), |n| Threads::new(n.into())).per_token();
    let on = if wanted.is_empty() { "the processors".to_owned() } else { wanted.join(", ") };
    let work = Work { n_threads, devices: wanted, cache: args.cache };
    let worker = pacemark_backends::work(work).map_err(|error| anyhow!(error))?;
    let options = GateOptions {
        public: args.public,
        on_event: Some(Box::new(|event| eprintln!("{event}"))),
        ..GateOptions::default()
    };
    let gate = Gate::start(listener, worker, options).context("cannot serve callers")?;
    if !gate.address().ip().is_loopback() {
        eprintln!(
            "warning: a worker has no password and no encryption: whoever reaches it can use it, and \
             read and change what it computes; only for networks that you trust"
        );
    }
    eprintln!("ready: computes for others at {}, {n_threads} threads, on {on}", gate.address());
    if args.until_eof {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink()); // an error is an end too
        return Ok(Exit::Fine);
    }
    loop {
        thread::park();
    }
}

/// The port, where it may be listened on.
fn listen(args: &Args) -> Result<TcpListener> {
    let (host, port) = (args.host.trim_start_matches('[').trim_end_matches(']'), args.port);
    let found = (host, port).to_socket_addrs();
    let addresses: Vec<_> =
        found.with_context(|| format!("--host {host}: cannot be resolved"))?.collect();
    let is_public = |ip: IpAddr| !ip.is_unspecified() && !is_private(ip);
    if let Some(address) = addresses.iter().find(|a| is_public(a.ip())).filter(|_| !args.public) {
        return Err(UsageError(format!(
            "--host {host}: {} is an address that anybody on the internet reaches, and a worker has \
             no password; --public listens there all the same",
            address.ip()
        ))
        .into());
    }
    TcpListener::bind(&addresses[..])
        .with_context(|| format!("cannot listen on {host}, port {port}"))
}
