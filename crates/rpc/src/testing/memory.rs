//! A mock's buffers: bytes at addresses that it makes up.

use std::collections::BTreeMap;

/// More than a test needs; a mock is asked for sizes too.
const MOST_BYTES: u64 = 64 << 20;

/// Buffers by their base address, which is their handle too.
#[derive(Debug, Default)]
pub(super) struct Memory {
    buffers: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

impl Memory {
    /// A new buffer's handle, or 0 where there is no room.
    pub(super) fn allocate(&mut self, bytes: u64) -> u64 {
        if bytes > MOST_BYTES {
            return 0;
        }
        self.next += 1 << 32;
        self.buffers.insert(self.next, vec![0; bytes as usize]);
        self.next
    }

    /// Whether there was such a buffer.
    pub(super) fn free(&mut self, handle: u64) -> bool {
        self.buffers.remove(&handle).is_some()
    }

    pub(super) fn fill(&mut self, handle: u64, value: u8) -> bool {
        self.buffers.get_mut(&handle).map(|buffer| buffer.fill(value)).is_some()
    }

    pub(super) fn has(&self, handle: u64) -> bool {
        self.buffers.contains_key(&handle)
    }

    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        let Some((base, buffer)) = self.buffers.range_mut(..=address).next_back() else {
            return false;
        };
        let at = (address - base) as usize;
        let place = at.checked_add(bytes.len()).and_then(|end| buffer.get_mut(at..end));
        place.map(|place| place.copy_from_slice(bytes)).is_some()
    }

    pub(super) fn read(&self, address: u64, bytes: u64) -> Option<&[u8]> {
        let (base, buffer) = self.buffers.range(..=address).next_back()?;
        let at = (address - base) as usize;
        buffer.get(at..at.checked_add(usize::try_from(bytes).ok()?)?)
    }
}
