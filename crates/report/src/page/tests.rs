//! Pages of documents that nobody should make.

use super::*;
use crate::picture::{Guide, Line, LinePoint, Marks, Panel, Role, Spacing, Span, Stroke, terminal};
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
    assert!(text.lines().all(|line| crate::columns::wide(line) <= 60 + 8), "{text}");
    insta::assert_snapshot!(text);
}
