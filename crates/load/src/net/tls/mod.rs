//! TLS before HTTP: whom a client trusts, the handshake, and in plain words why there was none.
//!
//! Certificates are checked against a file, else the system's store (as `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` say, where they are set), else, where a system has none, against Mozilla's list.
//! Sessions are not resumed, so that every connection costs the same. What arrives is stamped below
//! this, as ciphertext.

mod trust;

use super::stamped::{Stamped, Watched};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
pub use trust::system_certificates;

/// Whose word is taken for who a server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Authorities that the system knows.
    #[default]
    System,
    /// Those of a PEM file alone.
    File(PathBuf),
    /// Anybody is who he says: certificates are not checked.
    Anybody,
}

/// Authorities that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file that was named.
    #[error("{file}: expected certificates (PEM), found {found}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        found: String,
    },
    /// What `SSL_CERT_FILE` or `SSL_CERT_DIR` names.
    #[error("SSL_CERT_FILE, SSL_CERT_DIR: there is no certificate where they say{0}")]
    Variables(String),
    /// A name that no certificate can have.
    #[error("'{0}' is no name that a certificate can have")]
    Name(String),
    /// The library's own words.
    #[error(transparent)]
    Library(#[from] Error),
}

/// Makes encrypted streams to one server.
pub(super) struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secure {
    /// For the server of that name, or address.
    pub(super) fn new(name: &str, trust: &Trust) -> Result<Secure, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let verifier = trust::verifier(trust, provider)?;
        let mut config =
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| TrustError::Name(name.to_owned()))?;
        Ok(Secure { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// The handshake; its failure in words.
    pub(super) async fn shake_hands(
        &self,
        stream: Stamped,
        watched: Watched,
    ) -> Result<Encrypted, String> {
        let made = self.connector.connect(self.name.clone(), TokioIo::new(stream)).await;
        made.map(|stream| Encrypted { stream, watched, bytes: vec![0; RECORD_BYTES] })
            .map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &io::Error) -> String {
        let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    "the server closed the connection within the TLS handshake".to_owned()
                }
                _ => error.to_string(),
            };
        };
        match error {
            Error::InvalidMessage(_) => {
                "the server does not speak TLS on this port: is it http://?".to_owned()
            }
            Error::AlertReceived(alert) => {
                format!("the server refused the TLS handshake: {alert:?}")
            }
            Error::InvalidCertificate(why) => {
                format!("the server's certificate {}", self.wrong_with(why))
            }
            _ => format!("TLS: {error}"),
        }
    }

    fn wrong_with(&self, why: &CertificateError) -> String {
        let host = self.name.to_str();
        match why {
            CertificateError::Expired => "has expired".to_owned(),
            CertificateError::ExpiredContext { time, not_after } => {
                let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
                format!("has expired, {days} days ago")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet".to_owned(),
            CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                format!("is not for {host}: it is for {}", names(presented))
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("is not for {host}, by its subjectAltName")
            }
            CertificateError::UnknownIssuer => {
                "is signed by nobody that is trusted here (by itself, or by an authority of its own): --cacert FILE trusts the one of a file".to_owned()
            }
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                "is an authority's (CA:TRUE) that is not trusted here: --cacert FILE trusts the one of a file".to_owned()
            }
            other => format!("is refused: {other}"),
        }
    }
}

/// Names as the library tells them, `DnsName("example.org")`, without its wrapping.
fn names(presented: &[String]) -> String {
    let bare = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name));
    bare.collect::<Vec<_>>().join(", ")
}

/// A stream over which TLS stands.
pub(super) struct Encrypted {
    stream: TlsStream<TokioIo<Stamped>>,
    watched: Watched,
    /// What was decrypted, on its way.
    bytes: Vec<u8>,
}

/// The most that one record holds (RFC 8446, section 5.1).
const RECORD_BYTES: usize = 1 << 14;

impl Read for Encrypted {
    /// Many servers end a connection without TLS's own end. Whether the answer was whole then is
    /// HTTP's to say, as it is without encryption.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Encrypted { stream, watched, bytes } = &mut *self;
        let room = buf.remaining().min(bytes.len());
        let mut read = ReadBuf::new(&mut bytes[..room]);
        match ready!(Pin::new(stream).poll_read(cx, &mut read)) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Poll::Ready(Err(error));
            }
            _ => {}
        }
        watched.decrypted(read.filled().len());
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
