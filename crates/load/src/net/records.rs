//! Where TLS records end in the bytes of a stream, which says nothing else while it is encrypted:
//! RFC 8446, section 5.1, a type, two bytes of version, two of length, and so many bytes.

const HEADER: usize = 5;

/// What was seen of the record that is coming.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// Bytes of the header so far.
    seen: usize,
    /// Bytes of its content that are missing, once the header is whole.
    left: usize,
}

impl Records {
    /// Goes past the next bytes; where in them the first record ended, if one did.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        let (mut at, mut first) = (0, None);
        while at < bytes.len() {
            if self.seen < HEADER {
                self.header[self.seen] = bytes[at];
                self.seen += 1;
                at += 1;
                self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            } else {
                let passed = self.left.min(bytes.len() - at);
                (self.left, at) = (self.left - passed, at + passed);
            }
            if self.seen == HEADER && self.left == 0 {
                self.seen = 0;
                first = first.or(Some(at));
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_where_their_lengths_say_however_they_are_cut() {
        let record = |n: u16| [&[23, 3, 3][..], &n.to_be_bytes(), &vec![0xff; n.into()]].concat();
        let bytes = [record(3), record(0), record(700)].concat();
        assert_eq!(Records::default().pass(&bytes), Some(8));
        assert_eq!(Records::default().pass(&bytes[..7]), None);
        for step in 1..40 {
            let (mut records, mut at, mut ends) = (Records::default(), 0, Vec::new());
            for part in bytes.chunks(step) {
                ends.extend(records.pass(part).map(|end| at + end));
                at += part.len();
            }
            // Of records that end in one part only the first is told.
            assert_eq!(
                (ends.first(), ends.last()),
                (Some(&8), Some(&bytes.len()).filter(|_| ends.len() > 1).or(Some(&8))),
                "{step}"
            );
        }
    }
}
