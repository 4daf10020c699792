//! The rungs of the ladder: the engine's own for the lower stages, the server's for the upper, a
//! client process for the last.

use super::prompts::Prompts;
use anyhow::{Context, Result, bail};
use pacemark_backend::{BackendError, GenerateRequest, Service};
use pacemark_backends::native::{NativeService, run_stage};
use pacemark_bench::stages::Ladder;
use pacemark_server::stages::{self, Requests};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The last stage: everything, to a client process.
const STREAMED: usize = 9;

/// One loaded model, entered at any layer.
pub(super) struct Rungs {
    pub service: Arc<NativeService>,
    pub n_requests: usize,
    pub concurrency: usize,
    pub prompts: Prompts,
    pub n_gen_tokens: usize,
}

impl Ladder for Rungs {
    fn climb(&mut self, stage: usize, seed: u64) -> Result<Duration, BackendError> {
        self.run(stage, seed)
            .map_err(|error| BackendError::Engine(format!("stage {stage}: {error:#}")))
    }
}

impl Rungs {
    fn run(&self, stage: usize, seed: u64) -> Result<Duration> {
        let prompts = &self.prompts;
        let made = prompts.make(self.n_requests, seed)?;
        if stage < 6 {
            let request = |prompt: super::prompts::Prompt| GenerateRequest {
                prompt: prompt.tokens,
                max_tokens: self.n_gen_tokens,
                ignore_eos: true,
                ..GenerateRequest::default()
            };
            let requests = made.into_iter().map(request).collect();
            return Ok(run_stage(&self.service, stage, requests, self.concurrency)?);
        }
        let body = |mut body: Value| {
            let how = json!({ "max_tokens": self.n_gen_tokens, "ignore_eos": true, "temperature": 0.0,
                "stream": stage == STREAMED });
            if let (Some(body), Some(how)) = (body.as_object_mut(), how.as_object()) {
                body.extend(how.clone());
            }
            body.to_string()
        };
        let requests = Requests {
            path: prompts.path().into(),
            bodies: made.into_iter().map(|prompt| body(prompt.body)).collect(),
            concurrency: self.concurrency,
            n_gen_tokens: self.n_gen_tokens,
        };
        let service: Arc<dyn Service> = self.service.clone();
        if stage < STREAMED {
            return Ok(stages::run_stage(service, stage, &requests)?);
        }
        let server = stages::serve(service)?;
        client_process(server.address(), &requests)
    }
}

/// What the client process is told on its standard input.
#[derive(Serialize, Deserialize)]
struct Work {
    address: SocketAddr,
    path: String,
    bodies: Vec<String>,
    concurrency: usize,
    n_gen_tokens: usize,
}

/// Has another process make the requests; it times them.
fn client_process(address: SocketAddr, requests: &Requests) -> Result<Duration> {
    let Requests { path, bodies, concurrency, n_gen_tokens } = requests.clone();
    let work = Work { address, path, bodies, concurrency, n_gen_tokens };
    let mut child = Command::new(std::env::current_exe()?)
        .arg("stages-client")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the client process")?;
    let stdin = child.stdin.take().context("the client process has no input")?;
    serde_json::to_writer(stdin, &work)?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("the client process failed ({})", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let elapsed_ns =
        text.trim().parse().with_context(|| format!("the client process printed {text:?}"))?;
    Ok(Duration::from_nanos(elapsed_ns))
}

/// The client process: reads its work, makes the requests, prints the nanoseconds they took.
pub(crate) fn client() -> Result<()> {
    let work: Work = serde_json::from_reader(std::io::stdin().lock()).context("standard input")?;
    let Work { address, path, bodies, concurrency, n_gen_tokens } = work;
    let requests = Requests { path, bodies, concurrency, n_gen_tokens };
    let elapsed = stages::request_all(address, &requests, true)?;
    writeln!(std::io::stdout(), "{}", elapsed.as_nanos())?;
    Ok(())
}
