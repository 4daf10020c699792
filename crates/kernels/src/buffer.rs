//! Memory for packed weights: aligned to pages, on huge pages where the system gives them.

use std::io;
use std::sync::Arc;

/// Anonymous pages, zeroed, freed on drop.
struct Pages {
    start: *mut u8,
    len: usize,
}

// SAFETY: Pages owns its memory; it is written only through `&mut Chunk` and read through `&Chunk`.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    fn new(len: usize) -> io::Result<Pages> {
        // SAFETY: a fresh private mapping touches no existing memory.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        #[cfg(target_os = "linux")]
        // SAFETY: the range was just mapped. Advice that the kernel refuses changes nothing, so the result is not needed.
        unsafe {
            libc::madvise(start, len, libc::MADV_HUGEPAGE);
        }
        Ok(Pages { start: start.cast(), len })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range is ours and nothing borrows it any more.
        unsafe {
            libc::munmap(self.start.cast(), self.len);
        }
    }
}

/// A piece of the arena.
pub struct Chunk {
    pages: Arc<Pages>,
    offset: usize,
    len: usize,
}

impl Chunk {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `Arena::alloc` gave out this range once, inside pages that the Arc keeps.
        unsafe { std::slice::from_raw_parts(self.pages.start.add(self.offset), self.len) }
    }

    /// The bytes, to fill them.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes it the only access: chunks do not overlap and are not cloned.
        unsafe { std::slice::from_raw_parts_mut(self.pages.start.add(self.offset), self.len) }
    }
}

/// Hands out zeroed chunks from large mappings, so that small matrices share huge pages.
#[derive(Default)]
pub struct Arena {
    pages: Option<Arc<Pages>>,
    used: usize,
}

impl Arena {
    const MAPPING: usize = 64 << 20;
    const ALIGN: usize = 64;

    /// A zeroed chunk of `len` bytes, aligned to a cache line.
    pub fn alloc(&mut self, len: usize) -> io::Result<Chunk> {
        let room = self.pages.as_ref().map_or(0, |pages| pages.len - self.used);
        let reserved = len.checked_next_multiple_of(Self::ALIGN).ok_or(io::ErrorKind::OutOfMemory)?.max(Self::ALIGN);
        if reserved > room {
            self.pages = Some(Arc::new(Pages::new(reserved.max(Self::MAPPING))?));
            self.used = 0;
        }
        let pages = self.pages.clone().ok_or(io::ErrorKind::OutOfMemory)?;
        let chunk = Chunk { pages, offset: self.used, len };
        self.used += reserved;
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_zeroed_aligned_and_apart() {
        let mut arena = Arena::default();
        let mut chunks: Vec<Chunk> = [100, 1, 64, 70 << 20, 5].iter().map(|&n| arena.alloc(n).unwrap()).collect();
        for (i, chunk) in chunks.iter_mut().enumerate() {
            assert_eq!(chunk.as_slice().as_ptr() as usize % 64, 0);
            assert!(chunk.as_slice().iter().take(4096).all(|&b| b == 0));
            chunk.as_mut_slice().iter_mut().take(4096).for_each(|b| *b = i as u8 + 1);
        }
        for (i, chunk) in chunks.iter().enumerate() {
            assert!(chunk.as_slice().iter().take(4096).all(|&b| b == i as u8 + 1));
        }
    }
}
