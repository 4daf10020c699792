//! Sockets as this crate has them: connected within a time, without Nagle's delay, watched by the
//! kernel so that a machine that is gone is noticed.

use crate::{Endpoint, RpcError};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to a worker, which sends what it is given at once.
pub(crate) fn connect(endpoint: &Endpoint, within: Duration) -> Result<TcpStream, RpcError> {
    let address = endpoint.resolve()?;
    let wrong = |error| RpcError::of(endpoint, "connecting", within, error);
    let stream = TcpStream::connect_timeout(&address, within).map_err(wrong)?;
    stream.set_nodelay(true).map_err(wrong)?;
    Ok(stream)
}

/// Has the kernel end the connection once its questions, `every` so often, have gone unanswered for
/// `dead`. It asks while nothing is under way; what was sent and not acknowledged it sends again,
/// for a quarter of an hour or so. A stopped process on a machine that lives is not noticed.
pub(crate) fn keep_alive(stream: &TcpStream, every: Duration, dead: Duration) -> io::Result<()> {
    // Linux counts these in seconds.
    let every = Duration::from_secs(every.as_secs().max(1));
    let retries = (dead.as_secs() / every.as_secs()).clamp(1, 100) as u32;
    let keepalive = TcpKeepalive::new().with_time(every).with_interval(every).with_retries(retries);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Has the kernel end the connection when bytes lie unacknowledged, or are not taken, for `dead`.
/// For callers alone, which read what they have asked for at once: a worker that computes for long
/// takes nothing meanwhile, and is not lost.
pub(crate) fn acknowledged_within(stream: &TcpStream, dead: Duration) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_user_timeout(Some(dead))?;
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, dead);
    Ok(())
}

/// Ends a connection both ways; threads that wait on it return. One that is gone already is ended.
pub(crate) fn end(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// Makes a listener's blocked `accept` return, by calling it.
pub(crate) fn wake(listener: SocketAddr) {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let _ = TcpStream::connect_timeout(
        &SocketAddr::new(ip, listener.port()),
        Duration::from_millis(200),
    );
}
