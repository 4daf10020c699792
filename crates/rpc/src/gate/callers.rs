//! Who comes to a gate: looked at, refused, answered at once, or served in the order of coming.

use super::control::{self, CONTROL, GateUsage};
use super::{GateEvent, GateOptions};
use crate::away::Away;
use crate::bridge::{bridge, locked};
use crate::conversation::{Conversation, Counts};
use crate::protocol::Command;
use crate::{Endpoint, is_private, socket};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A line to the gate that asks nothing for so long is closed.
const CONTROL_IDLE: Duration = Duration::from_secs(600);

pub(super) struct Callers {
    upstream: Endpoint,
    options: GateOptions,
    stopping: AtomicBool,
    book: Mutex<Book>,
    turn: Condvar,
}

#[derive(Default)]
struct Book {
    /// Of callers that were served.
    served: Counts,
    callers: u64,
    serving: Option<Arc<Mutex<Conversation>>>,
    /// Numbers of those that wait and, first, of the one that is served.
    queue: Vec<u64>,
    next_number: u64,
    /// All that are connected, by number, so that they can be ended.
    connected: Vec<(u64, Arc<TcpStream>)>,
}

impl Callers {
    pub(super) fn new(upstream: SocketAddr, options: GateOptions) -> Callers {
        Callers {
            upstream: upstream.into(),
            options,
            stopping: AtomicBool::new(false),
            book: Mutex::default(),
            turn: Condvar::new(),
        }
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for (_, stream) in &locked(&self.book).connected {
            socket::end(stream);
        }
        self.turn.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn usage(&self) -> GateUsage {
        let book = locked(&self.book);
        let mut counts = book.served;
        if let Some(conversation) = &book.serving {
            counts.add(locked(conversation).counts(Instant::now()));
        }
        GateUsage {
            computing_ns: counts.computing_ns,
            graphs: counts.graphs,
            commands: counts.commands,
            round_trips: counts.round_trips,
            sent_bytes: counts.sent_bytes,
            received_bytes: counts.received_bytes,
            callers: book.callers,
        }
    }

    pub(super) fn listen(self: Arc<Callers>, listener: &TcpListener) {
        loop {
            let caller = listener.accept();
            if self.is_stopping() {
                return;
            }
            let Ok((stream, address)) = caller else {
                // Too many open files, or a caller that is gone: neither closes a gate.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            match self.enter(stream, address) {
                Ok((number, stream)) => {
                    let callers = Arc::clone(&self);
                    std::thread::spawn(move || {
                        callers.meet(number, &stream, address);
                        locked(&callers.book).connected.retain(|(other, _)| *other != number);
                    });
                }
                Err(why) => self.tell(GateEvent::Refused { caller: address, why }),
            }
        }
    }

    /// Decides by the address and by how many there are.
    fn enter(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<(u64, Arc<TcpStream>), String> {
        admits(address.ip(), self.options.public)?;
        let mut book = locked(&self.book);
        if self.is_stopping() {
            return Err("the gate closes".to_owned());
        }
        if book.connected.len() >= self.options.most_connections {
            return Err(format!("{} connections are open already", book.connected.len()));
        }
        let (number, stream) = (book.next_number, Arc::new(stream));
        book.next_number += 1;
        book.connected.push((number, Arc::clone(&stream)));
        Ok((number, stream))
    }

    /// A caller, until it is gone.
    fn meet(&self, number: u64, stream: &TcpStream, caller: SocketAddr) {
        let refused = |why| self.tell(GateEvent::Refused { caller, why });
        match self.first_byte(stream) {
            Ok(Some(byte)) if byte == Command::Hello as u8 => self.wait(number, stream, caller),
            Ok(Some(byte)) if byte == CONTROL[0] => {
                let idle = stream.set_read_timeout(Some(CONTROL_IDLE));
                let answered = idle.and_then(|()| control::answer(stream, || self.usage()));
                // One that leaves, or breaks off, needs no words.
                if let Ok(Err(why)) = answered {
                    refused(why);
                }
            }
            Ok(Some(byte)) => refused(format!("its first byte is {byte}; expected a HELLO, 14")),
            // It looked whether somebody listens.
            Ok(None) => {}
            Err(error) => refused(format!("it said nothing: {error}")),
        }
        // The book holds the connection too, so it would not be closed by going out of scope.
        socket::end(stream);
    }

    fn first_byte(&self, stream: &TcpStream) -> io::Result<Option<u8>> {
        stream.set_nodelay(true)?;
        let dead = self.options.dead_after;
        // Three questions of the kernel's before a caller is given up.
        socket::keep_alive(stream, dead / 3, dead)?;
        socket::acknowledged_within(stream, dead)?;
        stream.set_read_timeout(Some(self.options.hello_timeout))?;
        let mut byte = [0];
        let n = stream.peek(&mut byte)?;
        stream.set_read_timeout(None)?;
        Ok((n == 1).then_some(byte[0]))
    }

    /// Waits for the caller's turn, then serves it.
    fn wait(&self, number: u64, stream: &TcpStream, caller: SocketAddr) {
        let ahead = {
            let mut book = locked(&self.book);
            book.queue.push(number);
            book.queue.len() - 1
        };
        if ahead > 0 {
            self.tell(GateEvent::Waiting { caller, ahead });
        }
        let mut book = locked(&self.book);
        while book.queue.first() != Some(&number) && !self.is_stopping() {
            book = self.turn.wait(book).unwrap_or_else(PoisonError::into_inner);
        }
        drop(book);
        if !self.is_stopping() {
            self.serve(stream, caller);
        }
        locked(&self.book).queue.retain(|other| *other != number);
        self.turn.notify_all();
    }

    fn serve(&self, stream: &TcpStream, caller: SocketAddr) {
        let server = match socket::connect(&self.upstream, self.options.hello_timeout) {
            Ok(server) => server,
            Err(error) => {
                let why = format!("the server behind the gate: {error}");
                return self.tell(GateEvent::Refused { caller, why });
            }
        };
        let conversation = Arc::new(Mutex::new(Conversation::new(Arc::new(Away::default()))));
        {
            let mut book = locked(&self.book);
            book.callers += 1;
            book.serving = Some(Arc::clone(&conversation));
        }
        self.tell(GateEvent::Accepted { caller });
        let why = Mutex::new(None);
        bridge(stream, &server, &conversation, |ending| {
            let phase = locked(&conversation).phase();
            let words = ending.of_the_worker(&phase, self.options.dead_after);
            *locked(&why) = words.map(|words| format!("the server {words}"));
        });
        let counts = locked(&conversation).close(Instant::now());
        {
            let mut book = locked(&self.book);
            book.serving = None;
            book.served.add(counts);
        }
        let why = why.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.tell(GateEvent::Ended { caller, graphs: counts.graphs, why });
    }

    fn tell(&self, event: GateEvent) {
        if let Some(tell) = &self.options.on_event {
            tell(&event);
        }
    }
}

/// Whether a caller of this address is let in; why not.
fn admits(address: IpAddr, public: bool) -> Result<(), String> {
    match public || is_private(address) {
        true => Ok(()),
        false => Err("its address is not of a private network".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_refused_unless_told_otherwise() {
        let admitted = |text: &str, public| admits(text.parse().unwrap(), public).is_ok();
        assert!(admitted("127.0.0.1", false) && admitted("192.168.3.4", false));
        assert!(!admitted("203.0.113.9", false) && !admitted("2001:db8::7", false));
        assert!(admitted("203.0.113.9", true) && admitted("2001:db8::7", true));
        assert!(admits("8.8.8.8".parse().unwrap(), false).unwrap_err().contains("private network"));
    }
}
