//! A TCP stream that knows when its last bytes arrived.
//!
//! On Linux the kernel stamps packets as they arrive (`SO_TIMESTAMPNS`, socket(7)), so that a stamp is true however late this
//! process gets to reading: with thousands of streams that is most of a client's error. Where there is no such stamp, the time
//! at which the read returned is taken. Several packets read at once carry the stamp of the last.

use crate::clock;
use hyper::rt::ReadBufCursor;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// Where bytes and control messages go before hyper takes them: one for all streams of a thread.
struct Scratch {
    bytes: Vec<u8>,
    control: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { bytes: vec![0; READ_BYTES], control: nix::cmsg_space!(TimeSpec) });
}

/// The stream.
pub(super) struct Stamped {
    stream: TcpStream,
    /// When the bytes of the last read arrived.
    last_ns: Arc<AtomicU64>,
}

impl Stamped {
    /// Takes over a connected stream. With `kernel` its packets are stamped by the kernel, where it does that.
    pub(super) fn new(stream: TcpStream, kernel: bool) -> (Stamped, Arc<AtomicU64>) {
        if kernel {
            // Refused: reads have no stamp, and the time of reading is taken.
            let _ = setsockopt(&stream, sockopt::ReceiveTimestampns, &true);
        }
        let last_ns = Arc::new(AtomicU64::new(0));
        (Stamped { stream, last_ns: last_ns.clone() }, last_ns)
    }

    /// One read without waiting: how many bytes, and when they came.
    fn receive(&self, bytes: &mut [u8], control: &mut [u8]) -> io::Result<(usize, u64)> {
        let mut parts = [IoSliceMut::new(bytes)];
        let message = recvmsg::<()>(self.stream.as_raw_fd(), &mut parts, Some(control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(at) => {
                Some(at.tv_sec().max(0) as u64 * 1_000_000_000 + at.tv_nsec() as u64)
            }
            _ => None,
        });
        Ok((message.bytes, stamp.filter(|ns| *ns > 0).map_or_else(clock::now_ns, clock::from_wall_clock)))
    }
}

impl hyper::rt::Read for Stamped {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|Scratch { bytes, control }| {
            let room = buf.remaining().min(bytes.len());
            loop {
                ready!(self.stream.poll_read_ready(cx))?;
                let mut got = None;
                let result = self.stream.try_io(Interest::READABLE, || {
                    let (n, stamp) = self.receive(&mut bytes[..room], control)?;
                    got = Some((n, stamp));
                    // Fewer than there is room for: nothing is left. Saying so now saves a read that finds nothing.
                    if n == 0 || n == room { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
                });
                if let Some((n, stamp)) = got {
                    self.last_ns.store(stamp, Ordering::Relaxed);
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
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
