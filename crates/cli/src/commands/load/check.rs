//! What the flags of `pacemark load` mean together: other tools' words for ours, and what clap
//! cannot refuse by itself.

use super::Args;
use crate::exit::UsageError;
use pacemark_load::prompt::Cache;
use pacemark_load::{Endpoint, Target};
use pacemark_record::{Limit, Limited};
use pacemark_setup::Offload;

impl Args {
    /// Puts what was said in other tools' words into ours.
    pub(crate) fn resolve(&mut self) {
        match self.max_concurrency.take() {
            Some(n) if self.rate.is_empty() && self.ramp.is_none() && self.trace.is_none() => {
                self.concurrency = vec![n]
            }
            Some(n) => self.max_in_flight = Some(n),
            None => {}
        }
        if self.self_test && self.streams.is_empty() {
            self.streams = std::mem::take(&mut self.concurrency);
        }
    }

    /// Servers that were named.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.url.iter().flat_map(|urls| &urls.0)
    }

    /// The endpoint that was named, else the one whose address was given, else chats.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let of_url = self.targets().find_map(|url| url.endpoint);
        self.endpoint.or(of_url).unwrap_or(Endpoint::Chat)
    }

    /// Refuses what clap cannot see.
    pub(crate) fn check(&self) -> Result<(), UsageError> {
        self.check_self_test()?;
        self.check_levels()?;
        self.check_rates()?;
        self.check_server()?;
        self.check_prompts()?;
        self.check_crew()?;
        if let Some(wrong) = self.start_at.filter(|at| !(0.0..1e11).contains(at)) {
            return refuse(format!("--start-at {wrong}: expected seconds since 1970"));
        }
        let streamed = |limit: &Limit| limit.figure != Limited::E2e;
        if self.no_stream && self.slo.as_ref().is_some_and(|slo| slo.limits.iter().any(streamed)) {
            return refuse("--slo: without a stream (--no-stream) only e2e can be limited");
        }
        Ok(())
    }

    fn check_self_test(&self) -> Result<(), UsageError> {
        if !self.self_test && (!self.streams.is_empty() || self.self_test_rate.is_some()) {
            return refuse("--streams, --self-test-rate: those are of --self-test");
        }
        if self.self_test && !self.streams.is_empty() && !self.concurrency.is_empty() {
            return refuse("--streams, --concurrency: they mean the same in a self-test");
        }
        if let Some(wrong) = self.streams.iter().find(|n| !(1..=20_000).contains(*n)) {
            return refuse(format!("--streams {wrong}: expected 1 to 20000"));
        }
        Ok(())
    }

    fn check_levels(&self) -> Result<(), UsageError> {
        if let Some(wrong) = self.concurrency.iter().find(|n| !(1..=100_000).contains(*n)) {
            return refuse(format!("--concurrency {wrong}: expected 1 to 100000"));
        }
        if self.requests == Some(0) {
            return refuse("--requests 0: nothing to measure");
        }
        if let Some(wrong) = self.max_in_flight.filter(|n| !(1..=100_000).contains(n)) {
            return refuse(format!("--max-in-flight {wrong}: expected 1 to 100000"));
        }
        if self.max_in_flight.is_some() && !self.has_rate() && self.trace.is_none() {
            return refuse(
                "--max-in-flight: that is of --rate, --ramp and --trace; of streams, --concurrency",
            );
        }
        if self.sweep && (self.rate.len() > 1 || self.concurrency.len() > 1) {
            return refuse("--sweep: it begins at one level");
        }
        Ok(())
    }

    /// Requests come at a rate, not by streams.
    fn has_rate(&self) -> bool {
        !self.rate.is_empty() || self.ramp.is_some()
    }

    fn check_rates(&self) -> Result<(), UsageError> {
        let is_rate = |rate: f64| (1e-3..=1e6).contains(&rate) || rate == f64::INFINITY;
        if let Some(wrong) = self.rate.iter().find(|rate| !is_rate(**rate)) {
            return refuse(format!(
                "--rate {wrong}: expected 0.001 to 1000000 requests a second, or inf"
            ));
        }
        if self.rate.contains(&f64::INFINITY) {
            if self.sweep || self.arrival.is_some() || self.until.is_some() {
                return refuse(
                    "--rate inf: requests that come at once have no --arrival, no --sweep and no steady rate (--until)",
                );
            }
            if self.requests.is_none() && self.duration.is_some() {
                return refuse(
                    "--rate inf: they are endlessly many in any --duration; add --requests",
                );
            }
        }
        if self.arrival.is_some() && !self.has_rate() {
            return refuse("--arrival: streams and traces have none; add --rate or --ramp");
        }
        Ok(())
    }

    fn check_server(&self) -> Result<(), UsageError> {
        if self.serve.is_none() && !self.workers.is_empty() {
            return refuse("--rpc: workers are of the server that -m starts; another has its own");
        }
        self.workers.set(&mut Offload::default())?;
        let of_url = self.targets().find_map(|url| url.endpoint);
        let mut named = self.targets().filter_map(|url| url.endpoint);
        if named.any(|endpoint| Some(endpoint) != of_url) {
            return refuse("--url: addresses of two endpoints are no one target");
        }
        if let Some(twice) = self.targets().enumerate().find_map(|(i, url)| {
            self.targets().take(i).any(|before| before == url).then(|| url.url())
        }) {
            return refuse(format!("--url {twice}: it is there twice"));
        }
        if let Some((named, of_url)) =
            self.endpoint.zip(of_url).filter(|(named, of_url)| named != of_url)
        {
            return refuse(format!(
                "--endpoint {}: --url is the address of {}",
                named.name(),
                of_url.name()
            ));
        }
        let plain = !self.targets().any(|url| url.tls);
        if plain && (self.insecure || self.cacert.is_some()) {
            return refuse("--insecure, --cacert: those are of an https:// address (--url)");
        }
        Ok(())
    }

    fn check_prompts(&self) -> Result<(), UsageError> {
        if self.prompt_ids && self.endpoint() == Endpoint::Chat {
            return refuse("--prompt-ids: a chat takes text; add --endpoint completions");
        }
        if self.prompt_ids && self.turns > 1 {
            return refuse("--prompt-ids: later turns hold answers, whose ids are not known");
        }
        let shares = matches!(self.cache(), Cache::Shared { .. });
        let file = self.dataset.is_some() || self.prompts.is_some() || self.trace.is_some();
        if shares && file {
            return refuse(
                "--cache shared: prompts of a file share what they share; it goes with made ones",
            );
        }
        if self.prefix_groups == 0 || (self.prefix_groups > 1 && !shares) {
            return refuse(format!(
                "--prefix-groups {}: expected at least 1, with --shared-prefix",
                self.prefix_groups
            ));
        }
        if self.turns > 1 && (self.prompts.is_some() || self.trace.is_some()) {
            return refuse("--turns: prompts of --prompts and --trace are of one turn each");
        }
        Ok(())
    }
}

fn refuse(why: impl Into<String>) -> Result<(), UsageError> {
    Err(UsageError(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(words: &str) -> Args {
        let words = ["load", "--url", "http://x"].into_iter().chain(words.split(' '));
        let mut args =
            Command::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).args;
        args.resolve();
        args
    }

    #[test]
    fn other_tools_words_mean_the_same() {
        for (theirs, ours) in [
            (
                "--num-prompts 7 --random-input-len 9 --random-output-len 3",
                "-n 7 --input-tokens 9 --output-tokens 3",
            ),
            ("--request-count 7 --isl 9 --osl 3", "-n 7 --input-tokens 9 --output-tokens 3"),
            ("--request-rate inf -n 9", "--rate inf -n 9"),
            ("--request-rate 2.5 --max-concurrency 8", "--rate 2.5 --max-in-flight 8"),
            ("--max-concurrency 8 --num-warmups 2", "-c 8 --warmup 2"),
            ("--endpoint /v1/completions", "--endpoint completions"),
        ] {
            assert_eq!(format!("{:?}", parsed(theirs)), format!("{:?}", parsed(ours)), "{theirs}");
        }
    }

    #[test]
    fn the_endpoint_may_be_said_by_the_address() {
        let args = |words: &[&str]| {
            Command::try_parse_from([&["load", "--url"], words].concat()).unwrap().args
        };
        assert_eq!(args(&["http://x"]).endpoint(), Endpoint::Chat);
        assert_eq!(args(&["http://x/v1/completions"]).endpoint(), Endpoint::Completions);
        let both = args(&["http://x/v1/completions", "--endpoint", "chat"]);
        assert!(both.check().unwrap_err().0.contains("--url is the address of completions"));
    }

    #[test]
    fn a_self_test_takes_streams_by_either_name() {
        let streams = |words: &[&str]| {
            let mut args =
                Command::try_parse_from([&["load", "--self-test"], words].concat()).unwrap().args;
            args.resolve();
            args.streams
        };
        assert_eq!(
            (streams(&["-c", "7,9"]), streams(&["--streams", "7,9"])),
            (vec![7, 9], vec![7, 9])
        );
        assert!(Command::try_parse_from(["load", "--self-test", "--rate", "5"]).is_err());
    }

    #[test]
    fn what_a_self_test_or_a_record_has_no_use_for_is_refused() {
        for wrong in [
            "--self-test --rate 5",
            "--self-test --input-tokens 9",
            "--self-test --warmup 1",
            "--self-test --max-time 9s",
            "--self-test --grades 1/2,3/4,5/6,7/8",
            "--self-test --streams 3 -c 1",
            "--show f -c 4",
            "--show f --until 2%",
            "--show f --stall-timeout 9s",
        ] {
            let words = ["load"].into_iter().chain(wrong.split(' '));
            let refused = Command::try_parse_from(words)
                .map_err(drop)
                .and_then(|c| c.args.check().map_err(drop));
            assert!(refused.is_err(), "{wrong}");
        }
        for fine in ["--self-test -c 3 -o csv --save f", "--show f --slo ttft:p95<1s -o md"] {
            let words = ["load"].into_iter().chain(fine.split(' '));
            let mut args =
                Command::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).args;
            args.resolve();
            assert!(args.check().is_ok(), "{fine}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for wrong in [
            "-c 0",
            "--insecure",
            "--cacert f",
            "-n 0",
            "--rate NaN",
            "--rate -1",
            "--rate -inf",
            "--rate inf --duration 1s",
            "--rate inf --sweep",
            "--rate inf --arrival constant",
            "--max-in-flight 0",
            "--prompt-ids",
            "--prefix-groups 0",
            // What would be taken and ignored.
            "--prefix-groups 2",
            "--streams 4",
            "--self-test-rate 4",
            "--sweep-to 8",
            "--arrival constant",
            "--trace t --arrival constant",
            "-c 4 --max-in-flight 2",
            "--prompts f --turns 2",
            "--trace t --turns 2",
            "--dataset f --shared-prefix 8",
            "--trace t --cache shared:8",
            "--prompts f --input-tokens 8",
            "--endpoint completions --prompts f --prompt-ids",
            "--no-stream --slo e2e<1s,ttft<1s",
            "--until 2% --duration 9s",
            "--until 2% --trace t",
            "--until 2% --rate inf",
            "--until 2% --ramp 1..2 --duration 9s",
            "--max-time 9s",
        ] {
            let words = ["load", "--url", "http://x"].into_iter().chain(wrong.split(' '));
            let refused = Command::try_parse_from(words)
                .map_err(drop)
                .and_then(|c| c.args.check().map_err(drop));
            assert!(refused.is_err(), "{wrong}");
        }
    }
}
