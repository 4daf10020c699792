//! What holds of every picture, and pictures of what nobody should measure. How a picture looks is
//! for eyes: nothing here compares pixels.

use super::*;
use png::{Decoder, Unit};
use proptest::prelude::*;

/// Names that are hard to write: markup, formulas, other scripts, controls, a long one.
fn odd_names() -> Vec<String> {
    let names = ["", "<&>\"'", "$a$ \\$b $", "naïve Größe 模型 кэш", "tab\tnew\nline\0\u{1b}[1m"];
    names.into_iter().map(str::to_owned).chain([long_name()]).collect()
}

fn long_name() -> String {
    format!("begin{}end", "-x".repeat(150))
}

fn bar(label: &str, value: Option<f64>) -> Bar {
    Bar { label: label.to_owned(), value, interval: None, role: Role::Other }
}

fn panel(marks: Marks) -> Panel {
    Panel { title: "Rate".into(), y_axis: "tokens / s".into(), x_axis: String::new(), marks }
}

fn page(panels: Vec<Panel>, columns: usize) -> Picture {
    Picture { title: "A picture".into(), panels, columns, ..Picture::default() }
}

fn of_bars(bars: Vec<Bar>) -> Picture {
    page(vec![panel(Marks::Bars(bars))], 1)
}

fn of_points(points: &[(f64, f64)], x: Spacing, y: Spacing) -> Picture {
    let front = front(points, [Better::Lower, Better::Lower]);
    let points = points.iter().enumerate().map(|(i, &(x, y))| Point {
        label: format!("point {i}"),
        x,
        y,
        x_interval: Some((x * 0.9, x * 1.1)),
        y_interval: Some((y * 0.9, y * 1.1)),
        role: Role::Streaming,
    });
    page(vec![panel(Marks::Points { points: points.collect(), x, y, front })], 1)
}

fn of_cells(columns: &[String], rows: &[String], values: Vec<Vec<Option<f64>>>) -> Picture {
    let (columns, rows) = (columns.to_vec(), rows.to_vec());
    page(vec![panel(Marks::Cells { columns, rows, values })], 1)
}

/// What stands between the tags of that name, as it reads.
fn texts(svg: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
    let inner = svg.split(&open).skip(1).map(|rest| {
        let text = rest.split_once('>').unwrap().1.split_once(&close).unwrap().0;
        let marks =
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
        marks.iter().fold(text.to_owned(), |text, (mark, plain)| text.replace(mark, plain))
    });
    inner.collect()
}

/// Every value of that attribute; the paper's is in parts of the page.
fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
    let opening = format!(" {attribute}=\"");
    let values = svg.split(&opening).skip(1).map(|rest| rest.split('"').next().unwrap());
    values.filter(|value| *value != "100%").map(|value| value.parse().unwrap()).collect()
}

/// The picture in both formats, checked: whole tags, places on the page, a PNG of that size.
fn drawn(picture: &Picture) -> String {
    let svg = checked_svg(picture);
    let bytes = png(picture).unwrap();
    let reader = Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    let inches = |attribute: &str| numbers(&svg, attribute)[0] / 96.0;
    let size = [inches("width"), inches("height")].map(|length| (length * 300.0).ceil() as u32);
    assert_eq!([reader.info().width, reader.info().height], size);
    svg
}

fn checked_svg(picture: &Picture) -> String {
    let svg = svg(picture);
    for broken in ["=\"NaN", "=\"inf", "=\"-inf", "\0", "\u{1b}"] {
        assert!(!svg.contains(broken), "{broken:?} in {svg}");
    }
    let shapes = ["<line ", "<rect ", "<circle ", "<text ", "<g ", "<title>", "<svg ", "<!--"];
    let closing = ["</text>", "</g>", "</title>", "</svg>"];
    let known: usize = shapes.iter().chain(&closing).map(|tag| svg.matches(tag).count()).sum();
    assert_eq!(svg.matches('<').count(), known, "a name became a tag in {svg}");
    let (width, height) = (numbers(&svg, "width")[0], numbers(&svg, "height")[0]);
    assert!(svg.starts_with(&format!("<svg viewBox=\"0 0 {width} {height}\" ")), "{svg}");
    for (attribute, most) in
        [("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y1", height)]
    {
        let outside = |at: &f64| !(-0.5..=most + 0.5).contains(at);
        assert_eq!(numbers(&svg, attribute).into_iter().find(outside), None, "{attribute} {svg}");
    }
    svg
}

#[test]
fn a_png_says_its_size_in_inches() {
    let bytes = png(&of_bars(vec![bar("a", Some(1.0))])).unwrap();
    // The decoder checks every chunk's checksum and that this one comes before the pixels.
    let mut reader = Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    let said = reader.info().pixel_dims.unwrap();
    assert_eq!((said.xppu, said.yppu, said.unit), (11811, 11811, Unit::Meter));
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(&pixels[..4], [255; 4], "the paper is white");
    let blue = pixels.chunks(4).filter(|pixel| **pixel == [0x3b, 0x7d, 0xc4, 255]).count();
    assert!(blue > 10_000, "and the bar is on it");
    reader.finish().unwrap();
}

#[test]
fn all_names_and_values_are_in_the_text() {
    let labels = ["baseline", "recent_only_256", "streaming_256", "fix_size_l2:512,keep=0.5"];
    let bars = |from: f64| {
        let bars = labels.iter().zip([0.0, 1.25, 2.4, 3.75]);
        bars.map(|(label, more)| bar(label, Some(from + more))).collect()
    };
    let panels = (0..6).map(|i| Panel {
        title: format!("Panel {i}"),
        y_axis: format!("unit {i}"),
        x_axis: format!("method {i}"),
        marks: Marks::Bars(bars(f64::from(i) * 10.1)),
    });
    let mut picture = page(panels.collect(), 3);
    picture.legend = vec![(Role::Recent, "recent".into()), (Role::Control, "control".into())];
    picture.notes = vec!["One note.".into(), "Another.".into()];
    let texts = texts(&drawn(&picture), "text");
    let count = |text: &str| texts.iter().filter(|found| *found == text).count();
    assert!(labels.iter().all(|label| count(label) == 6), "{texts:?}");
    for once in ["Panel 5", "unit 5", "method 5", "50.50", "51.75", "52.90", "54.25", "recent"] {
        assert_eq!(count(once), 1, "{once} in {texts:?}");
    }
    for once in ["A picture", "control", "One note.", "Another."] {
        assert_eq!(count(once), 1, "{once} in {texts:?}");
    }
}

#[test]
fn panels_stand_in_rows_and_columns() {
    let panels = (0..6).map(|_| panel(Marks::Bars(vec![bar("a", Some(1.0))]))).collect();
    let svg = drawn(&page(panels, 3));
    let titles = svg.lines().filter(|line| line.contains(">Rate<"));
    let places: Vec<(f64, f64)> =
        titles.map(|line| (numbers(line, "x")[0], numbers(line, "y")[0])).collect();
    assert_eq!(places[0].1, places[2].1);
    assert_eq!(places[0].0, places[3].0);
    assert!(places[1].0 > places[0].0 + 440.0 && places[3].1 > places[0].1 + 260.0, "{places:?}");
}

#[test]
fn an_axis_that_does_not_begin_at_zero_says_so() {
    let said = |values: &[f64]| {
        let bars = values.iter().map(|value| bar("a", Some(*value))).collect();
        texts(&drawn(&of_bars(bars)), "text").into_iter().find(|text| text.contains("axis begins"))
    };
    assert_eq!(said(&[100.0, 104.0]).unwrap(), "axis begins at 98, not at 0");
    assert_eq!(said(&[10.0, 104.0]), None);
    let cut = said(&[15.3, 16.9, 412.7, 16.0]).unwrap();
    assert!(cut.ends_with("; one bar is cut: it goes far beyond"), "{cut}");
}

#[test]
fn what_has_no_bar_is_written_in_its_place() {
    let values = [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::MAX), Some(2.0)];
    let svg = drawn(&of_bars(values.into_iter().map(|value| bar("a", value)).collect()));
    let texts = texts(&svg, "text");
    assert!(texts.iter().all(|text| !text.is_empty()), "{texts:?}");
    for written in ["–", "NaN", "∞", "1.798e308", "2"] {
        assert!(texts.iter().any(|text| text == written), "{written} in {texts:?}");
    }
    assert_eq!(svg.matches("fill=\"#3b7dc4\"").count(), 1, "one has a bar");
}

#[test]
fn colours_follow_roles() {
    let roles = [Role::Baseline, Role::Streaming, Role::Recent, Role::Other, Role::Control];
    let bars = roles.iter().map(|role| Bar { role: *role, ..bar("same", Some(1.0)) });
    let svg = drawn(&of_bars(bars.collect()));
    for colour in ["#8c8c8c", "#3a9d4f", "#d64b45", "#3b7dc4", "#b8800f"] {
        assert_eq!(svg.matches(&format!("fill=\"{colour}\"")).count(), 1, "{colour}");
    }
}

#[test]
fn an_interval_is_drawn_where_both_ends_are_numbers() {
    let lines = |interval| {
        let bars = vec![Bar { interval, ..bar("a", Some(2.0)) }];
        drawn(&of_bars(bars)).matches("stroke-width=\"1.2\"").count()
    };
    assert_eq!(lines(Some((1.5, 2.5))), 3);
    assert_eq!(lines(Some((2.5, 1.5))), 3);
    for none in [None, Some((f64::NAN, 2.5)), Some((1.0, f64::INFINITY))] {
        assert_eq!(lines(none), 0, "{none:?}");
    }
}

#[test]
fn odd_names_come_through_in_every_place() {
    let names = odd_names();
    let bars: Vec<Bar> = names.iter().map(|name| bar(name, Some(1.5))).collect();
    let points = names.iter().enumerate().map(|(i, name)| Point {
        label: name.clone(),
        x: i as f64,
        y: 1.0,
        x_interval: None,
        y_interval: None,
        role: Role::Recent,
    });
    let (x, y) = (Spacing::Even, Spacing::Even);
    let marks =
        [Marks::Bars(bars), Marks::Points { points: points.collect(), x, y, front: vec![9] }];
    for name in &names {
        let named = |marks: &Marks| Panel {
            title: name.clone(),
            y_axis: name.clone(),
            x_axis: name.clone(),
            marks: marks.clone(),
        };
        let svg = drawn(&Picture {
            title: name.clone(),
            notes: vec![name.clone()],
            legend: vec![(Role::Other, name.clone()); 9],
            panels: marks.iter().map(named).collect(),
            columns: 2,
        });
        let found = [texts(&svg, "text"), texts(&svg, "title")].concat();
        for name in names.iter().filter(|name| !name.is_empty()) {
            let read = text::clean(name);
            assert!(found.iter().any(|found| found.trim() == read.trim()), "{read:?} in {found:?}");
        }
    }
}

#[test]
fn any_number_of_bars_is_drawn_apart() {
    for count in [0, 1, 2, 15, 16, 60, 200, 400] {
        let bars = (0..count).map(|i| bar(&format!("method_{i}"), Some(f64::from(i) + 0.5)));
        let svg = drawn(&of_bars(bars.collect()));
        let found = texts(&svg, "text");
        for i in 0..count {
            assert!(found.contains(&format!("method_{i}")), "{i} of {count}");
        }
        let fonts = svg.lines().filter(|line| line.contains(">method_"));
        let placed: Vec<(f64, f64)> =
            fonts.map(|line| (numbers(line, "x")[0], numbers(line, "font-size")[0])).collect();
        for pair in placed.windows(2) {
            assert!(pair[1].0 - pair[0].0 > pair[0].1, "{count}: names overlap: {pair:?}");
        }
    }
    assert!(texts(&svg(&of_bars(Vec::new())), "text").contains(&"no values".to_owned()));
}

#[test]
fn points_of_any_values_are_drawn_or_listed() {
    let points = [(1.0, 2.0), (f64::NAN, 1.0), (0.0, 3.0), (1e-9, f64::INFINITY), (4e6, 2.5)];
    let svg = drawn(&of_points(&points, Spacing::Even, Spacing::Even));
    assert_eq!(svg.matches("<circle").count(), 3);
    let lost = "not drawn: point 1 (NaN, 1), point 3 (1.000e-9, ∞)";
    assert!(texts(&svg, "text").contains(&lost.to_owned()), "{svg}");
    let svg = drawn(&of_points(&points, Spacing::Logarithmic, Spacing::Even));
    assert_eq!(svg.matches("<circle").count(), 2, "zero has no logarithm");
    drawn(&of_points(&[], Spacing::Even, Spacing::Even));
    drawn(&of_points(&[(1.0, 1.0); 3], Spacing::Even, Spacing::Logarithmic));
}

#[test]
fn nothing_is_a_picture_too() {
    let svg = drawn(&Picture::default());
    assert!(texts(&svg, "text").is_empty());
}

#[test]
fn a_page_of_too_many_pixels_is_refused_as_png_only() {
    let panels = vec![panel(Marks::Bars(vec![bar("a", Some(1.0))])); 200];
    let error = png(&page(panels.clone(), 1)).unwrap_err();
    assert!(matches!(error, PictureError::TooLarge { height, .. } if height > 100_000), "{error}");
    assert_eq!(texts(&svg(&page(panels, 1)), "text").iter().filter(|t| *t == "Rate").count(), 200);
}

#[test]
fn cells_have_their_values_and_names_or_a_dash() {
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    let values = vec![vec![Some(1.0), Some(0.375)], vec![None, Some(f64::NAN)]];
    let svg = drawn(&of_cells(&names(&["512", "1024"]), &names(&["0 %", "100 %"]), values));
    let words = texts(&svg, "text");
    for word in ["100", "37.50", "512", "1024", "0 %", "100 %"] {
        assert!(words.iter().any(|found| found == word), "{word}: {words:?}");
    }
    assert_eq!(words.iter().filter(|word| *word == "–").count(), 2, "{words:?}");
    for (columns, rows) in [(0, 0), (0, 3), (3, 0), (60, 40)] {
        let names = |n: usize| -> Vec<String> { (0..n).map(|i| i.to_string()).collect() };
        // Fewer values than cells, too.
        drawn(&of_cells(&names(columns), &names(rows), vec![vec![Some(0.5)]; rows / 2]));
    }
    let odd = odd_names();
    drawn(&of_cells(&odd, &odd, vec![vec![Some(-1.0), Some(f64::INFINITY), Some(1e300)]]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_value_leaves_a_whole_page(
        bars in prop::collection::vec((any::<Option<f64>>(), any::<Option<(f64, f64)>>(), ".{0,40}"), 0..40),
        points in prop::collection::vec((any::<f64>(), any::<f64>()), 0..30),
        logarithmic in any::<(bool, bool)>(),
        front in prop::collection::vec(0usize..40, 0..9),
        columns in 0usize..9,
    ) {
        let spacing = |log| if log { Spacing::Logarithmic } else { Spacing::Even };
        let bars = bars.into_iter().map(|(value, interval, label)| {
            Bar { label, value, interval, role: Role::Control }
        });
        let mut of_points = of_points(&points, spacing(logarithmic.0), spacing(logarithmic.1));
        if let Marks::Points { front: of_panel, .. } = &mut of_points.panels[0].marks {
            *of_panel = front;
        }
        let mut picture = of_bars(bars.collect());
        picture.columns = columns;
        picture.panels.extend(of_points.panels);
        checked_svg(&picture);
    }
}
