//! What a file is that is no model, by its first bytes: for messages, and for those who must not
//! keep it as one.

use pacemark_files::excerpt;

/// What else a file is that begins with `start`, where that can be seen.
pub fn foreign(start: &[u8]) -> Option<String> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |word: &str| {
        text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
    };
    Some(match start {
        [] => "an empty file".into(),
        [b'P', b'K', 3 | 5, ..] => "a zip archive (a Python wheel or PyTorch checkpoint?)".into(),
        _ if start.starts_with(b"version https://git-lfs") => {
            "a Git LFS pointer: run `git lfs pull`".into()
        }
        _ if start.get(8) == Some(&b'{') => "what looks like a safetensors file".into(),
        _ if begins("<?xml") && !has_html(text) => "an XML document in place of the model".into(),
        _ if text.starts_with(b"<") => "an HTML page in place of the model".into(),
        _ if text.starts_with(b"{") || text.starts_with(b"[") => {
            let line = String::from_utf8_lossy(text);
            format!(
                "JSON in place of the model: {}",
                excerpt(line.lines().next().unwrap_or_default())
            )
        }
        _ if start.starts_with(b"FUGG") => "a byte-swapped GGUF".into(),
        _ => return None,
    })
}

fn has_html(text: &[u8]) -> bool {
    let head = &text[..text.len().min(512)];
    head.windows(5).any(|word| word.eq_ignore_ascii_case(b"<html"))
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn what_is_sent_in_place_of_models() {
        for (start, says) in [
            ("", Some("an empty file")),
            ("<html>", Some("an HTML page")),
            ("\u{feff}\n <!DOCTYPE html>", Some("an HTML page")),
            ("<?xml version=\"1.0\"?><!DOCTYPE html><html xmlns=\"x\">", Some("an HTML page")),
            (
                "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
                Some("an XML document"),
            ),
            (
                "{\"error\":\"Repository not found\"}",
                Some("JSON in place of the model: {\"error\":\"Repository"),
            ),
            ("version https://git-lfs.github.com/spec/v1\noid sha256:0", Some("a Git LFS pointer")),
            ("PK\x03\x04", Some("a zip archive")),
            ("GGUF\x03\0\0\0", None),
            ("PKG", None),
        ] {
            let found = foreign(start.as_bytes());
            assert_eq!(found.is_some(), says.is_some(), "{start}: {found:?}");
            assert!(
                found.is_none_or(|found| found.starts_with(says.unwrap_or_default())),
                "{start}"
            );
        }
        assert!(foreign(&[b'{'; 1 << 20]).unwrap().len() < 1000);
    }
}
