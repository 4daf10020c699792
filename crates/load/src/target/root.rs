//! Where under a server's address the API lies.
//!
//! OpenAI's clients are given a base address that ends in the version, `…/v1`, and add
//! `/chat/completions`; users of this tool mostly give the server alone. So a path that names a
//! version is the API's root as it is, whatever the version (`/v1`, `/api/v3`, `/v1beta/openai`),
//! and so is what comes before a whole endpoint and an Azure deployment. To any other path `/v1` is
//! added.

use crate::Endpoint;

/// Where the API lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// The API's own path: `/v1`.
    pub api: String,
    /// The server's, where it has what is not OpenAI's: empty for most.
    pub server: String,
}

/// Ends of paths that are endpoints of such servers, and none that is measured: a root is none of
/// these.
const OTHERS: &[&str] = &[
    "/responses",
    "/embeddings",
    "/messages",
    "/completion",
    "/generate",
    "/generate_stream",
    "/infill",
    "/tokenize",
    "/metrics",
    "/health",
    "/api/chat",
    "/api/tags",
];

impl Root {
    /// The root that a path means, and the endpoint where the path is one's; the path itself where
    /// it is another's.
    pub(super) fn parse(path: &str) -> Result<(Root, Option<Endpoint>), &str> {
        let path = path.trim_end_matches('/');
        // The longer one first: it ends in the shorter.
        for endpoint in [Endpoint::Chat, Endpoint::Completions] {
            if let Some(root) = path.strip_suffix(endpoint.path()) {
                return Ok((Root::exactly(root), Some(endpoint)));
            }
        }
        if let Some(root) = path.strip_suffix("/models").filter(|root| names_version(root)) {
            return Ok((Root::exactly(root), None));
        }
        if OTHERS.iter().any(|other| path.ends_with(other)) {
            return Err(path);
        }
        if names_version(path) || is_deployment(path) {
            return Ok((Root::exactly(path), None));
        }
        Ok((Root { api: format!("{path}/v1"), server: path.to_owned() }, None))
    }

    fn exactly(path: &str) -> Root {
        let path = path.trim_end_matches('/');
        let server = path
            .rsplit_once('/')
            .filter(|(_, last)| is_version(last))
            .map_or(path, |(before, _)| before);
        Root { api: path.to_owned(), server: server.to_owned() }
    }
}

/// `v1`, `v3`, `v1beta`, `v2alpha1`.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix('v') else { return false };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let stage = after.trim_end_matches(|c: char| c.is_ascii_digit());
    after.len() < rest.len() && ["", "alpha", "beta"].contains(&stage)
}

fn names_version(path: &str) -> bool {
    path.split('/').any(is_version)
}

/// `…/openai/deployments/NAME`: Azure's root of one model, versioned by its query.
fn is_deployment(path: &str) -> bool {
    let mut from_end = path.rsplit('/');
    from_end.next().is_some_and(|name| !name.is_empty()) && from_end.next() == Some("deployments")
}
