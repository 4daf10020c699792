//! Whether two models are the same: a number made of a file's length and of pieces of it.
//!
//! Hashing a model whole takes longer than many a measurement of it. Files of other weights differ
//! nearly everywhere, so its beginning (a GGUF file's description) and pieces at even distances tell
//! them apart; it is no proof against somebody who means to deceive.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes of the beginning, and of each piece after it.
const BEGINNING: u64 = 1 << 20;
const PIECE: u64 = 1 << 12;
const PIECES: u64 = 64;
/// Files of a directory that are looked at.
const MOST_FILES: usize = 256;

/// The number of a file, or of the files of a directory, in hexadecimal; `None` where it cannot be
/// read, and of what is no file (a synthetic model).
pub(crate) fn of(path: &Path) -> Option<String> {
    let mut files: Vec<PathBuf> = if path.is_dir() {
        fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect()
    } else {
        vec![path.to_owned()]
    };
    files.retain(|file| file.is_file());
    files.sort();
    if files.is_empty() || files.len() > MOST_FILES {
        return None;
    }
    let hash = files.iter().try_fold(FNV_OFFSET, |hash, file| pieces(hash, file));
    hash.map(|hash| format!("{hash:016x}"))
}

/// A file's length, beginning and pieces.
fn pieces(hash: u64, path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut hash = add(hash, &length.to_le_bytes());
    let starts = (0..PIECES).map(|i| (length / PIECES).saturating_mul(i));
    let pieces = std::iter::once((0, BEGINNING)).chain(starts.map(|start| (start, PIECE)));
    let mut bytes = Vec::new();
    for (start, n) in pieces {
        bytes.clear();
        file.seek(SeekFrom::Start(start)).ok()?;
        (&mut file).take(n).read_to_end(&mut bytes).ok()?;
        hash = add(hash, &bytes);
    }
    Some(hash)
}

/// FNV-1a (Fowler, Noll and Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn add(hash: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(hash, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_values() {
        // The test vectors of the algorithm's authors, for "" and "foobar".
        assert_eq!(add(FNV_OFFSET, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(add(FNV_OFFSET, b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn other_bytes_or_another_length_are_another_model() {
        let folder = std::env::temp_dir().join(format!("pacemark-print-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("model");
        let of_bytes = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            of(&path)
        };
        let mut bytes = vec![7u8; 5 << 20];
        let first = of_bytes(&bytes);
        assert!(first.is_some() && of_bytes(&bytes) == first && of(&folder).is_some());
        bytes.push(7);
        let longer = of_bytes(&bytes);
        assert_ne!(longer, first);
        let piece = bytes.len() / 64 * 40;
        bytes[piece + 9] = 8;
        assert_ne!(of_bytes(&bytes), longer);
        assert_eq!(of(&folder.join("absent")), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
