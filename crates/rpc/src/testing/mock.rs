//! A worker that speaks the protocol over bytes in memory, one caller at a time, as llama.cpp's
//! server does, and that can be told to misbehave.

use super::memory::Memory;
use crate::Endpoint;
use crate::bridge::locked;
use crate::protocol::tensor::{DATA_AT, TENSOR_BYTES};
use crate::protocol::{Command, Version};
use crate::socket;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A longer body is no test's.
const MOST_BODY_BYTES: u64 = 64 << 20;

/// What a mock does in place of answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misdeed {
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// Sends half of an answer of 16 bytes and closes the connection.
    HalfAnAnswer,
    /// Says nothing, and keeps the connection until the caller closes it.
    Hang,
    /// Sends these bytes, and keeps the connection until the caller closes it.
    Garbage(Vec<u8>),
}

/// How a mock behaves.
#[derive(Clone, Debug)]
pub struct Mock {
    /// What it says to HELLO.
    pub version: Version,
    /// Its devices.
    pub devices: u32,
    /// Bytes of memory of each, free and in all.
    pub memory_bytes: (u64, u64),
    /// What a graph takes.
    pub graph_time: Duration,
    /// After so many commands of a connection (HELLO is the first), this.
    pub misdeed: Option<(usize, Misdeed)>,
}

impl Default for Mock {
    fn default() -> Mock {
        Mock {
            version: Version::OURS,
            devices: 1,
            memory_bytes: (3 << 30, 4 << 30),
            graph_time: Duration::ZERO,
            misdeed: None,
        }
    }
}

/// A running mock; it ends when this is dropped.
#[derive(Debug)]
pub struct MockWorker {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    commands: Mutex<Vec<Command>>,
    serving: Mutex<Option<TcpStream>>,
}

impl MockWorker {
    /// Listens on a free port of loopback.
    ///
    /// # Panics
    /// Where there is none.
    pub fn start(mock: Mock) -> MockWorker {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                *locked(&serving.serving) = stream.try_clone().ok();
                if serving.stopping.load(Ordering::SeqCst) {
                    return;
                }
                // A caller that leaves, or that is left, is the end of its connection alone.
                let _ = serve(&mock, stream, &serving.commands);
                *locked(&serving.serving) = None;
            }
        });
        MockWorker { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same.
    pub fn endpoint(&self) -> Endpoint {
        self.address.into()
    }

    /// Commands that it was sent until now, of all callers.
    pub fn commands(&self) -> Vec<Command> {
        locked(&self.shared.commands).clone()
    }
}

impl Drop for MockWorker {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(stream) = &*locked(&self.shared.serving) {
            socket::end(stream);
        }
        socket::wake(self.address);
    }
}

fn serve(mock: &Mock, mut stream: TcpStream, seen: &Mutex<Vec<Command>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut memory = Memory::default();
    for served in 0.. {
        let mut header = [0; 9];
        stream.read_exact(&mut header)?;
        let Some(command) = Command::from_byte(header[0]) else { return Ok(()) };
        if (served == 0) != (command == Command::Hello) {
            return Ok(());
        }
        let length = number(&header[1..]);
        if length > MOST_BODY_BYTES {
            return Ok(());
        }
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body)?;
        locked(seen).push(command);
        match &mock.misdeed {
            Some((after, misdeed)) if *after == served => return misbehave(stream, misdeed),
            _ => {}
        }
        match answer(mock, &mut memory, command, &body) {
            Some(Reply::Nothing) => {}
            Some(Reply::Bytes(bytes)) => {
                stream.write_all(&[&(bytes.len() as u64).to_le_bytes(), &bytes[..]].concat())?;
            }
            // As llama.cpp's server does with what it cannot do.
            None => return Ok(()),
        }
    }
    Ok(())
}

enum Reply {
    Nothing,
    Bytes(Vec<u8>),
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn answer(mock: &Mock, memory: &mut Memory, command: Command, body: &[u8]) -> Option<Reply> {
    let numbers = |numbers: &[u64]| {
        Some(Reply::Bytes(numbers.iter().flat_map(|number| number.to_le_bytes()).collect()))
    };
    let nothing_if = |done: bool| done.then_some(Reply::Nothing);
    let device = || (number(body.get(..4)?) < u64::from(mock.devices)).then_some(());
    let handle = || body.get(..8).map(number);
    let data = || body.get(DATA_AT..DATA_AT + 8).map(number);
    match command {
        Command::Hello => {
            let Version { major, minor, patch } = mock.version;
            let mut hello = vec![0; 28];
            hello[..3].copy_from_slice(&[major, minor, patch]);
            Some(Reply::Bytes(hello))
        }
        Command::DeviceCount => Some(Reply::Bytes(mock.devices.to_le_bytes().to_vec())),
        Command::GetDeviceMemory => {
            device()?;
            numbers(&[mock.memory_bytes.0, mock.memory_bytes.1])
        }
        Command::GetAlignment => {
            device()?;
            numbers(&[32])
        }
        Command::GetMaxSize => {
            device()?;
            numbers(&[u64::MAX])
        }
        Command::AllocBuffer => {
            device()?;
            let bytes = number(body.get(4..12)?);
            match memory.allocate(bytes) {
                0 => numbers(&[0, 0]),
                handle => numbers(&[handle, bytes]),
            }
        }
        Command::BufferGetBase => {
            let handle = handle().filter(|handle| memory.has(*handle))?;
            numbers(&[handle])
        }
        Command::FreeBuffer => nothing_if(memory.free(handle()?)),
        Command::BufferClear => nothing_if(memory.fill(handle()?, *body.get(8)?)),
        Command::SetTensor => {
            let offset = number(body.get(TENSOR_BYTES + 1..TENSOR_BYTES + 9)?);
            let address = data()?.checked_add(offset)?;
            nothing_if(memory.write(address, &body[TENSOR_BYTES + 9..]))
        }
        Command::GetTensor => {
            let offset = number(body.get(TENSOR_BYTES..TENSOR_BYTES + 8)?);
            let bytes = number(body.get(TENSOR_BYTES + 8..TENSOR_BYTES + 16)?);
            memory.read(data()?.checked_add(offset)?, bytes).map(|b| Reply::Bytes(b.to_vec()))
        }
        Command::SetTensorHash | Command::CopyTensor => Some(Reply::Bytes(vec![0])),
        Command::GetAllocSize => numbers(&[0]),
        Command::GraphCompute | Command::GraphRecompute => {
            std::thread::sleep(mock.graph_time);
            Some(Reply::Nothing)
        }
        Command::InitTensor | Command::MemsetTensor => Some(Reply::Nothing),
    }
}

fn misbehave(mut stream: TcpStream, misdeed: &Misdeed) -> io::Result<()> {
    match misdeed {
        Misdeed::Close => Ok(()),
        Misdeed::Reset => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
        Misdeed::HalfAnAnswer => {
            stream.write_all(&16u64.to_le_bytes())?;
            stream.write_all(&[0; 8])
        }
        Misdeed::Hang => until_it_leaves(&stream),
        Misdeed::Garbage(bytes) => {
            stream.write_all(bytes)?;
            until_it_leaves(&stream)
        }
    }
}

fn until_it_leaves(mut stream: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}
