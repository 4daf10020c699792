//! A long way for tests: `delayed LISTEN TO DELAY_US` relays connections of LISTEN to TO and holds
//! every byte back for so many microseconds, each way, without narrowing the way.
//!
//! `cargo run -p pacemark-rpc --example delayed -- 127.0.0.1:7001 127.0.0.1:50052 5000`

use pacemark_rpc::testing::Delayed;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

fn run(arguments: &[String]) -> Result<(), String> {
    let [listen, to, delay_us] = arguments else {
        return Err("usage: delayed LISTEN TO DELAY_US".to_owned());
    };
    let to = to.parse().map_err(|error| format!("{to}: {error}"))?;
    let delay_us = delay_us.parse().map_err(|error| format!("{delay_us}: {error}"))?;
    let listener = TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}"))?;
    let delayed = Delayed::start(listener, to, Duration::from_micros(delay_us))
        .map_err(|error| error.to_string())?;
    println!("{} to {to}, {delay_us} us each way", delayed.address());
    loop {
        std::thread::park();
    }
}

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
