//! A TCP stream that knows when its last bytes arrived.
//!
//! On Linux the kernel stamps packets as they arrive (`SO_TIMESTAMPNS`, socket(7)), so that a stamp
//! is true however late this process gets to reading: with thousands of streams that is most of a
//! client's error. Where there is no such stamp, the time at which the read returned is taken.
//!
//! Several packets read at once carry the stamp of the last. So while reading is late, what waits
//! is looked at first (`MSG_PEEK`) and taken an event at a time. What the kernel has joined in its
//! own queue by then (`tcp_try_coalesce`) has one stamp for good. Of an encrypted stream the stamps
//! are of the bytes of its TLS records, and what is late is taken a record at a time.

use super::records::Records;
use crate::clock;
use hyper::rt::ReadBufCursor;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, Shutdown, recv, recvmsg, setsockopt, shutdown, sockopt,
};
use nix::sys::time::TimeSpec;
use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// Bytes that were read this long after they came: the next ones may have company.
const LATE_NS: u64 = 1_000_000;

/// Where bytes and control messages go before hyper takes them: one for all streams of a thread.
struct Scratch {
    bytes: Vec<u8>,
    control: Vec<u8>,
    /// The last read of any stream was late.
    late: bool,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { bytes: vec![0; READ_BYTES], control: nix::cmsg_space!(TimeSpec), late: false });
}

/// Where the first event ends, with the end of its HTTP chunk, if anything follows it.
fn end_of_first_event(bytes: &[u8]) -> Option<usize> {
    let blank = bytes.windows(2).position(|pair| pair == b"\n\n")? + 2;
    let end = if bytes[blank..].starts_with(b"\r\n") { blank + 2 } else { blank };
    (end < bytes.len()).then_some(end)
}

/// What was received, as those who wait for it see it.
#[derive(Debug, Default)]
struct Received {
    last_ns: AtomicU64,
    bytes: AtomicU64,
    /// What came first is a TLS record.
    tls: AtomicBool,
}

impl Received {
    fn count(&self, n: usize) {
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
    }
}

/// A stream as it is seen by others than its reader.
#[derive(Clone)]
pub(super) struct Watched {
    received: Arc<Received>,
    /// Gone with the stream.
    socket: Weak<TcpStream>,
}

impl Watched {
    /// When the bytes of the last read arrived.
    pub(super) fn last_ns(&self) -> u64 {
        self.received.last_ns.load(Ordering::Relaxed)
    }

    /// More was read of an encrypted stream: what it says, without what TLS says for itself.
    pub(super) fn decrypted(&self, n: usize) {
        self.received.count(n);
    }

    /// Bytes that were read so far, decrypted.
    pub(super) fn bytes(&self) -> u64 {
        self.received.bytes.load(Ordering::Relaxed)
    }

    /// The server's first bytes were TLS.
    pub(super) fn spoke_tls(&self) -> bool {
        self.received.tls.load(Ordering::Relaxed)
    }

    /// Nothing waits in the socket, not even its end: it can take a request. Asks the system, which
    /// knows before the reader does.
    pub(super) fn is_idle(&self) -> bool {
        let Some(socket) = self.socket.upgrade() else { return false };
        let found = recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        // Anything that an idle server says is no answer, and 0 bytes are its end.
        matches!(found, Err(nix::errno::Errno::EAGAIN))
    }
}

/// The stream.
pub(super) struct Stamped {
    stream: Arc<TcpStream>,
    /// Its packets have stamps of their own.
    kernel: bool,
    /// Where its TLS records end, if it has such.
    records: Option<Records>,
    /// Something has come.
    begun: bool,
    received: Arc<Received>,
}

impl Stamped {
    /// Takes over a connected stream. With `kernel` its packets are stamped by the kernel, where it
    /// does that; with `tls` what it carries is encrypted.
    pub(super) fn new(stream: TcpStream, kernel: bool, tls: bool) -> (Stamped, Watched) {
        // Refused: reads have no stamp, and the time of reading is taken.
        let kernel = kernel && setsockopt(&stream, sockopt::ReceiveTimestampns, &true).is_ok();
        let (stream, received) = (Arc::new(stream), Arc::new(Received::default()));
        let watched = Watched { received: received.clone(), socket: Arc::downgrade(&stream) };
        (
            Stamped { stream, kernel, records: tls.then(Records::default), begun: false, received },
            watched,
        )
    }

    /// Writes as soon as the socket takes something.
    fn write_when_ready(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// How much to take at once, of `bytes` at most: the first event or record, where others wait
    /// behind it.
    fn first_event(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = recv(self.stream.as_raw_fd(), bytes, MsgFlags::MSG_PEEK)?;
        let end = match self.records {
            // A copy: these bytes are still to be read.
            Some(mut records) => records.pass(&bytes[..n]),
            None => end_of_first_event(&bytes[..n]),
        };
        Ok(end.unwrap_or(bytes.len()))
    }

    /// Keeps what others watch.
    fn note(&mut self, bytes: &[u8], stamp: u64) {
        self.received.last_ns.store(stamp, Ordering::Relaxed);
        if !std::mem::replace(&mut self.begun, true) {
            // An alert or a handshake message of any version since SSL 3.
            self.received.tls.store(matches!(bytes, [21 | 22, 3, ..]), Ordering::Relaxed);
        }
        match &mut self.records {
            Some(records) => _ = records.pass(bytes),
            None => self.received.count(bytes.len()),
        }
    }

    /// One read without waiting: how many bytes, and when they came.
    fn receive(&self, bytes: &mut [u8], control: &mut [u8]) -> io::Result<(usize, u64)> {
        let mut parts = [IoSliceMut::new(bytes)];
        let message =
            recvmsg::<()>(self.stream.as_raw_fd(), &mut parts, Some(control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(at) => {
                Some(at.tv_sec().max(0) as u64 * 1_000_000_000 + at.tv_nsec() as u64)
            }
            _ => None,
        });
        Ok((
            message.bytes,
            stamp.filter(|ns| *ns > 0).map_or_else(clock::now_ns, clock::from_wall_clock),
        ))
    }
}

impl hyper::rt::Read for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|Scratch { bytes, control, late }| {
            let room = buf.remaining().min(bytes.len());
            loop {
                ready!(self.stream.poll_read_ready(cx))?;
                let mut got = None;
                let result = self.stream.try_io(Interest::READABLE, || {
                    let room = if *late && self.kernel {
                        self.first_event(&mut bytes[..room])?
                    } else {
                        room
                    };
                    let (n, stamp) = self.receive(&mut bytes[..room], control)?;
                    got = Some((n, stamp));
                    // Fewer than there is room for: nothing is left. Saying so now saves a read
                    // that finds nothing.
                    if n == 0 || n == room { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
                });
                if let Some((n, stamp)) = got {
                    // The end is no bytes, and has no stamp.
                    if n > 0 {
                        self.note(&bytes[..n], stamp);
                    }
                    *late = clock::now_ns().saturating_sub(stamp) > LATE_NS;
                    buf.put_slice(&bytes[..n]);
                    return Poll::Ready(Ok(()));
                }
                match result {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                    Ok(()) => return Poll::Ready(Ok(())),
                }
            }
        })
    }
}

impl hyper::rt::Write for Stamped {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_when_ready(cx, |stream| stream.try_write(buf))
    }

    /// What was written is the system's.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(self.stream.as_raw_fd(), Shutdown::Write).map_err(io::Error::from))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write_when_ready(cx, |stream| stream.try_write_vectored(buf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::io::Write;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[test]
    fn events_end_where_their_chunks_do() {
        let end = |text: &str| end_of_first_event(text.as_bytes());
        assert_eq!(end("b\r\ndata: a\n\n\r\nb\r\ndata: b\n\n\r\n"), Some(14));
        assert_eq!(end("data: a\n\ndata: b\n\n"), Some(9));
        for alone in ["", "data: a", "data: a\n\n", "b\r\ndata: a\n\n\r\n"] {
            assert_eq!(end(alone), None, "{alone:?}");
        }
    }

    /// Reads what is there: bytes and stamp.
    async fn read(stream: &mut Stamped, watched: &Watched) -> (String, u64) {
        let mut bytes = [0; 256];
        let mut buf = hyper::rt::ReadBuf::new(&mut bytes);
        poll_fn(|cx| hyper::rt::Read::poll_read(Pin::new(&mut *stream), cx, buf.unfilled()))
            .await
            .unwrap();
        (String::from_utf8_lossy(buf.filled()).into_owned(), watched.last_ns())
    }

    #[test]
    fn packets_that_are_read_late_keep_their_stamps() {
        late("data: first\n\n", "data: second\n\n", false);
        // Records of TLS, which end where their lengths say.
        late("\x17\x03\x03\0\x05\n\n\n\n\n", "\x17\x03\x03\0\x02ab", true);
    }

    fn late(first: &str, second: &str, tls: bool) {
        let n = if tls { 0 } else { (first.len() + second.len()) as u64 };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let mut server = listener.accept().await.unwrap().0.into_std().unwrap();
            server.set_nonblocking(false).unwrap();
            server.set_nodelay(true).unwrap();
            let (mut stream, watched) = Stamped::new(stream, true, tls);
            let before = clock::now_ns();
            server.write_all(first.as_bytes()).unwrap();
            // Shorter than the kernel's delayed acknowledgement, after which it joins packets that
            // nobody has read.
            std::thread::sleep(Duration::from_millis(8));
            let between = clock::now_ns();
            server.write_all(second.as_bytes()).unwrap();
            SCRATCH.with_borrow_mut(|scratch| scratch.late = true);
            let (one, first_ns) = read(&mut stream, &watched).await;
            let (other, second_ns) = read(&mut stream, &watched).await;
            assert_eq!((one.as_str(), other.as_str()), (first, second));
            assert!(before <= first_ns + 100_000 && first_ns <= second_ns);
            // A system without such stamps, or one that joined the packets, gives both the same.
            assert!(first_ns == second_ns || first_ns < between && between <= second_ns + 100_000);
            assert_eq!(watched.bytes(), n);
            // The end has no stamp and no bytes.
            drop(server);
            assert_eq!(read(&mut stream, &watched).await, (String::new(), second_ns));
            assert_eq!(watched.bytes(), n);
        });
    }
}
