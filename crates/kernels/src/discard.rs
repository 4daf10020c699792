//! Memory that is owned and not needed: back to the system, to be zero when it is touched again.

/// Lets the system have the whole memory pages of `bytes`, of which the content is then zero; the
/// rest of `bytes` stays as it is. Where the system does not do that, nothing happens.
pub fn discard(bytes: &mut [u8]) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: `sysconf` only reads a constant.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let Some(page) = usize::try_from(page).ok().filter(|page| page.is_power_of_two()) else {
            return;
        };
        let before = bytes.as_ptr().align_offset(page).min(bytes.len());
        let whole = (bytes.len() - before) / page * page;
        if whole == 0 {
            return;
        }
        let range = &mut bytes[before..before + whole];
        // SAFETY: the range is whole pages of memory that is borrowed exclusively. In private
        // anonymous memory, which all heap memory is, MADV_DONTNEED leaves zeros, which are bytes
        // as good as any; should the memory be of a kind that it does not apply to, it is refused.
        unsafe { libc::madvise(range.as_mut_ptr().cast(), whole, libc::MADV_DONTNEED) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_pages_are_zero_and_the_rest_is_as_it_was() {
        let mut bytes = vec![7u8; 3 << 20];
        discard(&mut bytes[100..(3 << 20) - 100]);
        assert!(bytes[..100].iter().chain(&bytes[(3 << 20) - 100..]).all(|byte| *byte == 7));
        assert!(bytes.iter().all(|byte| *byte == 7 || *byte == 0));
        if cfg!(target_os = "linux") {
            assert!(bytes.iter().filter(|byte| **byte == 0).count() > 2 << 20);
        }
        bytes.fill(1);
        discard(&mut bytes[..10]);
        discard(&mut []);
        assert!(bytes.iter().all(|byte| *byte == 1));
    }
}
