//! Stop texts: output ends where one begins, so text that may be the beginning of one is held back.

/// Watches a stream of text for the first of several stop texts.
#[derive(Debug, Default)]
pub(crate) struct StopTexts {
    stops: Vec<String>,
    /// The longest end of the text so far that begins a stop text.
    held: String,
}

impl StopTexts {
    /// Empty texts would end everything at once: they are left out.
    pub(crate) fn new(stops: &[String]) -> StopTexts {
        StopTexts {
            stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(),
            held: String::new(),
        }
    }

    /// Takes more text; gives what is certain to be output, and whether a stop text has come, which
    /// ends it.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        if self.stops.is_empty() {
            return (text.to_string(), false);
        }
        let mut all = std::mem::take(&mut self.held);
        all.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| all.find(stop.as_str())).min() {
            all.truncate(at);
            return (all, true);
        }
        let begins = |end: &str| self.stops.iter().any(|stop| stop.starts_with(end));
        let cut = all
            .char_indices()
            .map(|(at, _)| at)
            .find(|&at| begins(&all[at..]))
            .unwrap_or(all.len());
        self.held = all.split_off(cut);
        (all, false)
    }

    /// What is still held back when the output ends for another reason.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the text is cut, what comes out is what stands before the first stop text.
    #[test]
    fn cuts_do_not_matter() {
        let cases: [(&str, &[&str], &str); 6] = [
            ("one two three", &["two"], "one "),
            ("one two three", &["three", "e t"], "on"),
            ("aab aac", &["aac"], "aab "),
            ("nothing", &["stop"], "nothing"),
            ("ends with st", &["stop"], "ends with st"),
            ("größe é", &["ße"], "grö"),
        ];
        for (text, stops, expected) in cases {
            let stops: Vec<String> = stops.iter().map(|s| s.to_string()).collect();
            for size in 1..4 {
                let mut watch = StopTexts::new(&stops);
                let chars: Vec<char> = text.chars().collect();
                let mut out = String::new();
                let stopped = chars.chunks(size).any(|chunk| {
                    let (text, stopped) = watch.push(&chunk.iter().collect::<String>());
                    out += &text;
                    stopped
                });
                if !stopped {
                    out += &watch.finish();
                }
                assert_eq!(
                    (out.as_str(), stopped),
                    (expected, expected != text),
                    "{text} by {size}"
                );
            }
        }
    }
}
