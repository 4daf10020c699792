//! A panel for a page that has light and dark: its colours are the page's.
//!
//! Such a page may be narrow. Lines have numbers there in place of names, and [`keys`] says what they are,
//! for a list below the picture.

use super::sheet::{Ink, NTH};
use super::{Marks, Panel, Picture, Role, page};
use crate::Lang;

/// What is free above a panel without a title, and at the other edges, which a page has of its own.
const ABOVE: f64 = 46.0;
const BELOW: f64 = 18.0;
const LEFT: f64 = 18.0;

/// The widest frame of lines, points and stretches: the words around it are read on a telephone too.
const FRAME: f64 = 420.0;

/// A picture that is wider than this is moved rather than shown smaller.
const WIDE: f64 = 760.0;

/// A line of a panel, for a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What stands at its end in the picture.
    pub number: String,
    /// What it is of.
    pub label: String,
    /// The property of the page that has its colour as that of words.
    pub ink: String,
}

/// The lines of a panel that have names.
pub fn keys(panel: &Panel) -> Vec<Key> {
    let Marks::Lines { lines, .. } = &panel.marks else { return Vec::new() };
    let named = lines.iter().filter(|line| !line.label.trim().is_empty());
    let key = |(i, line): (usize, &super::Line)| Key {
        number: (i + 1).to_string(),
        label: line.label.clone(),
        ink: property(line.role),
    };
    named.enumerate().map(key).collect()
}

/// The property with the colour of words about a mark.
fn property(role: Role) -> String {
    match role {
        Role::Nth(i) => format!("--n{}", i % NTH.len()),
        Role::Baseline => "--second".to_owned(),
        Role::Streaming => "--n2".to_owned(),
        Role::Recent => "--n1".to_owned(),
        Role::Other => "--n0".to_owned(),
        Role::Control => "--n4".to_owned(),
    }
}

/// The colour of marks on a page, as [`themed_svg`] draws them there.
pub fn mark_colour(role: Role) -> String {
    let hex = Ink::from(role).hex();
    let swapped = swaps().into_iter().find(|(ink, _)| ink.hex() == hex);
    swapped.map_or_else(|| hex.clone(), |(_, name)| format!("var({name}, {hex})"))
}

/// The panel with numbers in place of the names of lines, and without its title.
fn numbered(panel: &Panel) -> Panel {
    let mut alone = Panel { title: String::new(), ..panel.clone() };
    if let Marks::Lines { lines, .. } = &mut alone.marks {
        let named = lines.iter_mut().filter(|line| !line.label.trim().is_empty());
        named.enumerate().for_each(|(i, line)| line.label = (i + 1).to_string());
    }
    alone
}

/// The drawing without its empty edges.
fn cropped(svg: &str, (width, height): (f64, f64)) -> String {
    let (w, h) = (width - LEFT, height - ABOVE - BELOW);
    let class = if w > WIDE { "class=\"wide\" " } else { "" };
    svg.replacen(
        &format!("<svg viewBox=\"0 0 {width} {height}\""),
        &format!("<svg {class}viewBox=\"{LEFT} {ABOVE} {w} {h}\""),
        1,
    )
    .replacen(
        &format!("width=\"{width}\" height=\"{height}\""),
        &format!("width=\"{w}\" height=\"{h}\""),
        1,
    )
}

/// Colours of a drawing, and the properties of a page that stand for them. Lines and bars keep theirs, which
/// are seen on light and on dark.
fn swaps() -> Vec<(Ink, String)> {
    let marks = [Role::Baseline, Role::Streaming, Role::Recent, Role::Other, Role::Control];
    let words = marks.into_iter().chain((0..NTH.len()).map(Role::Nth));
    let words = words.map(|role| (Ink::from(role).on_paper(), property(role)));
    let page = [
        (Ink::DARK, "--ink"),
        (Ink::MIDDLE, "--second"),
        (Ink::PALE, "--grid"),
        (Ink::WHITE, "--paper"),
    ];
    words.chain(page.map(|(ink, name)| (ink, name.to_owned()))).collect()
}

/// The panel as SVG without its title, in the colours of a page: `--paper`, `--ink`, `--second`, `--grid`
/// and `--n0` to `--n6` for words in the colours of lines. Without such a page they are those of paper.
/// The panel's own words are in this language.
pub fn themed_svg(panel: &Panel, lang: Lang) -> String {
    let picture = Picture { panels: vec![numbered(panel)], columns: 1, ..Picture::default() };
    let sheet = page::drawn(&picture, lang, Some(FRAME));
    let mut drawn = cropped(&sheet.svg(), sheet.size());
    for (ink, name) in swaps() {
        let hex = ink.hex();
        let (old, new) = (format!("=\"{hex}\""), format!("=\"var({name}, {hex})\""));
        drawn = drawn.replace(&old, &new);
    }
    drawn.replacen("fill=\"white\"", "fill=\"var(--paper, #ffffff)\"", 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Bar, Line, LinePoint, Spacing, Stroke};

    const STYLE: &str = include_str!("../page/style.css");

    fn ink(hex: &str) -> Ink {
        let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Ink(part(1), part(3), part(5))
    }

    /// Properties of the page: light, dark, on paper.
    fn themes() -> Vec<Vec<(String, Ink)>> {
        let blocks = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap());
        let property = |declared: &str| {
            let (name, value) = declared.trim().split_once(':')?;
            Some((name.trim().to_owned(), ink(value.trim())))
        };
        blocks.map(|block| block.split(';').filter_map(property).collect()).collect()
    }

    const ROLES: [Role; 12] = [
        Role::Baseline,
        Role::Streaming,
        Role::Recent,
        Role::Other,
        Role::Control,
        Role::Nth(0),
        Role::Nth(1),
        Role::Nth(2),
        Role::Nth(3),
        Role::Nth(4),
        Role::Nth(5),
        Role::Nth(6),
    ];

    #[test]
    fn words_and_marks_are_seen_on_light_dark_and_paper() {
        let themes = themes();
        assert_eq!(themes.len(), 3);
        for theme in &themes {
            let of = |name: &str| theme.iter().find(|(known, _)| known == name).unwrap().1;
            // What is drawn in place of a colour.
            let shown = |ink: Ink| {
                let swapped = swaps().into_iter().find(|(old, _)| *old == ink);
                swapped.map_or(ink, |(_, name)| of(&name))
            };
            for (name, ink) in theme.iter().filter(|(name, _)| {
                !["--paper", "--raised", "--grid", "--edge"].contains(&name.as_str())
            }) {
                for ground in [of("--paper"), of("--raised")] {
                    let found = ink.contrast(ground);
                    assert!(found >= 4.5, "{name} {}: {found:.2} on {}", ink.hex(), ground.hex());
                }
            }
            for role in ROLES {
                let mark = shown(Ink::from(role)).contrast(of("--paper"));
                assert!(mark >= 3.0, "{role:?}: {mark:.2} on {}", of("--paper").hex());
                let words = shown(Ink::from(role).on_paper()).contrast(of("--paper"));
                assert!(words >= 4.5, "{role:?}: {words:.2} on {}", of("--paper").hex());
            }
        }
        // Files of pictures are on white.
        for role in ROLES {
            assert!(Ink::from(role).contrast(Ink::WHITE) >= 3.0, "{role:?}");
            assert!(Ink::from(role).on_paper().contrast(Ink::WHITE) >= 4.5, "{role:?}");
        }
        for words in [Ink::DARK, Ink::MIDDLE] {
            assert!(words.contrast(Ink::WHITE) >= 4.5, "{}", words.hex());
        }
    }

    #[test]
    fn a_key_has_the_colour_of_its_marks() {
        for role in ROLES {
            let bar = Bar { label: "a".into(), value: Some(1.0), interval: None, role };
            let svg = themed_svg(&panel(Marks::Bars(vec![bar])), Lang::En);
            let colour = mark_colour(role);
            assert!(svg.contains(&format!("fill=\"{colour}\"")), "{role:?} {colour}: {svg}");
        }
    }

    fn panel(marks: Marks) -> Panel {
        Panel { title: "t".into(), y_axis: "t/s".into(), x_axis: "threads".into(), marks }
    }

    #[test]
    fn no_word_has_a_colour_of_its_own_and_each_line_has_a_number_and_a_key() {
        let point = |x: f64| LinePoint { x, y: x, interval: None };
        let line = |(i, role): (usize, Role)| Line {
            label: format!("a line of so many threads {i}"),
            points: vec![point(1.0), point(2.0 + i as f64)],
            stroke: Stroke::Straight,
            role,
        };
        let lines: Vec<Line> = ROLES.into_iter().enumerate().map(line).collect();
        let (x, y, guides) = (Spacing::Even, Spacing::Even, Vec::new());
        let panel = panel(Marks::Lines { lines, x, y, guides });
        let svg = themed_svg(&panel, Lang::En);
        for text in svg.split("<text ").skip(1) {
            let tag = text.split('>').next().unwrap();
            assert!(tag.contains("fill=\"var(--"), "{tag}");
        }
        assert!(!svg.contains("a line of"), "names are below the picture");
        let keys = keys(&panel);
        assert_eq!(keys.len(), ROLES.len());
        for key in keys {
            assert!(svg.contains(&format!(">{}</text>", key.number)), "{key:?}");
            assert!(key.label.starts_with("a line"), "{key:?}");
        }
    }

    /// On a telephone 358 pixels are left of 390; words of 11 pixels are shown as 7 or more.
    #[test]
    fn a_picture_of_lines_is_narrow() {
        let points = vec![LinePoint { x: 1.0, y: 123_456.0, interval: None }; 3];
        let label = "long ".repeat(20);
        let line = Line { label, points, stroke: Stroke::Dots, role: Role::Nth(0) };
        let (x, y, guides) = (Spacing::Even, Spacing::Even, Vec::new());
        let svg = themed_svg(&panel(Marks::Lines { lines: vec![line], x, y, guides }), Lang::En);
        let width = svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(width.parse::<f64>().unwrap() < 358.0 * 11.0 / 7.0, "{width}");
        let bar = |n: usize| Bar {
            label: format!("bar {n}"),
            value: Some(n as f64),
            interval: None,
            role: Role::Other,
        };
        let few = themed_svg(&panel(Marks::Bars((0..3).map(bar).collect())), Lang::En);
        let many = themed_svg(&panel(Marks::Bars((0..40).map(bar).collect())), Lang::En);
        assert_eq!(
            (few.contains("class=\"wide\""), many.contains("class=\"wide\"")),
            (false, true)
        );
    }
}
