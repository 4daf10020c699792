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
        // SAFETY: the range was just mapped. Advice that the kernel refuses changes nothing, so the
        // result is not needed.
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
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes it the only access: chunks do not overlap and are
        // not cloned.
        unsafe { std::slice::from_raw_parts_mut(self.pages.start.add(self.offset), self.len) }
    }
}

/// Hands out zeroed chunks from large mappings, so that small matrices share huge pages.
#[derive(Default)]
pub struct Arena {
    /// Every mapping and how much of it is given out; the last one has room.
    mappings: Vec<(Arc<Pages>, usize)>,
}

impl Arena {
    const MAPPING: usize = 64 << 20;
    const ALIGN: usize = 64;

    /// A zeroed chunk of `len` bytes, aligned to a cache line.
    pub fn alloc(&mut self, len: usize) -> io::Result<Chunk> {
        let room = self.mappings.last().map_or(0, |(pages, used)| pages.len - used);
        let reserved = len
            .checked_next_multiple_of(Self::ALIGN)
            .ok_or(io::ErrorKind::OutOfMemory)?
            .max(Self::ALIGN);
        if reserved > room {
            self.mappings.push((Arc::new(Pages::new(reserved.max(Self::MAPPING))?), 0));
        }
        let (pages, used) = self.mappings.last_mut().ok_or(io::ErrorKind::OutOfMemory)?;
        let chunk = Chunk { pages: pages.clone(), offset: *used, len };
        *used += reserved;
        Ok(chunk)
    }

    /// Bytes given out.
    pub fn used_bytes(&self) -> u64 {
        self.mappings.iter().map(|(_, used)| *used as u64).sum()
    }

    /// Keeps what was given out in memory: the system will not swap it out until it is freed. Fails
    /// where the process may not lock so much ([`memlock_limit`]).
    pub fn lock(&self) -> io::Result<()> {
        for (pages, used) in &self.mappings {
            // SAFETY: the range lies in a mapping of ours; locking changes nothing that can be
            // read.
            if unsafe { libc::mlock(pages.start.cast(), *used) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// What an [`Arena`] will take, chunk by chunk, without taking it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArenaPlan {
    /// Bytes of the mappings that have no room left, in whole pages.
    full: u64,
    used: u64,
    room: usize,
    page: u64,
}

impl ArenaPlan {
    /// Of an empty arena, where memory comes in pages of `page` bytes.
    pub fn new(page: usize) -> ArenaPlan {
        ArenaPlan { page: page.max(1) as u64, ..ArenaPlan::default() }
    }

    /// A chunk of `len` bytes is given out.
    pub fn add(&mut self, len: usize) {
        let reserved = len.checked_next_multiple_of(Arena::ALIGN).unwrap_or(len).max(Arena::ALIGN);
        if reserved > self.room {
            self.full = self.bytes();
            (self.used, self.room) = (0, reserved.max(Arena::MAPPING));
        }
        self.used += reserved as u64;
        self.room -= reserved;
    }

    /// Memory that all chunks take when they are written.
    pub fn bytes(&self) -> u64 {
        let used = self.used.checked_next_multiple_of(self.page).unwrap_or(u64::MAX);
        self.full.saturating_add(used)
    }
}

/// Bytes that this process may lock in memory (`ulimit -l`); `None` for as many as it likes.
pub fn memlock_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct is ours and of the type that the call fills.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(miri))]
    #[test]
    fn what_was_given_out_is_locked_or_refused() {
        let mut arena = Arena::default();
        let chunk = arena.alloc(100).unwrap();
        assert_eq!(arena.used_bytes(), 128);
        if let Err(error) = arena.lock() {
            assert!(memlock_limit().is_some_and(|limit| limit < 4096), "{error}");
        }
        assert_eq!(chunk.as_slice()[0], 0);
    }

    #[test]
    fn what_is_planned_is_what_is_given_out() {
        let lengths = [100, 1, 40 << 20, 30 << 20, 70 << 20, 5, 64];
        let mut arena = Arena::default();
        let page = 2 << 20;
        let mut plans = [ArenaPlan::new(1), ArenaPlan::new(page)];
        for len in lengths {
            drop(arena.alloc(len).unwrap());
            plans.iter_mut().for_each(|plan| plan.add(len));
            let whole = arena.mappings.iter().map(|(_, used)| used.next_multiple_of(page) as u64);
            assert_eq!(plans.map(|plan| plan.bytes()), [arena.used_bytes(), whole.sum()], "{len}");
        }
        assert_eq!(ArenaPlan::new(page).bytes(), 0);
    }

    #[test]
    fn chunks_are_zeroed_aligned_and_apart() {
        let mut arena = Arena::default();
        let mut chunks: Vec<Chunk> =
            [100, 1, 64, 70 << 20, 5].iter().map(|&n| arena.alloc(n).unwrap()).collect();
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
