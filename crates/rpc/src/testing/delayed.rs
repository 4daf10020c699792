//! A way that is long and not narrow: every byte comes out as it went in, a fixed time later.

use crate::bridge::locked;
use crate::socket;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Pieces that are under way at a time, at most; of 64 KiB, so that a gigabyte fits.
const MOST_PIECES: usize = 16 << 10;
const PIECE_BYTES: usize = 64 << 10;
/// A sleeping thread wakes up to so late; the rest is waited for awake.
const SPIN: Duration = Duration::from_micros(150);

/// A relay that holds bytes back; it takes no more connections when this is dropped, and ends those
/// it has.
#[derive(Debug)]
pub struct Delayed {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<Weak<TcpStream>>>>,
}

impl Delayed {
    /// Relays connections of `listener` to `to`, each byte `delay` later, each way.
    ///
    /// # Errors
    /// Where the listener has no address.
    pub fn start(listener: TcpListener, to: SocketAddr, delay: Duration) -> io::Result<Delayed> {
        let address = listener.local_addr()?;
        let delayed = Delayed { address, stopping: Arc::default(), streams: Arc::default() };
        let (stopping, streams) = (Arc::clone(&delayed.stopping), Arc::clone(&delayed.streams));
        std::thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                // A way that leads nowhere closes, as the other end would.
                let Ok(ends) = TcpStream::connect(to).and_then(|other| ready(caller, other)) else {
                    continue;
                };
                let mut streams = locked(&streams);
                streams.retain(|stream| stream.strong_count() > 0);
                streams.extend([Arc::downgrade(&ends.0), Arc::downgrade(&ends.1)]);
                one_way(Arc::clone(&ends.0), Arc::clone(&ends.1), delay);
                one_way(ends.1, ends.0, delay);
            }
        });
        Ok(delayed)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Delayed {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        for stream in locked(&self.streams).iter().filter_map(Weak::upgrade) {
            socket::end(&stream);
        }
        socket::wake(self.address);
    }
}

fn ready(caller: TcpStream, other: TcpStream) -> io::Result<(Arc<TcpStream>, Arc<TcpStream>)> {
    caller.set_nodelay(true)?;
    other.set_nodelay(true)?;
    Ok((Arc::new(caller), Arc::new(other)))
}

/// Two threads: one stamps what comes, one lets it go when its time is there.
fn one_way(from: Arc<TcpStream>, to: Arc<TcpStream>, delay: Duration) {
    let (sender, receiver) = sync_channel(MOST_PIECES);
    std::thread::spawn(move || take_in(&from, &sender, delay));
    std::thread::spawn(move || let_go(&receiver, &to));
}

type Piece = (Instant, Vec<u8>);

/// Reads until the end, which is a piece without bytes.
fn take_in(mut from: &TcpStream, sender: &SyncSender<Piece>, delay: Duration) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let n = from.read(&mut buffer).unwrap_or(0);
        let piece = (Instant::now() + delay, buffer[..n].to_vec());
        if sender.send(piece).is_err() || n == 0 {
            return;
        }
    }
}

fn let_go(receiver: &Receiver<Piece>, mut to: &TcpStream) {
    for (due, bytes) in receiver {
        wait_until(due);
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn wait_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if left > SPIN {
        std::thread::sleep(left - SPIN);
    }
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}
