//! Memory that a thread needs while it computes an operation, kept from one to the next.

use std::cell::RefCell;

thread_local! {
    /// As large as the largest operation needed.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with this thread's scratch memory, aligned to a cache line. What is in it is not
/// defined; `f` must not ask for it again.
pub(crate) fn with_scratch(len: usize, f: impl FnOnce(&mut [u8])) {
    const ALIGN: usize = 64;
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < len + ALIGN {
            scratch.resize(len + ALIGN, 0);
        }
        let start = scratch.as_ptr().align_offset(ALIGN);
        f(&mut scratch[start..start + len]);
    });
}

/// [`with_scratch`] of `len` floats.
pub(crate) fn with_scratch_floats(len: usize, f: impl FnOnce(&mut [f32])) {
    with_scratch(len * size_of::<f32>(), |bytes| {
        // SAFETY: any bytes are floats, and they begin at a multiple of 64.
        f(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), len) });
    });
}
