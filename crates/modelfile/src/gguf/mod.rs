//! The GGUF format, versions 2 and 3, little-endian.
//!
//! Magic, version, counts; keys with typed values; tensor infos; then, at the next multiple of the
//! alignment, the tensors' bytes. The format is described at
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod cursor;
pub mod read;
pub mod write;

pub use read::check_whole;

pub(crate) const MAGIC: &[u8; 4] = b"GGUF";
pub(crate) const VERSION: u32 = 3;
pub(crate) const ALIGNMENT_KEY: &str = "general.alignment";
pub(crate) const DEFAULT_ALIGNMENT: u32 = 32;
/// More than a page, or a huge page's worth, serves nobody.
pub(crate) const MAX_ALIGNMENT: u32 = 1 << 21;
/// Known models have under a hundred keys and a few thousand tensors. Limits far above that keep
/// the index that is built over them small, whatever the size of the file.
const MAX_KEYS: u64 = 1 << 16;
pub(crate) const MAX_TENSORS: u64 = 1 << 17;
/// The format's limit on keys' length.
pub(crate) const MAX_KEY_BYTES: u64 = 65535;
/// Arrays in arrays; no known model nests at all.
pub(crate) const MAX_DEPTH: u32 = 4;

/// The alignment of tensors that the metadata asks for.
pub(crate) fn alignment(metadata: &crate::Metadata) -> crate::Result<u64> {
    let alignment = metadata.opt_u32(ALIGNMENT_KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        let expected = format!("a power of two, at most {MAX_ALIGNMENT}");
        return Err(crate::ModelFileError::invalid(
            metadata.file(),
            ALIGNMENT_KEY,
            expected,
            alignment.to_string(),
        ));
    }
    Ok(alignment.into())
}

/// Refuses more keys or tensors than any model has.
pub(crate) fn check_counts(
    n_tensors: u64,
    n_keys: u64,
    file: &std::path::Path,
) -> crate::Result<()> {
    for (field, count, most) in
        [("key count", n_keys, MAX_KEYS), ("tensor count", n_tensors, MAX_TENSORS)]
    {
        if count > most {
            return Err(crate::ModelFileError::invalid(
                file,
                field,
                format!("at most {most}"),
                count.to_string(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_counts_that_a_huge_file_could_hold_are_refused() {
        let check = |n_tensors, n_keys| {
            check_counts(n_tensors, n_keys, "m".as_ref()).map_err(|e| e.to_string())
        };
        assert_eq!(check(MAX_TENSORS, MAX_KEYS), Ok(()));
        assert_eq!(
            check(0, MAX_KEYS + 1),
            Err("m: key count: expected at most 65536, found 65537".into())
        );
        assert_eq!(
            check(MAX_TENSORS + 1, 0),
            Err("m: tensor count: expected at most 131072, found 131073".into())
        );
    }
}
