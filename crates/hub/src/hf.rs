//! Files of a Hugging Face hub: `hf:ORG/REPO/FILE[@REV]`, their addresses and their places in the
//! cache.
//!
//! `HF_ENDPOINT` names another hub, `HF_TOKEN` is shown to the hub (and to nobody else),
//! `HF_HUB_OFFLINE` forbids any contact. The transfer itself is in `http`.

use crate::cache::{Cache, look_at, remove, resolved};
use crate::caller::Caller;
use crate::content;
use crate::error::{Context, HubError, Result};
use crate::http::{Client, Fetch, Outcome};
use std::path::{Path, PathBuf};

/// A file in a repository of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HubFile {
    org: String,
    repo: String,
    file: String,
    rev: String,
}

impl HubFile {
    /// Reads `ORG/REPO/FILE[@REV]`; FILE may lie in directories, REV is `main` unless given.
    pub(crate) fn parse(text: &str) -> Result<HubFile> {
        let wrong = |why: &str| {
            HubError::Name(format!(
                "hf:{text}: {why}. The form is hf:ORG/REPO/FILE[@REV], e.g. hf:ORG/REPO-GGUF/model-Q4_K_M.gguf"
            ))
        };
        let (path, rev) = match text.rsplit_once('@') {
            Some((path, rev)) => (path, rev),
            None => (text, "main"),
        };
        let parts: Vec<&str> = path.splitn(3, '/').collect();
        let [org, repo, file] = parts[..] else {
            return Err(wrong("ORG, REPO and FILE are needed"));
        };
        // Each piece becomes a name in the cache: none may lead out of it or collide with the
        // hidden names there.
        let plain = |piece: &str| {
            !piece.is_empty()
                && !piece.starts_with('.')
                && !piece.contains(['\\', ':'])
                && !piece.contains(char::is_control)
        };
        if !path.split('/').chain(rev.split('/')).all(plain) {
            return Err(wrong("a part is empty, hidden or has characters that file names may not"));
        }
        Ok(HubFile { org: org.into(), repo: repo.into(), file: file.into(), rev: rev.into() })
    }

    /// The path of its address.
    fn url_path(&self) -> String {
        let file: Vec<_> = self.file.split('/').map(encode).collect();
        format!(
            "/{}/{}/resolve/{}/{}",
            encode(&self.org),
            encode(&self.repo),
            encode(&self.rev),
            file.join("/")
        )
    }

    /// Its place in the cache.
    pub(crate) fn cache_path(&self, cache: &Cache) -> PathBuf {
        cache
            .models()
            .join("hf")
            .join(&self.org)
            .join(&self.repo)
            .join(encode(&self.rev))
            .join(&self.file)
    }

    /// The files of the split model that this one is the first part of; else only itself.
    fn parts(&self) -> Vec<HubFile> {
        let count = self.file.strip_suffix(".gguf").and_then(|stem| {
            let (stem, count) = stem.rsplit_once("-of-")?;
            let prefix = stem.strip_suffix("-00001")?;
            Some((prefix, count.parse::<u16>().ok().filter(|_| count.len() == 5)?))
        });
        match count {
            Some((prefix, count)) if count > 1 => {
                let part = |number| HubFile {
                    file: format!("{prefix}-{number:05}-of-{count:05}.gguf"),
                    ..self.clone()
                };
                (1..=count).map(part).collect()
            }
            _ => vec![self.clone()],
        }
    }
}

impl std::fmt::Display for HubFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hf:{}/{}/{}", self.org, self.repo, self.file)?;
        if self.rev == "main" { Ok(()) } else { write!(f, "@{}", self.rev) }
    }
}

/// The name after `-m` of a file in the cache's `hf` directory, from its path within that.
pub fn name_in_cache(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.splitn(4, '/').collect();
    let [org, repo, rev, file] = parts[..] else { return None };
    Some(
        HubFile { org: org.into(), repo: repo.into(), file: file.into(), rev: decode(rev) }
            .to_string(),
    )
}

/// Percent-encodes what is not a plain character of a path segment.
fn encode(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = segment.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn decode(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A hub and how to speak to it.
pub(crate) struct Hub<'a> {
    pub(super) endpoint: String,
    pub(super) token: Option<String>,
    pub(super) offline: bool,
    pub(super) client: Client<'a>,
    caller: &'a dyn Caller,
}

impl<'a> Hub<'a> {
    /// The hub that the environment names.
    pub(crate) fn from_env(caller: &'a dyn Caller) -> Hub<'a> {
        let set = |name: &str| {
            std::env::var(name).ok().map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
        };
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let offline = set("HF_HUB_OFFLINE")
            .is_some_and(|v| ["1", "true", "yes", "on"].contains(&&*v.to_lowercase()));
        Hub { endpoint, token: set("HF_TOKEN"), offline, client: Client::new(caller), caller }
    }

    /// The file's path in the cache, fetched when it is not there; of a split model all parts. With
    /// `check` the hub is asked whether a copy that is there is still its current one.
    pub(crate) fn pull(&self, file: &HubFile, cache: &Cache, check: bool) -> Result<PathBuf> {
        for part in file.parts() {
            self.pull_one(&part, cache, check)?;
        }
        Ok(file.cache_path(cache))
    }

    fn pull_one(&self, file: &HubFile, cache: &Cache, check: bool) -> Result<()> {
        // Who keeps models on another disk has links to them here.
        let target = resolved(&file.cache_path(cache))?;
        let ask = check && !self.offline;
        match State::of(&target, file)? {
            State::Good if !ask => return Ok(()),
            State::Wrong(what) if self.offline => {
                return Err(HubError::Refused(format!(
                    "{} is {what}, and HF_HUB_OFFLINE forbids to get {file} again",
                    target.display()
                )));
            }
            _ if self.offline => {
                return Err(HubError::Refused(format!(
                    "{file} is not in the cache, and HF_HUB_OFFLINE forbids to get it: unset it, or give a file with -m FILE"
                )));
            }
            _ => {}
        }
        let _lock = cache.lock(&target, self.caller)?;
        match State::of(&target, file)? {
            State::Good if !check => return Ok(()), // another process has pulled it while this one waited for the lock
            State::Wrong(what) => {
                self.caller.tell(&format!("the cached copy of {file} is {what}: getting it again"));
                remove(&target)?;
            }
            _ => {}
        }
        let url = format!("{}{}", self.endpoint.trim_end_matches('/'), file.url_path());
        let fetch = Fetch { url: &url, token: self.token.as_deref(), target: &target };
        self.caller.tell(&format!("pulling {file}"));
        let outcome = self.client.fetch(&fetch).context(|| format!("cannot pull {file}"))?;
        self.caller.tell(&match outcome {
            Outcome::Saved => format!("saved {}", target.display()),
            Outcome::Unchanged => format!("{file} is in the cache, and the hub has nothing newer"),
        });
        Ok(())
    }
}

/// What the cache has of a file.
enum State {
    Absent,
    Good,
    /// Something else under its name, from before that was looked at: what it is.
    Wrong(String),
}

impl State {
    fn of(target: &Path, file: &HubFile) -> Result<State> {
        if !look_at(target)?.is_some_and(|about| about.is_file()) {
            return Ok(State::Absent);
        }
        Ok(content::wrong(target, &file.file)?.map_or(State::Good, State::Wrong))
    }
}

#[cfg(all(test, unix))]
mod tests;
