//! Reads numbers, strings and arrays from bytes that nobody vouches for.
//!
//! Every length is compared with the bytes left before anything is allocated or sliced, so a file
//! can make the reader allocate no more than a small multiple of its own size.

use crate::{ModelFileError, Result, Strings};
use std::fmt::Display;
use std::path::Path;

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    file: &'a Path,
}

/// A number with a fixed little-endian form.
pub(super) trait Number: Sized {
    const SIZE: usize;
    fn from_le(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($type:ident)*) => {$(
        impl Number for $type {
            const SIZE: usize = size_of::<$type>();
            fn from_le(bytes: &[u8]) -> $type {
                let mut own = [0; size_of::<$type>()];
                own.copy_from_slice(bytes);
                $type::from_le_bytes(own)
            }
        }
    )*};
}
numbers!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], file: &'a Path) -> Cursor<'a> {
        Cursor { bytes, at: 0, file }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn invalid(
        &self,
        field: &dyn Display,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ModelFileError {
        ModelFileError::invalid(self.file, field, expected, found)
    }

    /// Refuses a count of things, each at least `least_bytes` long, that the rest of the file
    /// cannot hold.
    pub(super) fn check_count(
        &self,
        count: u64,
        least_bytes: usize,
        what: &str,
        field: &dyn Display,
    ) -> Result<usize> {
        let least = usize::try_from(count).ok().and_then(|count| count.checked_mul(least_bytes));
        if least.is_some_and(|least| least <= self.left()) {
            return Ok(count as usize);
        }
        let most = self.left() / least_bytes;
        let expected = format!(
            "at most {most} {what} (the file has {} bytes left at byte {})",
            self.left(),
            self.at
        );
        Err(ModelFileError::cut_short(self.file, field, expected, count.to_string()))
    }

    pub(super) fn take(&mut self, count: u64, field: &dyn Display) -> Result<&'a [u8]> {
        let count = self.check_count(count, 1, "bytes", field)?;
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    pub(super) fn number<T: Number>(&mut self, field: &dyn Display) -> Result<T> {
        Ok(T::from_le(self.take(T::SIZE as u64, field)?))
    }

    pub(super) fn numbers<T: Number>(&mut self, count: u64, field: &dyn Display) -> Result<Vec<T>> {
        let count = self.check_count(count, T::SIZE, "elements", field)?;
        let bytes = self.take((count * T::SIZE) as u64, field)?;
        Ok(bytes.chunks_exact(T::SIZE).map(T::from_le).collect())
    }

    pub(super) fn bools(&mut self, count: u64, field: &dyn Display) -> Result<Vec<bool>> {
        let bytes = self.take(count, field)?;
        match bytes.iter().find(|&&byte| byte > 1) {
            Some(byte) => Err(self.invalid(field, "bools of 0 or 1", byte.to_string())),
            None => Ok(bytes.iter().map(|&byte| byte == 1).collect()),
        }
    }

    pub(super) fn string(&mut self, longest: u64, field: &dyn Display) -> Result<&'a str> {
        let length: u64 = self.number(field)?;
        if length > longest {
            return Err(self.invalid(
                field,
                format!("a string of at most {longest} bytes"),
                length.to_string(),
            ));
        }
        let bytes = self.take(length, field)?;
        std::str::from_utf8(bytes).map_err(|e| {
            self.invalid(field, "UTF-8", format!("a bad byte at {} of {length}", e.valid_up_to()))
        })
    }

    pub(super) fn strings(&mut self, count: u64, field: &dyn Display) -> Result<Strings> {
        const LENGTH: usize = size_of::<u64>();
        let count = self.check_count(count, LENGTH, "strings", field)?;
        // A vocabulary's length, twice over: first the sizes, so that the text is allocated once,
        // then the text.
        let mut rest = &self.bytes[self.at..];
        let mut ends = Vec::with_capacity(count);
        let mut total = 0;
        for index in 0..count {
            let string = rest.split_first_chunk::<LENGTH>().and_then(|(length, tail)| {
                let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
                tail.split_at_checked(length)
            });
            let Some((string, tail)) = string else {
                let expected = format!("{count} strings within the file");
                return Err(ModelFileError::cut_short(
                    self.file,
                    field,
                    expected,
                    format!("string {index} to end after it"),
                ));
            };
            total += string.len();
            ends.push(total);
            rest = tail;
        }
        let mut text = Vec::with_capacity(total);
        let mut end = 0;
        for &next in &ends {
            self.at += LENGTH;
            text.extend_from_slice(&self.bytes[self.at..self.at + (next - end)]);
            self.at += next - end;
            end = next;
        }
        Strings::from_parts(text, ends).map_err(|index| {
            self.invalid(field, "UTF-8", format!("bad bytes in string {index} of {count}"))
        })
    }
}
