//! Where workers are: `--workers` and what goes with it.

use super::super::Args;
use crate::exit::UsageError;
use pacemark_load::plan::Level;

/// Most workers.
const MOST: usize = 1000;

/// Where some workers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Place {
    /// So many processes of this machine.
    Local(usize),
    /// A machine that ssh knows.
    Host(String),
}

/// `HOST`, `local` or `local:N`.
pub(in super::super) fn place(text: &str) -> Result<Place, String> {
    match text.split_once(':') {
        None if text == "local" => Ok(Place::Local(1)),
        Some(("local", n)) => match n.parse() {
            Ok(n @ 1..=MOST) => Ok(Place::Local(n)),
            _ => Err(format!("local:N: expected 1 to {MOST} processes")),
        },
        // ssh would take it for an option.
        _ if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) => {
            Err("expected HOST, USER@HOST, local or local:N".to_owned())
        }
        _ => Ok(Place::Host(text.to_owned())),
    }
}

impl Args {
    /// Every worker: its name, and its host where it is on another machine.
    pub(in super::super) fn crew(&self) -> Vec<(String, Option<String>)> {
        let mut crew: Vec<(String, Option<String>)> = Vec::new();
        let mut n_local = 0;
        for place in &self.crew {
            match place {
                Place::Local(n) => crew.extend((0..*n).map(|_| {
                    n_local += 1;
                    (format!("local-{n_local}"), None)
                })),
                Place::Host(host) => {
                    let before = crew.iter().filter(|(_, known)| known.as_ref() == Some(host));
                    let name = match before.count() {
                        0 => host.clone(),
                        n => format!("{host} ({})", n + 1),
                    };
                    crew.push((name, Some(host.clone())));
                }
            }
        }
        crew
    }

    /// Refuses loads that cannot be divided.
    pub(in super::super) fn check_crew(&self) -> Result<(), UsageError> {
        let refuse = |why: String| Err(UsageError(why));
        let crew = self.crew();
        let n = crew.len();
        if n == 0 {
            return match &self.worker_command {
                Some(_) => refuse("--worker-command: that is of --workers".to_owned()),
                None => Ok(()),
            };
        }
        if n > MOST {
            return refuse(format!("--workers: expected {MOST} at most, found {n}"));
        }
        if self.until.is_some() {
            return refuse(
                "--until: a process judges the rate of its own requests only; with --workers give --requests or --duration"
                    .to_owned(),
            );
        }
        if self.serve.is_some() && crew.iter().any(|(_, host)| host.is_some()) {
            return refuse(
                "-m: its server listens to this machine alone; give --url, or --workers local:N"
                    .to_owned(),
            );
        }
        for level in super::super::plan::levels(self) {
            if let Level::Streams(streams) = level
                && streams < n
            {
                return refuse(format!(
                    "--concurrency {streams}: fewer streams than workers ({n})"
                ));
            }
        }
        if let Some(requests) = self.requests.filter(|requests| *requests < n as u64) {
            return refuse(format!("--requests {requests}: fewer than workers ({n})"));
        }
        if let Some(most) = self.max_in_flight.filter(|most| *most < n) {
            return refuse(format!("--max-in-flight {most}: fewer than workers ({n})"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        assert_eq!((place("local:4"), place("local")), (Ok(Place::Local(4)), Ok(Place::Local(1))));
        assert_eq!(place("me@host"), Ok(Place::Host("me@host".into())));
        for wrong in ["", "-oProxyCommand=x", "local:0", "local:x", "a b", "local:9999"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
