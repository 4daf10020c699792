//! Words on a page: how wide they are, and what becomes of those that are too long.
//!
//! The library measures text too, but keeps that to itself. Widths are those of DejaVu Sans, which
//! is what a PNG is drawn in; a reader's font for SVG may be narrower (Helvetica) or alike (Verdana).

use crate::columns::is_hidden;

/// Advance widths of the characters from space to `~`, of 2048 parts of the font's size: the `hmtx`
/// table of DejaVu Sans 2.37, read with fontTools as
/// `[t["hmtx"][t.getBestCmap()[c]][0] for c in range(32, 127)]`. A test draws each and looks.
const ADVANCES: [u16; 95] = [
    651, 821, 942, 1716, 1303, 1946, 1597, 563, 799, 799, 1024, 1716, 651, 739, 651, 690, 1303,
    1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 1303, 690, 690, 1716, 1716, 1716, 1087, 2048,
    1401, 1405, 1430, 1577, 1294, 1178, 1587, 1540, 604, 604, 1343, 1141, 1767, 1532, 1612, 1235,
    1612, 1423, 1300, 1251, 1499, 1401, 2025, 1403, 1251, 1403, 799, 690, 799, 1716, 1024, 1024,
    1255, 1300, 1126, 1300, 1260, 721, 1300, 1298, 569, 569, 1186, 569, 1995, 1298, 1253, 1300,
    1300, 842, 1067, 803, 1298, 1212, 1675, 1212, 1212, 1075, 1303, 690, 1303, 1716,
];

/// Parts of the font's size that a unit of [`ADVANCES`] is one of, and the width taken for all other
/// characters: that of an ideograph, and more than most letters need.
const EM: u16 = 2048;

/// The width of a text in pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let advance = |c: char| {
        let place = (c as usize).checked_sub(' ' as usize);
        place.and_then(|place| ADVANCES.get(place)).map_or(EM, |&advance| advance)
    };
    text.chars().map(|c| f64::from(advance(c))).sum::<f64>() * size / f64::from(EM)
}

/// The text as it may stand in a file: on one line, and nothing in it that XML forbids.
pub(super) fn clean(text: &str) -> String {
    let allowed = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_hidden(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        c => c,
    };
    text.chars().map(allowed).collect()
}

/// The text where it fits, otherwise its beginning and end: names of methods begin with their kind
/// and end with their parameters.
pub(super) fn elided(text: &str, size: f64, room: f64) -> String {
    let text = clean(text);
    if width(&text, size) <= room {
        return text;
    }
    let chars: Vec<char> = text.chars().collect();
    let cut = |keep: usize| -> String {
        let (head, tail) = (keep.div_ceil(2), keep / 2);
        let tail = &chars[chars.len() - tail..];
        chars[..head].iter().chain(&['…']).chain(tail).collect()
    };
    // How many characters fit: one more never makes it narrower by enough to matter.
    let (mut fits, mut fails) = (0, chars.len());
    while fits + 1 < fails {
        let middle = fits.midpoint(fails);
        if width(&cut(middle), size) <= room {
            fits = middle;
        } else {
            fails = middle;
        }
    }
    cut(fits)
}

/// The text in lines of at most `room`, cut within words where one is longer.
pub(super) fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let measure = |line: &str| width(line, size);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in clean(text).split_whitespace() {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if measure(&joined) <= room {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            line.push(c);
            if measure(&line) > room && line.chars().nth(1).is_some() {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A value as it stands on its mark: whole numbers whole, others to four significant digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "∞" } else { "-∞" }.to_owned()
    } else if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e7).contains(&size) {
        format!("{value:.3e}")
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        let decimals = 3 - size.log10().floor() as i32;
        format!("{value:.*}", decimals.max(0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_four_digits_that_say_something() {
        let written = [0.0, 1024.0, 15.306, 0.000_321_47, 12_345.6, 1.5e9, 2e-7, -3.21098, -0.0];
        let expected =
            ["0", "1024", "15.31", "0.0003215", "12346", "1.500e9", "2.000e-7", "-3.211", "0"];
        assert_eq!(written.map(number), expected);
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, f64::MAX];
        assert_eq!(odd.map(number), ["NaN", "∞", "-∞", "4.941e-324", "1.798e308"]);
    }

    #[test]
    fn long_names_keep_both_ends() {
        let name = "fix_size_l2:512,keep=0.5,sink=4,skip=0-1";
        assert_eq!(elided(name, 11.0, 1e3), name);
        let cut = elided(name, 11.0, 150.0);
        assert!(cut.starts_with("fix_size") && cut.ends_with("skip=0-1"), "{cut}");
        assert!(width(&cut, 11.0) <= 150.0 && width(&cut, 11.0) > 130.0, "{cut}");
        assert_eq!(elided(&"é".repeat(300), 11.0, 0.0), "…");
        assert_eq!(elided("a\nb\0c", 11.0, 100.0), "a b\u{fffd}c");
    }

    #[test]
    fn lines_hold_all_words_and_break_what_is_too_long() {
        let measure = |line: &str| width(line, 10.0);
        let words = "a note of several words that has to go on more than one line";
        let lines = wrapped(words, 10.0, 120.0);
        assert!(lines.len() > 2 && lines.iter().all(|line| measure(line) <= 120.0), "{lines:?}");
        assert_eq!(lines.join(" "), words);
        let lines = wrapped(&"語".repeat(30), 10.0, 55.0);
        assert_eq!(lines, vec!["語".repeat(5); 6]);
        assert_eq!(wrapped("ab", 10.0, 0.0), ["a", "b"], "and ends where nothing fits");
        assert!(wrapped(" \n", 10.0, 50.0).is_empty());
    }
}
