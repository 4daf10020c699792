//! Asks a worker itself, before llama.cpp does: whether it is there, speaks our version, what it
//! has. Every error names it and nothing waits for ever. What the way to it takes is `link`'s.

use crate::protocol::{Answer, Command, HELLO_BYTES, Version};
use crate::{Endpoint, Link, RpcError, link, socket};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// More than any machine has; a count above it is no count.
const MOST_DEVICES: u32 = 256;

/// A part of a message that is sent as it lies.
const LARGE_BYTES: usize = 16 << 10;

/// What a worker computes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Bytes of its memory that are free.
    pub free_bytes: u64,
    /// All bytes of its memory.
    pub total_bytes: u64,
    /// What its buffers are aligned to, in bytes.
    pub alignment_bytes: u64,
    /// The largest buffer it gives, in bytes.
    pub largest_buffer_bytes: u64,
}

/// A connection to a worker. A worker serves one caller at a time, so it is to be dropped before
/// llama.cpp connects.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    endpoint: Endpoint,
    timeout: Duration,
    version: Version,
}

impl Client {
    /// Connects and says HELLO. Each wait, now and later, is at most `timeout`.
    ///
    /// # Errors
    /// Where nobody is there, nobody answers, or who answers is not a worker of our version.
    pub fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Client, RpcError> {
        let stream = socket::connect(endpoint, timeout)?;
        let during = Command::Hello.name();
        let wrong = |error| RpcError::of(endpoint, during, timeout, error);
        stream.set_read_timeout(Some(timeout)).map_err(wrong)?;
        stream.set_write_timeout(Some(timeout)).map_err(wrong)?;
        let (endpoint, version) = (endpoint.clone(), Version::OURS);
        let mut client = Client { stream, endpoint, timeout, version };
        client.send(Command::Hello, &[&[0; HELLO_BYTES]])?;
        client.version = client.greeted()?;
        if !client.version.is_taken() {
            return Err(RpcError::Version {
                endpoint: client.endpoint,
                found: client.version,
                expected: Version::OURS,
            });
        }
        Ok(client)
    }

    /// The version that the worker said it speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Which worker.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What it computes on, in its order.
    ///
    /// # Errors
    /// Where it does not answer as a worker does.
    pub fn devices(&mut self) -> Result<Vec<Device>, RpcError> {
        let [count] = self.ask::<1>(Command::DeviceCount, &[])?;
        if count == 0 || count > u64::from(MOST_DEVICES) {
            return Err(self.wrong_field("its number of devices", "1 to 256", count));
        }
        (0..count as u32)
            .map(|device| {
                let device = device.to_le_bytes();
                let [free_bytes, total_bytes] =
                    self.ask::<2>(Command::GetDeviceMemory, &[&device])?;
                let [alignment_bytes] = self.ask::<1>(Command::GetAlignment, &[&device])?;
                let [largest_buffer_bytes] = self.ask::<1>(Command::GetMaxSize, &[&device])?;
                Ok(Device { free_bytes, total_bytes, alignment_bytes, largest_buffer_bytes })
            })
            .collect()
    }

    /// How long a round trip takes and how fast bytes move, each way: some seconds at most on a
    /// link of 10 Mbit/s or more. It takes 8 MiB of the first device's memory and gives it back.
    ///
    /// # Errors
    /// Where the worker has no room, or does not answer as a worker does.
    pub fn measure_link(&mut self) -> Result<Link, RpcError> {
        link::measure(self)
    }

    /// The answer to HELLO. Versions before ours answered with less, which is told apart from what
    /// is no worker.
    fn greeted(&mut self) -> Result<Version, RpcError> {
        let command = Command::Hello;
        let mut length = [0; 8];
        self.receive(command, &mut length)?;
        let found = u64::from_le_bytes(length);
        let Answer::Bytes(expected) = command.answer() else { unreachable!("a HELLO is answered") };
        let mut version = [0; 28];
        let n = match found {
            3 | 4 | 28 => found as usize,
            _ => return Err(self.not_a_worker(command, expected, found)),
        };
        self.receive(command, &mut version[..n])?;
        let [major, minor, patch, ..] = version;
        let said = Version { major, minor, patch };
        if found != expected && said.is_taken() {
            return Err(self.not_a_worker(command, expected, found));
        }
        Ok(said)
    }

    /// A command of these parts and its answer, as numbers: `N` of eight bytes, or one of less.
    pub(crate) fn ask<const N: usize>(
        &mut self,
        command: Command,
        parts: &[&[u8]],
    ) -> Result<[u64; N], RpcError> {
        self.send(command, parts)?;
        let Answer::Bytes(expected) = command.answer() else {
            unreachable!("{command} is not answered with a number")
        };
        self.expect(command, expected)?;
        let mut bytes = vec![0; expected as usize];
        self.receive(command, &mut bytes)?;
        bytes.resize(8 * N, 0);
        Ok(std::array::from_fn(|i| {
            bytes[8 * i..][..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        }))
    }

    /// Sends a command of these parts: small ones together, so that they are one packet, large ones
    /// as they lie, so that copying them is not a part of what is measured.
    pub(crate) fn send(&mut self, command: Command, parts: &[&[u8]]) -> Result<(), RpcError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut small = vec![command as u8];
        small.extend((length as u64).to_le_bytes());
        let write = |bytes: &[u8]| {
            (&self.stream).write_all(bytes).map_err(|error| self.failed(command, error))
        };
        for part in parts {
            if part.len() < LARGE_BYTES {
                small.extend(*part);
            } else {
                write(&small)?;
                small.clear();
                write(part)?;
            }
        }
        write(&small)
    }

    /// The length of the answer, which must be `expected`.
    pub(crate) fn expect(&mut self, command: Command, expected: u64) -> Result<(), RpcError> {
        let mut length = [0; 8];
        self.receive(command, &mut length)?;
        match u64::from_le_bytes(length) {
            found if found == expected => Ok(()),
            found => Err(self.not_a_worker(command, expected, found)),
        }
    }

    /// Fills `bytes` with what comes.
    pub(crate) fn receive(&mut self, command: Command, bytes: &mut [u8]) -> Result<(), RpcError> {
        self.stream.read_exact(bytes).map_err(|error| self.failed(command, error))
    }

    pub(crate) fn wrong_field(
        &self,
        field: &'static str,
        expected: &'static str,
        found: impl ToString,
    ) -> RpcError {
        let (endpoint, found) = (self.endpoint.clone(), found.to_string());
        RpcError::Field { endpoint, field, expected, found }
    }

    fn not_a_worker(&self, command: Command, expected: u64, found: u64) -> RpcError {
        RpcError::NotAWorker { endpoint: self.endpoint.clone(), command, expected, found }
    }

    fn failed(&self, command: Command, error: io::Error) -> RpcError {
        RpcError::of(&self.endpoint, command.name(), self.timeout, error)
    }
}
