//! `pacemark doctor`: what this machine can do at best, and what about it makes figures doubtful.

use crate::exit::{Exit, UsageError};
use crate::machine;
use anyhow::{Context, Result};
use clap::ValueEnum;
use pacemark_kernels::{Roof, Team};
use pacemark_limits::{Memory, Processors, System};
use pacemark_record::env::{self, CpuTime};
use pacemark_record::host::Host;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  pacemark doctor               the machine, and its roofs with 1 to all threads
  pacemark doctor -t 1,4        with these numbers of threads
  pacemark doctor -o json       for a program to read

The roofs are the best that was seen within --seconds for each figure. On a shared machine they swing from minute to
minute: compare a figure only with a roof taken beside it.";

/// Memory that is read for the bandwidth; larger than the last cache of any machine that is not a
/// server.
const MEMORY: u64 = 512 << 20;

/// Shows what this machine is and measures its limits: memory bandwidth and arithmetic peaks.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Numbers of threads to measure with [default: 1, 2, 4, … and all]
    #[arg(short, long, value_delimiter = ',', value_name = "N,…")]
    threads: Vec<usize>,
    /// Time for each figure
    #[arg(long, default_value_t = 0.5, value_name = "SECONDS")]
    seconds: f64,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines and a table
    Text,
    /// One object
    Json,
}

/// The roofs with one number of threads; operations count a multiplication and an addition as two.
struct Roofs {
    threads: usize,
    read_gb_per_s: f64,
    int8_gops: f64,
    /// Where the instruction set multiplies bfloat16.
    bf16_gflops: Option<f64>,
    f32_gflops: f64,
}

pub fn run(args: Args) -> Result<Exit> {
    let all = pacemark_limits::processors();
    let mut threads = args.threads;
    if threads.is_empty() {
        threads = (0..).map(|i| 1 << i).take_while(|n| *n < all).chain([all]).collect();
    }
    if let Some(wrong) = threads.iter().find(|n| !(1..=1024).contains(*n)) {
        return Err(UsageError(format!("-t {wrong}: expected 1 to 1024 threads")).into());
    }
    if !(args.seconds > 0.0 && args.seconds <= 60.0) {
        return Err(UsageError(format!(
            "--seconds {}: expected more than 0 and at most 60",
            args.seconds
        ))
        .into());
    }
    machine::note_threads("-t", threads.iter().copied());
    let before = CpuTime::now();
    let roofs = measure(&threads, Duration::from_secs_f64(args.seconds))?;
    let steal = before.zip(CpuTime::now()).and_then(|(before, now)| before.steal_share_until(now));
    let shown = match args.output {
        Output::Json => format!("{:#}\n", as_json(&roofs, steal)?),
        Output::Text => as_text(&roofs, steal)?,
    };
    std::io::stdout().write_all(shown.as_bytes()).context("cannot write to standard output")?;
    Ok(Exit::Fine)
}

fn measure(threads: &[usize], time: Duration) -> Result<Vec<Roofs>> {
    let kernels = pacemark_kernels::kernels()?;
    // What a container has left is not all taken: its other processes live on.
    let bytes =
        Memory::of(&System::here()).available.map_or(MEMORY, |available| MEMORY.min(available / 2));
    let roof =
        Roof::new(kernels, bytes as usize).context("no memory to measure the bandwidth with")?;
    let one = |&threads: &usize| {
        let team = Team::new(threads).with_context(|| format!("cannot start {threads} threads"))?;
        Ok(Roofs {
            threads,
            read_gb_per_s: roof.read_bytes_per_s(&team, time) / 1e9,
            int8_gops: roof.int8_operations_per_s(&team, time) / 1e9,
            bf16_gflops: roof.bf16_operations_per_s(&team, time).map(|operations| operations / 1e9),
            f32_gflops: roof.f32_operations_per_s(&team, time) / 1e9,
        })
    };
    threads.iter().map(one).collect()
}

/// What makes figures taken here doubtful.
fn findings(host: &Host, steal: Option<f64>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(governor) = host.governor.as_deref().filter(|name| *name != "performance") {
        found.push(format!(
            "the frequency governor is {governor}: speed depends on what ran before (performance is steady)"
        ));
    }
    if host.huge_pages.as_deref() == Some("never") {
        found.push(
            "huge pages are off: large weights are read more slowly (madvise is enough)".into(),
        );
    }
    if let Some(steal) = steal.filter(|share| *share > 0.01) {
        found.push(format!(
            "{:.1} % of the time went to other virtual machines: figures are too low",
            100.0 * steal
        ));
    }
    if let Some(load) = env::load_average_1m().filter(|load| *load > 1.5) {
        found.push(format!(
            "{load:.1} processes were running in the last minute: figures may be too low"
        ));
    }
    if let Some(nodes) = host.memory_nodes.filter(|nodes| *nodes > 1) {
        found.push(format!(
            "memory is in {nodes} nodes: threads of one node read the other's more slowly"
        ));
    }
    found
}

fn isa_names() -> Vec<&'static str> {
    pacemark_kernels::available().map(|set| set.isa.name()).collect()
}

fn as_json(roofs: &[Roofs], steal: Option<f64>) -> Result<Value> {
    let host = Host::read();
    let roofs = roofs.iter().map(|r| {
        json!({"threads": r.threads, "read_gb_per_s": r.read_gb_per_s, "int8_gops": r.int8_gops,
            "bf16_gflops": r.bf16_gflops, "f32_gflops": r.f32_gflops})
    });
    let (memory, processors) = (Memory::of(&System::here()), Processors::of(&System::here()));
    Ok(json!({
        "cpu_model": env::cpu_model(),
        "logical_cpus": processors.usable,
        "cpu_quota": processors.quota.as_ref().map(|(share, _)| share),
        "cpu_quota_by": processors.quota.as_ref().map(|(_, by)| by),
        "memory_bytes": env::memory_bytes(),
        "memory_available_bytes": memory.available,
        "memory_limit_bytes": memory.limit.as_ref().map(|limit| limit.bytes),
        "memory_limit_by": memory.limit.as_ref().map(|limit| &limit.by),
        "kernel": env::kernel(),
        "isa": pacemark_kernels::kernels()?.isa.name(),
        "isa_available": isa_names(),
        "caches": host.caches,
        "governor": host.governor,
        "huge_pages": host.huge_pages,
        "memory_nodes": host.memory_nodes,
        "steal_share": steal,
        "roofs": roofs.collect::<Vec<_>>(),
        "findings": findings(&host, steal),
    }))
}

fn as_text(roofs: &[Roofs], steal: Option<f64>) -> Result<String> {
    let host = Host::read();
    let (memory, processors) = (Memory::of(&System::here()), Processors::of(&System::here()));
    let or_dash =
        |value: Option<String>| value.unwrap_or_else(|| "- (the system does not tell)".into());
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64);
    let caches: Vec<_> = host
        .caches
        .iter()
        .map(|c| format!("L{} {} {} KiB", c.level, c.kind, c.bytes >> 10))
        .collect();
    let memory = [
        Some(or_dash(env::memory_bytes().map(gib))),
        memory.limit.map(|limit| format!("limited to {limit}")),
        memory.available.map(|bytes| format!("{} MiB available", bytes >> 20)),
    ];
    let memory = memory.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let limit = processors.limit().map_or(String::new(), |limit| format!(", limited to {limit}"));
    let threads = format!("{}{limit}", processors.usable);
    let rows = [
        ("processor", or_dash(env::cpu_model())),
        ("threads", threads),
        (
            "kernels",
            format!(
                "{} (available: {})",
                pacemark_kernels::kernels()?.isa.name(),
                isa_names().join(", ")
            ),
        ),
        ("caches", or_dash(Some(caches.join(", ")).filter(|text| !text.is_empty()))),
        ("memory", memory),
        ("memory nodes", or_dash(host.memory_nodes.map(|n| n.to_string()))),
        ("huge pages", or_dash(host.huge_pages.clone())),
        ("governor", or_dash(host.governor.clone())),
        ("steal", or_dash(steal.map(|share| format!("{:.1} %", 100.0 * share)))),
        ("system", or_dash(env::kernel())),
    ];
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (name, value) in rows {
        let _ = writeln!(text, "{name:13} {value}");
    }
    let _ = writeln!(
        text,
        "\n| threads |  read GB/s |  int8 GOPS | bf16 GFLOPS | f32 GFLOPS |\n\
         | ------: | ---------: | ---------: | ----------: | ---------: |"
    );
    for r in roofs {
        let (threads, read, int8, float) = (r.threads, r.read_gb_per_s, r.int8_gops, r.f32_gflops);
        let bf16 = r.bf16_gflops.map_or("-".into(), |gflops| format!("{gflops:.0}"));
        let _ = writeln!(
            text,
            "| {threads:7} | {read:10.1} | {int8:10.0} | {bf16:>11} | {float:10.0} |"
        );
    }
    let found = findings(&host, steal);
    if found.is_empty() {
        text.push_str("\nnothing was found that would make figures doubtful\n");
    }
    if roofs.iter().any(|r| r.bf16_gflops.is_none()) {
        text.push_str(
            "\nbf16: - because these kernels have no product of bfloat16 on this processor\n",
        );
    }
    found.iter().for_each(|finding| {
        let _ = writeln!(text, "\nnote: {finding}");
    });
    Ok(text)
}
