//! A compact list of strings: one buffer and where each ends.
//!
//! A vocabulary has up to 262 144 entries of a few bytes. As separate `String`s they would cost one
//! allocation each, and opening the file would take longer than all the rest of it.

/// A list of UTF-8 strings in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Strings {
    /// A list from the concatenated bytes of its strings and the end of each; the number of the
    /// first string that is not UTF-8 if one is not.
    pub(crate) fn from_parts(bytes: Vec<u8>, ends: Vec<usize>) -> Result<Strings, usize> {
        // One pass over the whole buffer checks all: it is UTF-8, and no string begins inside a
        // character.
        match String::from_utf8(bytes) {
            Ok(text) => match ends.iter().position(|&end| !text.is_char_boundary(end)) {
                None => Ok(Strings { text, ends }),
                Some(index) => Err(index),
            },
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                Err(ends.partition_point(|&end| end <= valid))
            }
        }
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the list has no strings.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at `index`, if the list is that long.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.text[start..end])
    }

    /// All strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.text[std::mem::replace(&mut start, end)..end])
    }

    /// Appends a string.
    pub fn push(&mut self, string: &str) {
        self.text.push_str(string);
        self.ends.push(self.text.len());
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Strings {
        let mut list = Strings::default();
        for string in strings {
            list.push(string.as_ref());
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in() {
        let words = ["", "a", "été", "", "文字"];
        let list: Strings = words.iter().collect();
        assert_eq!(list.len(), 5);
        assert!(list.iter().eq(words));
        assert_eq!(list.get(2), Some("été"));
        assert_eq!(list.get(5), None);
        assert!(Strings::default().is_empty());
    }

    #[test]
    fn names_the_string_that_is_not_utf8() {
        assert_eq!(Strings::from_parts(b"ab\xffc".to_vec(), vec![1, 2, 3, 4]), Err(2));
        // A character cut in two by the border between the strings 1 and 2: the whole is UTF-8, its
        // parts are not.
        assert_eq!(Strings::from_parts("aé".into(), vec![1, 2, 3]), Err(1));
    }
}
