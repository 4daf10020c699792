//! Whom a client trusts: authorities of a file or of the system, certificates that are their own
//! authority, or anybody.

use super::{Trust, TrustError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// What checks certificates by that trust.
pub(super) fn verifier(
    trust: &Trust,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
    let trusted = match trust {
        Trust::Anybody => return Ok(Arc::new(Unchecked(provider))),
        Trust::System => system_certificates()?,
        Trust::File(path) => certificates_of(path)?,
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    if trusted.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let chains = built.map_err(|error| TrustError::Library(Error::General(error.to_string())))?;
    Ok(Arc::new(Checked { chains, trusted }))
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let wrong = |found: String| TrustError::File { file: path.display().to_string(), found };
    let read: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates = read.map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| wrong(error.to_string()))?;
    }
    if certificates.is_empty() { Err(wrong("none".to_owned())) } else { Ok(certificates) }
}

/// Certificates of the authorities that the system knows, or that `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name; none where it has no store.
pub fn system_certificates() -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let named =
        ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    if found.certs.is_empty() && named {
        let why = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
        return Err(TrustError::Variables(why));
    }
    Ok(found.certs)
}

/// Checks a chain up to an authority.
#[derive(Debug)]
struct Checked {
    chains: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Checked {
    /// `openssl req -x509` makes certificates that are authorities and a server's at once, which
    /// RFC 5280 has apart and the library refuses, after it has looked at their dates. One that was
    /// itself given as trusted needs no chain, only its name looked at.
    fn is_trusted_itself(&self, certificate: &CertificateDer<'_>, why: &Error) -> bool {
        let Error::InvalidCertificate(CertificateError::Other(why)) = why else { return false };
        why.to_string().contains("CaUsedAsEndEntity")
            && self.trusted.iter().any(|one| one.as_ref() == certificate.as_ref())
    }
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.chains.verify_server_cert(certificate, intermediates, name, ocsp, now);
        checked.or_else(|why| {
            if !self.is_trusted_itself(certificate, &why) {
                return Err(why);
            }
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            Ok(ServerCertVerified::assertion())
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Takes any certificate, and any proof of owning it.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
