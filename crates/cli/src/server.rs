//! Flags that say which server runs the model, of commands that take `--backend openai`.

use crate::exit::UsageError;
use pacemark_backends::{BackendEntry, openai};
use pacemark_setup::{Secret, Server, Setup};
use std::path::PathBuf;
use std::time::Duration;

/// The server.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// Address of an OpenAI-compatible server: http[s]://HOST[:PORT][/PATH]; -m is the same model's
    /// file here, which gives the tokenizer
    #[arg(long, value_name = "URL", help_heading = "Server (needs --backend openai)")]
    url: Option<String>,
    /// Sent as a bearer token [env: PACEMARK_API_KEY, else OPENAI_API_KEY]
    #[arg(
        long,
        value_name = "KEY",
        requires = "url",
        help_heading = "Server (needs --backend openai)"
    )]
    api_key: Option<String>,
    /// What the server calls the model [default: its only one]
    #[arg(
        long,
        value_name = "NAME",
        requires = "url",
        help_heading = "Server (needs --backend openai)"
    )]
    served_model: Option<String>,
    /// A further header of every request, NAME: VALUE
    #[arg(long, value_name = "HEADER", value_parser = header, requires = "url", help_heading = "Server (needs --backend openai)")]
    header: Vec<(String, String)>,
    /// Believe certificates that are signed by the ones in this PEM file (https) [default: the
    /// system's]
    #[arg(long, aliases = ["ca-cert"], value_name = "FILE", conflicts_with = "insecure", requires = "url",
          help_heading = "Server (needs --backend openai)")]
    cacert: Option<PathBuf>,
    /// Do not check the server's certificate (https)
    #[arg(long, requires = "url", help_heading = "Server (needs --backend openai)")]
    insecure: bool,
    /// A server that sends nothing for so many seconds is given up
    #[arg(long, value_name = "S", default_value_t = Server::PATIENCE.as_secs(), requires = "url",
          value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Server (needs --backend openai)")]
    server_timeout: u64,
}

impl ServerArgs {
    /// The server, if one of the backends asks one; an address without such a backend, and such a
    /// backend without an address, are mistakes.
    pub(crate) fn server(&self, backends: &[&BackendEntry]) -> Result<Option<Server>, UsageError> {
        let is_asked = backends.iter().any(|entry| asks(entry));
        match (&self.url, is_asked) {
            (None, false) => Ok(None),
            (None, true) => Err(UsageError(
                "--backend openai: it asks a server; name one with --url http://HOST:PORT".into(),
            )),
            (Some(_), false) => {
                Err(UsageError("--url: only --backend openai asks a server".into()))
            }
            (Some(url), true) => {
                pacemark_load::Target::parse(url)
                    .map_err(|error| UsageError(format!("--url: {error}")))?;
                Ok(Some(Server {
                    url: url.clone(),
                    api_key: self.key().map(Secret::new),
                    model: self.served_model.clone(),
                    headers: self.header.clone(),
                    cacert: self.cacert.clone(),
                    insecure: self.insecure,
                    patience: Duration::from_secs(self.server_timeout),
                }))
            }
        }
    }

    /// The key that was given, else that of the environment.
    fn key(&self) -> Option<String> {
        let of_env = |name| std::env::var(name).ok().filter(|key| !key.is_empty());
        self.api_key
            .clone()
            .or_else(|| of_env("PACEMARK_API_KEY"))
            .or_else(|| of_env("OPENAI_API_KEY"))
    }
}

/// Whether a backend asks a server.
fn asks(entry: &BackendEntry) -> bool {
    entry.name == openai::NAME
}

/// A setup as this backend is told it, of several that run the same test: the server is of those
/// alone that ask one.
pub(crate) fn told(entry: &BackendEntry, setup: &Setup) -> Setup {
    let server = setup.server.clone().filter(|_| asks(entry));
    Setup { server, ..setup.clone() }
}

/// That a command computes itself, whatever it is told of servers.
pub(crate) fn refuse(entry: &BackendEntry, command: &str) -> Result<(), UsageError> {
    if asks(entry) {
        let why = "run, bench and eval perplexity ask a server, load measures one";
        return Err(UsageError(format!("{command}: not with --backend {}: {why}", entry.name)));
    }
    Ok(())
}

/// `NAME: VALUE`.
fn header(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').filter(|(name, _)| !name.trim().is_empty());
    let parts = parts.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    parts.ok_or_else(|| "expected NAME: VALUE".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use pacemark_backends::find;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        server: ServerArgs,
    }

    fn server(words: &[&str], backend: &str) -> Result<Option<Server>, String> {
        let line = Line::try_parse_from([&["test"], words].concat()).map_err(|e| e.to_string())?;
        line.server.server(&[find(backend).unwrap()]).map_err(|e| e.to_string())
    }

    #[test]
    fn an_address_and_the_backend_that_asks_it_go_together() {
        assert_eq!(server(&[], "native"), Ok(None));
        assert!(server(&[], "openai").unwrap_err().contains("name one with --url"));
        assert!(server(&["--url", "http://h"], "native").unwrap_err().contains("only --backend"));
        let words = ["--url", "https://h/v3", "--api-key", "k", "--header", "A: b", "--insecure"];
        let found = server(&words, "openai").unwrap().unwrap();
        assert_eq!((found.url.as_str(), found.insecure), ("https://h/v3", true));
        assert_eq!(found.headers, [("A".to_owned(), "b".to_owned())]);
        assert_eq!(found.api_key, Some(Secret::new("k")));
        assert!(server(&["--url", "ftp://h"], "openai").unwrap_err().starts_with("--url: "));
        assert!(server(&["--served-model", "m"], "openai").unwrap_err().contains("--url"));
    }
}
