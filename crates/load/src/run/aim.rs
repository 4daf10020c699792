//! The servers that a load goes to, each with its own connections. One that cannot even be looked up
//! fails its share of the requests, where there are others.

use super::{LoadError, Settings};
use crate::clock::now_ns;
use crate::net::{Connector, Exchange, Outgoing, Pool, exchange};
use hyper::header::HeaderMap;
use pacemark_record::{Failure, FailureKind};
use std::sync::Arc;

/// One server.
pub(crate) struct Aim {
    /// What opens its connections, or why nothing does.
    connector: Result<Connector, String>,
    pool: Pool,
    /// Path of its endpoint.
    pub path: String,
    /// Headers of its requests.
    pub headers: HeaderMap,
    /// Its name in the record, where there are several.
    pub url: Option<Arc<str>>,
}

/// Every server of the settings. Where there is one, it has to be known.
pub(super) async fn all(settings: &Settings) -> Result<Vec<Aim>, LoadError> {
    let several = !settings.others.is_empty();
    let mut aims = Vec::new();
    for target in settings.targets() {
        let at = settings.at(target);
        let connector = match at.connector(settings.kernel_stamps).await {
            Ok(connector) => Ok(connector),
            Err(error) if several => Err(error.to_string()),
            Err(error) => return Err(error.into()),
        };
        aims.push(Aim {
            connector,
            pool: Pool::new(settings.connections),
            path: target.of_api(settings.endpoint.path()),
            headers: at.header_map()?,
            url: several.then(|| target.url().into()),
        });
    }
    Ok(aims)
}

impl Aim {
    /// Sends and receives. Ends, whatever the server does.
    pub(super) async fn exchange(&self, outgoing: Outgoing<'_>) -> Exchange {
        match &self.connector {
            Ok(connector) => exchange(connector, &self.pool, outgoing).await,
            Err(message) => {
                let now = now_ns();
                // Streams that fail without waiting would keep everybody else from the thread.
                tokio::task::yield_now().await;
                let failure = Failure { kind: FailureKind::Unreachable, message: message.clone() };
                Exchange {
                    sent_ns: now,
                    resent_ns: None,
                    connected_ns: None,
                    head_ns: None,
                    end_ns: now_ns(),
                    answer: Err(failure),
                }
            }
        }
    }
}
