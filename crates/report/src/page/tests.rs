//! Pages of documents that nobody should make.

use super::*;
use crate::picture::{
    Bar, Guide, Line, LinePoint, Marks, Panel, Role, Spacing, Span, Stroke, terminal,
};
use crate::{Column, Kind, Reading, Standing, Table, Verdict};

const HOSTILE: &str = "</style></svg><script>alert('x')</script>\" onload=\"x\u{0}\u{202e}";

fn panel(marks: Marks) -> Panel {
    Panel { title: HOSTILE.into(), y_axis: HOSTILE.into(), x_axis: HOSTILE.into(), marks }
}

fn point(x: f64, y: f64) -> LinePoint {
    LinePoint { x, y, interval: Some((y * 0.9, y * 1.1)) }
}

fn line(n: usize, points: Vec<LinePoint>, stroke: Stroke) -> Line {
    Line { label: format!("{HOSTILE} {n}"), points, stroke, role: Role::Nth(n) }
}

fn lines(points: &[(f64, f64)], x: Spacing) -> Panel {
    let strokes = [Stroke::Straight, Stroke::Steps, Stroke::Dots];
    let points: Vec<LinePoint> = points.iter().map(|(x, y)| point(*x, *y)).collect();
    let lines = (0..9).map(|n| line(n, points.clone(), strokes[n % 3])).collect();
    let guide = |at, is_upright| Guide { label: HOSTILE.into(), at, is_upright };
    let guides = vec![guide(2.0, true), guide(f64::NAN, false), guide(20.0, false)];
    panel(Marks::Lines { lines, x, y: Spacing::Even, guides })
}

fn document() -> Document {
    let span = |from, to| Span {
        label: HOSTILE.into(),
        from,
        to,
        words: HOSTILE.into(),
        role: Role::Other,
    };
    let table = Table {
        name: HOSTILE.into(),
        columns: vec![Column::new(HOSTILE, Kind::Text, HOSTILE, -8)],
        rows: vec![vec![crate::Cell::from(HOSTILE)].into()],
        legend: Some(HOSTILE.into()),
        ..Table::default()
    };
    let pair = || (HOSTILE.to_owned(), HOSTILE.to_owned());
    Document {
        title: Some(HOSTILE.into()),
        tables: vec![table],
        panels: vec![
            lines(&[(1.0, 10.0), (2.0, 20.0), (3.0, f64::NAN), (4.0, 5.0)], Spacing::Even),
            lines(
                &[(0.0, 10.0), (-2.0, 20.0), (1e9, f64::INFINITY), (4.0, 1e300)],
                Spacing::Logarithmic,
            ),
            lines(&[], Spacing::Even),
            panel(Marks::Spans(vec![span(0.0, 1.0), span(1.0, 0.5), span(f64::NAN, 2.0)])),
            panel(Marks::Spans(Vec::new())),
        ],
        notes: vec![HOSTILE.into()],
        reading: Reading {
            verdicts: vec![Verdict { standing: Standing::Bad, text: HOSTILE.into() }],
            advice: vec![HOSTILE.into()],
            definitions: vec![pair()],
            environment: vec![pair()],
            commands: vec![HOSTILE.into()],
        },
        ..Document::default()
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    for lang in Lang::ALL {
        let cover = Cover { title: HOSTILE.into(), lang };
        for format in [&html::FORMAT, &pictures::SVG] {
            let bytes = (format.write)(&cover, &[document(), document()]).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains("<script"), "{}", format.name);
            assert!(!text.contains("\" onload"), "{}", format.name);
            assert!(!text.contains('\0'), "{}", format.name);
            let n = |what: &str| text.matches(what).count();
            assert_eq!(n("<svg"), n("</svg>"), "{}", format.name);
            assert_eq!(n("<style>"), n("</style>"), "{}", format.name);
        }
    }
}

#[test]
fn a_page_is_whole_and_fetches_nothing() {
    let cover = Cover { title: "t".into(), lang: Lang::Zh };
    let page = String::from_utf8((html::FORMAT.write)(&cover, &[document()]).unwrap()).unwrap();
    for tag in ["html", "head", "body", "main", "section", "table", "figure", "details", "ul", "dl"]
    {
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = page.split(&open).skip(1).filter(|rest| rest.starts_with([' ', '>'])).count();
        assert_eq!(opened, page.matches(&close).count(), "{tag}");
    }
    assert!(page.contains("lang=\"zh-Hans\"") && page.contains("结论"));
    for fetched in ["src=", "href=\"http", "@import", "url("] {
        assert!(!page.contains(fetched), "{fetched}");
    }
}

fn html(document: &Document) -> String {
    let cover = Cover { title: "t".into(), lang: Lang::En };
    String::from_utf8((html::FORMAT.write)(&cover, std::slice::from_ref(document)).unwrap())
        .unwrap()
}

#[test]
fn what_is_said_below_no_rows_stands_there_too() {
    let said = "3 settings raced in turn";
    let legend = Table { legend: Some(said.into()), ..Table::default() };
    let bare = Table { name: "nothing".into(), ..Table::default() };
    let document = Document { tables: vec![bare, legend], ..Document::default() };
    let page = html(&document);
    assert!(page.contains(&format!("<p class=\"legend\">{said}</p>")), "{page}");
    assert!(!page.contains("<table>"), "{page}");
    let text = crate::render(&document, crate::render::find("md").unwrap(), &Default::default());
    assert!(text.contains(said), "{text}");
}

#[test]
fn a_table_that_is_wider_than_paper_stands_there_in_parts() {
    use crate::document::Rank;
    let key = Column::new("name", Kind::Text, "name", -8).ranked(Rank::Key);
    let number = |n: usize| Column::new(format!("c{n}"), Kind::Int, format!("heading{n:03}"), 8);
    let of = |n_columns: usize| {
        let cells = (0..n_columns).map(|n| crate::Cell::Int(1000 + n as i64));
        let row: Vec<_> = std::iter::once("a row".into()).chain(cells).collect();
        Document {
            tables: vec![Table {
                columns: std::iter::once(key.clone()).chain((0..n_columns).map(number)).collect(),
                rows: vec![row.into()],
                ..Table::default()
            }],
            ..Document::default()
        }
    };
    let narrow = html(&of(5));
    assert!(!narrow.contains("<div class=\"paper\">") && narrow.matches("<table>").count() == 1);
    let wide = html(&of(27));
    let (screen, paper) = wide.split_once("<div class=\"paper\">").unwrap();
    assert_eq!((screen.matches("<table>").count(), screen.matches("heading").count()), (1, 27));
    let parts: Vec<&str> = paper.split("<table>").skip(1).collect();
    assert!(parts.len() > 2, "{}", parts.len());
    for part in &parts {
        assert!(part.contains(">name</th>") && part.contains("<td>a row</td>"), "{part}");
        assert!(part.matches("heading").count() < 10, "{part}");
    }
    for n in 0..27 {
        assert_eq!(paper.matches(&format!(">heading{n:03}<")).count(), 1, "{n}");
        assert_eq!(paper.matches(&format!(">{}<", 1000 + n)).count(), 1, "{n}");
    }
}

#[test]
fn panels_stand_in_a_terminal_too() {
    for panel in document().panels {
        for width in [None, Some(20), Some(80)] {
            let text = terminal(&panel, width);
            assert!(!text.is_empty() && !text.contains("NaN NaN"), "{text}");
        }
    }
    let named = |label: &str, y: f64| Line {
        label: label.into(),
        points: (1..=4)
            .map(|x| LinePoint { x: f64::from(x), y: y * f64::from(x), interval: None })
            .collect(),
        stroke: Stroke::Straight,
        role: Role::Nth(0),
    };
    let marks = Marks::Lines {
        lines: vec![named("one", 1.0), named("two", 2.0)],
        x: Spacing::Even,
        y: Spacing::Even,
        guides: Vec::new(),
    };
    let panel =
        Panel { title: "rate".into(), y_axis: "t/s".into(), x_axis: "threads".into(), marks };
    let text = terminal(&panel, Some(60));
    assert!(text.lines().all(|line| crate::columns::wide(line) <= 60), "{text}");
    insta::assert_snapshot!(text);
}

fn widest(text: &str) -> usize {
    text.lines().map(crate::columns::wide).max().unwrap_or(0)
}

#[test]
fn nothing_on_a_terminal_is_wider_than_it() {
    let long = "a name of several words that go on for longer than the room there is beside a bar";
    let bar = |label: &str, value: f64| Bar {
        label: label.to_owned(),
        value: Some(value),
        interval: Some((value * 0.912_345, value * 1.123_456)),
        role: Role::Other,
    };
    let bars = Marks::Bars(vec![
        bar(long, 1748.0),
        bar("short", 1e-9),
        bar("中位数".repeat(9).as_str(), 2.0),
    ]);
    let words = |n: usize| vec!["of each".to_owned(); n];
    let cells =
        Marks::Cells { columns: words(30), rows: words(3), values: vec![vec![Some(0.5); 30]; 3] };
    let span = |words: &str| Span {
        label: long.into(),
        from: -278.7,
        to: 42.7,
        words: words.into(),
        role: Role::Other,
    };
    let spans = Marks::Spans(vec![span(long), span("+42.7 µs")]);
    for marks in [bars, cells, spans] {
        let [title, y_axis, x_axis] = [long.repeat(3), long.repeat(2), "比例".repeat(60)];
        let panel = Panel { title, y_axis, x_axis, marks };
        for width in [40, 80, 100] {
            let text = terminal(&panel, Some(width));
            assert!(widest(&text) <= width, "{width}:\n{text}");
            assert!(text.contains("…") || !text.contains("1748"), "no figure is cut: {text}");
        }
    }
}

#[test]
fn what_a_terminal_calls_an_interval_has_one() {
    let points =
        [1.0, 2.0, f64::NAN].map(|x| LinePoint { interval: Some((9.0, 12.5)), ..point(x, 10.0) });
    let line = |label: &str, points: Vec<LinePoint>| Line {
        label: label.into(),
        points,
        stroke: Stroke::Straight,
        role: Role::Nth(0),
    };
    let without = vec![LinePoint { x: 1.0, y: 11.0, interval: None }; 2];
    let long = (1..200).map(|x| point(f64::from(x), 10.0)).collect();
    let lines = vec![line("with", points.to_vec()), line("without", without), line("long", long)];
    let marks = Marks::Lines { lines, x: Spacing::Even, y: Spacing::Even, guides: Vec::new() };
    let panel = Panel { title: "t".into(), y_axis: "y".into(), x_axis: "x".into(), marks };
    let text = terminal(&panel, Some(80));
    assert!(text.contains("with\n    1: 10 (9 … 12.50); 2: 10 (9 … 12.50)\n"), "{text}");
    assert!(text.contains("without\n  ▲ long\n    1: 10 (9 … 11)"), "{text}");
    assert!(text.ends_with("…\n") && text.lines().count() < 40, "{text}");
    assert!(widest(&text) <= 80, "{text}");
}

#[test]
fn a_front_and_intervals_of_points_stand_on_a_terminal() {
    let point = |label: &str, x: f64, interval| crate::picture::Point {
        label: label.into(),
        x,
        y: x * 2.0,
        x_interval: interval,
        y_interval: interval,
        role: Role::Streaming,
    };
    let points = vec![
        point("a", 1.0, Some((0.5, 1.5))),
        point("b", 9.0, None),
        point("c", f64::NAN, Some((1.0, 2.0))),
    ];
    let (x, y) = (Spacing::Even, Spacing::Even);
    let of = |front: Vec<usize>| Panel {
        title: "t".into(),
        y_axis: String::new(),
        x_axis: String::new(),
        marks: Marks::Points { points: points.clone(), x, y, front },
    };
    let text = terminal(&of(vec![0, 1, 99]), Some(60));
    assert!(text.contains("  ● a: x 1 (0.5000 … 1.500), y 2 (0.5000 … 1.500)\n  ○ b\n"), "{text}");
    assert!(text.contains("·····") && !text.contains("NaN"), "{text}");
    assert!(!terminal(&of(Vec::new()), Some(60)).contains('·'));
    let colours = vec![(Role::Streaming, "kept <b>".to_owned()), (Role::Recent, "gone".to_owned())];
    let notes = vec!["whiskers: all".to_owned()];
    let legend = crate::picture::Legend { colours, notes };
    let document = Document { panels: vec![of(vec![0, 1])], legend, ..Document::default() };
    let shown =
        crate::render(&document, crate::render::find("table").unwrap(), &Default::default());
    assert!(shown.contains("in brackets: all\n") && shown.contains("○ b (kept <b>)"), "{shown}");
    let page = html(&document);
    assert!(page.contains("kept &lt;b&gt;</li>") && page.contains(">whiskers: all</p>"), "{page}");
    let several = [
        document.clone(),
        Document {
            legend: crate::picture::Legend {
                colours: vec![(Role::Streaming, "other".into())],
                ..Default::default()
            },
            panels: vec![Panel { title: "u".into(), ..of(Vec::new()) }],
            ..Document::default()
        },
    ];
    let legend_of = |documents: &[Document]| {
        let cover = Cover { title: "t".into(), lang: Lang::En };
        let legend = pictures::picture(&cover, documents).legend;
        legend.into_iter().map(|(_, words)| words).collect::<Vec<_>>()
    };
    assert_eq!(legend_of(&several[..1]), ["kept <b>", "gone"]);
    assert_eq!(legend_of(&several), ["t: kept <b>", "t: gone", "u: other"]);
}

#[test]
fn a_roof_goes_on_between_its_points_and_each_line_has_a_mark_of_its_own() {
    let at = |x: f64, y: f64| LinePoint { x, y, interval: None };
    let mut all: Vec<Line> = (0..14)
        .map(|n| Line {
            label: format!("line {n}"),
            points: vec![at(1.0 + n as f64, 10.0 + n as f64)],
            stroke: Stroke::Dots,
            role: Role::Nth(n),
        })
        .collect();
    all.push(Line {
        label: "roof".into(),
        points: vec![at(1.0, 20.0), at(8.0, 40.0), at(14.0, 40.0)],
        stroke: Stroke::Straight,
        role: Role::Baseline,
    });
    let marks = Marks::Lines { lines: all, x: Spacing::Even, y: Spacing::Even, guides: Vec::new() };
    let panel = Panel { title: "t".into(), y_axis: "y".into(), x_axis: "x".into(), marks };
    let text = terminal(&panel, Some(80));
    assert!(text.contains("··········"), "{text}");
    let named = text.lines().filter_map(|line| line.strip_prefix("  "));
    let named = named.filter(|line| line.contains("line ") || line.contains("roof"));
    let marks: std::collections::HashSet<char> = named.filter_map(|l| l.chars().next()).collect();
    assert_eq!(marks.len(), 15, "{text}");
}

#[test]
fn pictures_of_many_panels_are_several_files() {
    let bar = |n: usize| Bar {
        label: format!("row {n}"),
        value: Some(n as f64),
        interval: None,
        role: Role::Other,
    };
    let panel = |n: usize| Panel {
        title: format!("panel {n}"),
        y_axis: String::new(),
        x_axis: String::new(),
        marks: Marks::Bars((0..n).map(bar).collect()),
    };
    let of = |n: usize| Document { panels: (0..n).map(|_| panel(150)).collect(), ..document() };
    let cover = Cover { title: "t".into(), lang: Lang::En };
    let many = [of(60)];
    assert!((pictures::PNG.write)(&cover, &many).is_err());
    let parts = crate::picture::png_pages_of(&pictures::picture(&cover, &many));
    let panels: usize = parts.iter().map(|part| part.panels.len()).sum();
    assert!(parts.len() > 1 && panels == 60, "{} {panels}", parts.len());
    assert!(parts.iter().all(|part| part.title == "t"));
    let few = (pictures::PNG.pages)(&cover, &[document()]).unwrap();
    assert_eq!(few.len(), 1);
}

#[test]
fn markdown_has_no_markup_from_outside() {
    let outside =
        "<img src=x onerror=y> [a](http://b) *c* _d_ n_threads &lt; ~~e~~ \\<b>|f\u{202e}";
    let named = Document {
        title: Some(outside.into()),
        tables: vec![Table {
            columns: vec![Column::new("a", Kind::Text, "a", -8)],
            rows: vec![vec![crate::Cell::from(outside)].into()],
            legend: Some(outside.into()),
            ..Table::default()
        }],
        notes: vec![outside.into()],
        reading: Reading {
            environment: vec![("Processor".into(), outside.into())],
            verdicts: vec![Verdict::plain(outside)],
            advice: vec![outside.into()],
            ..Reading::default()
        },
        ..Document::default()
    };
    let text = crate::render(&named, crate::render::find("md").unwrap(), &crate::Page::default());
    let escaped =
        r"\<img src=x onerror=y> \[a](http://b) \*c\* \_d\_ n_threads \&lt; \~\~e\~\~ \\\<b>";
    assert_eq!(text.matches(escaped).count(), 7, "{text}");
    assert!(!text.contains('\u{202e}'), "{text}");
    for c in ['<', '[', '*', '&'] {
        let bare = text.match_indices(c).filter(|(at, _)| !text[..*at].ends_with('\\'));
        assert_eq!(bare.count(), 0, "{c}: {text}");
    }
    let terminal =
        crate::render(&named, crate::render::find("table").unwrap(), &crate::Page::default());
    assert!(terminal.contains("<img src=x onerror=y> [a]"), "{terminal}");
}
