//! What the way to a worker takes: a time for each round trip, and a time for each byte. Measured
//! with the protocol's own commands, so that what is measured is what llama.cpp will have.

use crate::away::ns;
use crate::protocol::{Command, tensor};
use crate::{Client, RpcError};
use std::time::Instant;

const ROUND_TRIPS: usize = 20;
/// The first ones meet cold caches and connections.
const UNCOUNTED: usize = 3;
const SMALLEST_BYTES: u32 = 64 << 10;
const LARGEST_BYTES: u32 = 8 << 20;
/// A transfer of so long is large enough: the clock and the wake-ups are no longer seen in it.
const LONG_ENOUGH_NS: u64 = 30_000_000;
/// Transfers of the last size that are taken.
const TRANSFERS: usize = 3;

/// The way to a worker and back.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Median of [`Link::round_trips_ns`].
    pub round_trip_ns: u64,
    /// Bytes per second to the worker, by the median of [`Link::sent`], the round trip taken off.
    pub sent_bytes_per_s: f64,
    /// Bytes per second from the worker, by the median of [`Link::received`], likewise.
    pub received_bytes_per_s: f64,
    /// Round trips of a command of 13 bytes and its answer of 16, in nanoseconds, as they came.
    pub round_trips_ns: Vec<u64>,
    /// Transfers to the worker.
    pub sent: Vec<Transfer>,
    /// Transfers from the worker.
    pub received: Vec<Transfer>,
}

/// One transfer, with the round trip that told that it had arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes that were moved, the protocol's own not counted.
    pub bytes: u32,
    /// From the first byte's sending to the last byte's coming, in nanoseconds.
    pub ns: u64,
}

impl Link {
    /// The time that a conversation of so many round trips, one after the other, and so many bytes
    /// each way takes on this link, in nanoseconds: round trips × latency + bytes / bandwidth.
    pub fn time_ns(&self, round_trips: u64, sent_bytes: u64, received_bytes: u64) -> f64 {
        let waiting_ns = round_trips as f64 * self.round_trip_ns as f64;
        let moving_s = sent_bytes as f64 / self.sent_bytes_per_s
            + received_bytes as f64 / self.received_bytes_per_s;
        waiting_ns + moving_s * 1e9
    }
}

/// The middle one, or of two the lower.
fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// Time of a transfer without its round trip. On a link so fast that nothing is left, a hundredth
/// of it, which keeps the figure finite.
fn moving_ns(transfer: Transfer, round_trip_ns: u64) -> u64 {
    transfer.ns.saturating_sub(round_trip_ns).max(transfer.ns / 100).max(1)
}

fn bytes_per_s(transfers: &[Transfer], round_trip_ns: u64) -> f64 {
    let bytes = transfers.first().map_or(0, |transfer| transfer.bytes);
    let times = transfers.iter().map(|transfer| moving_ns(*transfer, round_trip_ns)).collect();
    f64::from(bytes) * 1e9 / median(times) as f64
}

/// See [`Client::measure_link`].
pub(crate) fn measure(client: &mut Client) -> Result<Link, RpcError> {
    let mut round_trips_ns = Vec::with_capacity(ROUND_TRIPS);
    for i in 0..UNCOUNTED + ROUND_TRIPS {
        let start = Instant::now();
        alignment(client)?;
        if i >= UNCOUNTED {
            round_trips_ns.push(ns(start, Instant::now()));
        }
    }
    let round_trip_ns = median(round_trips_ns.clone());
    let mut place = Place::of(client)?;
    let sent = transfers(round_trip_ns, |bytes| place.send(client, bytes))?;
    let received = transfers(round_trip_ns, |bytes| place.receive(client, bytes))?;
    client.send(Command::FreeBuffer, &[&place.buffer.to_le_bytes()])?;
    // What is answered next is answered after it was freed.
    alignment(client)?;
    Ok(Link {
        round_trip_ns,
        sent_bytes_per_s: bytes_per_s(&sent, round_trip_ns),
        received_bytes_per_s: bytes_per_s(&received, round_trip_ns),
        round_trips_ns,
        sent,
        received,
    })
}

fn alignment(client: &mut Client) -> Result<(), RpcError> {
    client.ask::<1>(Command::GetAlignment, &[&0u32.to_le_bytes()]).map(|_| ())
}

/// Doubles the size until a transfer takes long enough; the last size's transfers.
fn transfers(
    round_trip_ns: u64,
    mut once: impl FnMut(u32) -> Result<u64, RpcError>,
) -> Result<Vec<Transfer>, RpcError> {
    let mut bytes = SMALLEST_BYTES;
    let mut taken = loop {
        let transfer = Transfer { bytes, ns: once(bytes)? };
        if bytes == LARGEST_BYTES || moving_ns(transfer, round_trip_ns) >= LONG_ENOUGH_NS {
            break vec![transfer];
        }
        bytes *= 2;
    };
    while taken.len() < TRANSFERS {
        taken.push(Transfer { bytes, ns: once(bytes)? });
    }
    Ok(taken)
}

/// Memory here and there.
struct Place {
    buffer: u64,
    data: u64,
    bytes: Vec<u8>,
}

impl Place {
    fn of(client: &mut Client) -> Result<Place, RpcError> {
        let device = 0u32.to_le_bytes();
        let size = u64::from(LARGEST_BYTES).to_le_bytes();
        let [buffer, held] = client.ask::<2>(Command::AllocBuffer, &[&device, &size])?;
        if buffer == 0 || held < u64::from(LARGEST_BYTES) {
            return Err(client.wrong_field("the buffer it gives", "8 MiB or more", held));
        }
        let [data] = client.ask::<1>(Command::BufferGetBase, &[&buffer.to_le_bytes()])?;
        // No two blocks alike, for some links compress.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = (0..LARGEST_BYTES / 8).flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        Ok(Place { buffer, data, bytes: words.collect() })
    }

    /// Sends so many bytes and waits until they have arrived; nanoseconds.
    fn send(&mut self, client: &mut Client, bytes: u32) -> Result<u64, RpcError> {
        let tensor = tensor::row(self.buffer, self.data, bytes);
        // Not to be kept in the worker's cache, from the tensor's beginning.
        let flag_and_offset = [0; 9];
        let data = &self.bytes[..bytes as usize];
        let start = Instant::now();
        client.send(Command::SetTensor, &[&tensor, &flag_and_offset, data])?;
        alignment(client)?;
        Ok(ns(start, Instant::now()))
    }

    /// Has so many bytes sent; nanoseconds.
    fn receive(&mut self, client: &mut Client, bytes: u32) -> Result<u64, RpcError> {
        let tensor = tensor::row(self.buffer, self.data, bytes);
        let (offset, size) = (0u64.to_le_bytes(), u64::from(bytes).to_le_bytes());
        let start = Instant::now();
        client.send(Command::GetTensor, &[&tensor, &offset, &size])?;
        client.expect(Command::GetTensor, u64::from(bytes))?;
        client.receive(Command::GetTensor, &mut self.bytes[..bytes as usize])?;
        Ok(ns(start, Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversations_time_is_waiting_and_moving() {
        let link = Link {
            round_trip_ns: 1000,
            sent_bytes_per_s: 1e9,
            received_bytes_per_s: 0.5e9,
            round_trips_ns: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
        };
        assert!((link.time_ns(3, 500, 250) - (3000.0 + 500.0 + 500.0)).abs() < 1e-6);
    }

    #[test]
    fn transfers_grow_until_they_are_long_enough() {
        // 1 MiB/s: the first size takes 62.5 ms. With a round trip on top, which is taken off.
        let at = |bytes_per_s: f64, round_trip_ns: u64| {
            let taken = transfers(round_trip_ns, |bytes| {
                Ok(round_trip_ns + (f64::from(bytes) * 1e9 / bytes_per_s) as u64)
            });
            taken.unwrap()
        };
        let slow = at(1e6, 200_000_000);
        assert_eq!((slow.len(), slow[0].bytes), (TRANSFERS, SMALLEST_BYTES));
        assert!((bytes_per_s(&slow, 200_000_000) / 1e6 - 1.0).abs() < 1e-3);
        let middle = at(100e6, 200_000_000);
        assert_eq!(middle[0].bytes, 4 << 20);
        assert!((bytes_per_s(&middle, 200_000_000) / 100e6 - 1.0).abs() < 1e-3);
        assert_eq!(at(1e12, 0)[2].bytes, LARGEST_BYTES);
        // A round trip that was shorter this time leaves a finite figure.
        let luck = [Transfer { bytes: LARGEST_BYTES, ns: 500 }];
        assert!(bytes_per_s(&luck, 1000).is_finite());
    }

    #[test]
    fn the_median_is_one_of_them() {
        assert_eq!(median(vec![9, 1, 5]), 5);
        assert_eq!(median(vec![4, 3, 2, 1]), 2);
        assert_eq!(median(Vec::new()), 0);
    }
}
