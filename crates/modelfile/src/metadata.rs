//! A model's metadata: keys in file order, and typed access whose errors name file, key, expected
//! and found.

use crate::{ModelFileError, Result, Strings, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Ordered keys and values of a model file.
///
/// `string("general.architecture")` and its kin fail when the key is absent; `opt_string` and its
/// kin give `None` then. Both fail when the value has another type.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    file: PathBuf,
    entries: Vec<(String, Value)>,
    index: HashMap<String, usize>,
}

/// A required getter and its optional twin.
macro_rules! getters {
    ($($(#[$doc:meta])* $required:ident, $optional:ident -> $type:ty, $expected:literal, $convert:expr;)*) => {$(
        $(#[$doc])*
        pub fn $required(&self, key: &str) -> Result<$type> {
            let missing = || ModelFileError::invalid(&self.file, key, $expected, "no such key");
            self.$optional(key)?.ok_or_else(missing)
        }

        #[doc = concat!("As [`Metadata::", stringify!($required), "`], but `None` when the key is absent.")]
        pub fn $optional(&self, key: &str) -> Result<Option<$type>> {
            self.typed(key, $expected, $convert)
        }
    )*};
}

impl Metadata {
    /// No keys yet; for writers.
    pub fn new() -> Metadata {
        Metadata::default()
    }

    /// No keys yet, of the file that error messages are to name.
    pub(crate) fn of(file: &Path) -> Metadata {
        Metadata { file: file.to_owned(), ..Metadata::default() }
    }

    /// The same keys, of the file (or other source) that error messages are to name.
    pub(crate) fn named(mut self, file: &Path) -> Metadata {
        self.file = file.to_owned();
        self
    }

    /// The file the metadata was read from; empty when it was not.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The value of `key`, of whatever type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.index.get(key).map(|&at| &self.entries[at].1)
    }

    /// Sets `key`: replaces its value where it stands, or appends it.
    pub fn set(&mut self, key: impl Into<String>, value: Value) -> &mut Metadata {
        let key = key.into();
        match self.index.get(&key) {
            Some(&at) => self.entries[at].1 = value,
            None => {
                self.index.insert(key.clone(), self.entries.len());
                self.entries.push((key, value));
            }
        }
        self
    }

    /// `general.architecture`, the prefix of the model's own keys.
    pub fn architecture(&self) -> Result<&str> {
        self.string("general.architecture")
    }

    getters! {
        /// A string.
        string, opt_string -> &str, "a string", |v| match v { Value::String(v) => Some(v.as_str()), _ => None };
        /// An integer of any type that fits `u32`.
        u32, opt_u32 -> u32, "an integer that fits u32", |v| v.as_integer();
        /// An integer of any type that fits `u64`.
        u64, opt_u64 -> u64, "an integer that fits u64", |v| v.as_integer();
        /// A float of either width.
        f32, opt_f32 -> f32, "a float",
            |v| match *v { Value::F32(v) => Some(v), Value::F64(v) => Some(v as f32), _ => None };
        /// A bool.
        bool, opt_bool -> bool, "a bool", |v| match *v { Value::Bool(v) => Some(v), _ => None };
        /// An array of strings.
        strings, opt_strings -> &Strings, "an array of strings", |v| match v { Value::Strings(v) => Some(v), _ => None };
        /// An array of `f32`.
        f32s, opt_f32s -> &[f32], "an array of f32", |v| match v { Value::F32s(v) => Some(v.as_slice()), _ => None };
        /// An array of integers of any type that all fit `i32`.
        i32s, opt_i32s -> Cow<'_, [i32]>, "an array of integers that fit i32", |v| match v {
            Value::I32s(v) => Some(Cow::Borrowed(v.as_slice())),
            other => other.as_integers().map(Cow::Owned),
        };
        /// An array of integers of any type that all fit `u32`.
        u32s, opt_u32s -> Cow<'_, [u32]>, "an array of integers that fit u32", |v| match v {
            Value::U32s(v) => Some(Cow::Borrowed(v.as_slice())),
            other => other.as_integers().map(Cow::Owned),
        };
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match convert(value) {
                Some(converted) => Ok(Some(converted)),
                None => Err(ModelFileError::invalid(&self.file, key, expected, value.describe())),
            },
        }
    }
}

impl PartialEq for Metadata {
    /// Same keys and values in the same order; the file does not matter.
    fn eq(&self, other: &Metadata) -> bool {
        self.entries == other.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        let mut metadata = Metadata::of(Path::new("m.gguf"));
        metadata.set("general.architecture", Value::String("llama".into()));
        metadata.set("n", Value::U16(3)).set("types", Value::U8s(vec![1, 2]));
        metadata
    }

    #[test]
    fn typed_access() {
        let metadata = sample();
        assert_eq!(metadata.architecture().unwrap(), "llama");
        assert_eq!(metadata.u32("n").unwrap(), 3);
        assert_eq!(*metadata.i32s("types").unwrap(), [1, 2]);
        assert_eq!(metadata.opt_f32("absent").unwrap(), None);
    }

    #[test]
    fn errors_name_file_key_expected_and_found() {
        let metadata = sample();
        let message = metadata.string("n").unwrap_err().to_string();
        assert_eq!(message, "m.gguf: n: expected a string, found u16 3");
        let message = metadata.u32("absent").unwrap_err().to_string();
        assert_eq!(message, "m.gguf: absent: expected an integer that fits u32, found no such key");
        assert!(metadata.opt_bool("n").is_err());
    }

    #[test]
    fn setting_twice_replaces_in_place() {
        let mut metadata = sample();
        metadata.set("n", Value::U32(9));
        assert_eq!(
            metadata.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            ["general.architecture", "n", "types"]
        );
        assert_eq!(metadata.u32("n").unwrap(), 9);
    }
}
