//! What llama.cpp says to a worker, command by command, with bodies of the right sizes.

use crate::protocol::{Command, HELLO_BYTES, tensor};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A caller. It counts what it sends and receives.
#[derive(Debug)]
pub struct Caller {
    stream: TcpStream,
    /// Bytes that were sent.
    pub sent_bytes: u64,
    /// Bytes that were received.
    pub received_bytes: u64,
}

impl Caller {
    /// Connects, and says nothing yet.
    ///
    /// # Errors
    /// Where nobody listens.
    pub fn connect(address: SocketAddr) -> io::Result<Caller> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Caller { stream, sent_bytes: 0, received_bytes: 0 })
    }

    /// Its connection.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// A command with a body.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn send(&mut self, command: Command, body: &[u8]) -> io::Result<()> {
        let mut message = vec![command as u8];
        message.extend((body.len() as u64).to_le_bytes());
        message.extend(body);
        self.stream.write_all(&message)?;
        self.sent_bytes += message.len() as u64;
        Ok(())
    }

    /// An answer's body.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        self.stream.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut body = Vec::new();
        (&self.stream).take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.received_bytes += 8 + length;
        Ok(body)
    }

    /// HELLO and its answer.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn hello(&mut self) -> io::Result<Vec<u8>> {
        self.send(Command::Hello, &[0; HELLO_BYTES])?;
        self.receive()
    }

    /// A new buffer of so many bytes: its handle and its address.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn allocate(&mut self, bytes: u64) -> io::Result<(u64, u64)> {
        let mut body = vec![0; 4];
        body.extend(bytes.to_le_bytes());
        self.send(Command::AllocBuffer, &body)?;
        let handle = number(&self.receive()?);
        self.send(Command::BufferGetBase, &handle.to_le_bytes())?;
        Ok((handle, number(&self.receive()?)))
    }

    /// Writes bytes to a buffer's beginning.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn set(&mut self, (handle, base): (u64, u64), bytes: &[u8]) -> io::Result<()> {
        let mut body = tensor::row(handle, base, bytes.len() as u32).to_vec();
        body.extend([0; 9]);
        body.extend(bytes);
        self.send(Command::SetTensor, &body)
    }

    /// Asks for a buffer's first bytes; [`Caller::receive`] has them.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn ask(&mut self, (handle, base): (u64, u64), bytes: u32) -> io::Result<()> {
        let mut body = tensor::row(handle, base, bytes).to_vec();
        body.extend(0u64.to_le_bytes());
        body.extend(u64::from(bytes).to_le_bytes());
        self.send(Command::GetTensor, &body)
    }

    /// One step as llama.cpp takes it: a tensor set, a graph, a tensor got.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn step(&mut self, buffer: (u64, u64), bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.set(buffer, bytes)?;
        self.send(Command::GraphRecompute, &[0; 4])?;
        self.ask(buffer, bytes.len() as u32)?;
        self.receive()
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
