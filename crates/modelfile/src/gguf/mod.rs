//! The GGUF format, versions 2 and 3, little-endian.
//!
//! Magic, version, counts; keys with typed values; tensor infos; then, at the next multiple of the alignment, the tensors'
//! bytes. The format is described at <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod cursor;
pub mod read;
pub mod write;

pub(crate) const MAGIC: &[u8; 4] = b"GGUF";
pub(crate) const VERSION: u32 = 3;
pub(crate) const ALIGNMENT_KEY: &str = "general.alignment";
pub(crate) const DEFAULT_ALIGNMENT: u32 = 32;
/// More than a page, or a huge page's worth, serves nobody.
pub(crate) const MAX_ALIGNMENT: u32 = 1 << 21;
/// The format's limit on keys.
pub(crate) const MAX_KEY_BYTES: u64 = 65535;
/// Arrays in arrays; no known model nests at all.
pub(crate) const MAX_DEPTH: u32 = 4;

/// The alignment of tensors that the metadata asks for.
pub(crate) fn alignment(metadata: &crate::Metadata) -> crate::Result<u64> {
    let alignment = metadata.opt_u32(ALIGNMENT_KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        let expected = format!("a power of two, at most {MAX_ALIGNMENT}");
        return Err(crate::ModelFileError::invalid(metadata.file(), ALIGNMENT_KEY, expected, alignment.to_string()));
    }
    Ok(alignment.into())
}
