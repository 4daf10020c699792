//! A comparison as a document: the ratios, what else is different, and a chart around 1.

use super::{Contrast, Difference, Ratio};
use pacemark_record::Unit;
use pacemark_report::{Cell, Chart, Column, Document, Fact, Kind, Point, Rank, Table};

const LEGEND: &str = "ratio: new over base, so that 1 is the same; better and worse are shown only where the whole \
    95 % interval is on that side of 1.";

/// All of it; with a chart where that is asked for.
pub fn document(contrast: &Contrast, plot: bool) -> Document {
    let [base, new] = &contrast.names;
    let side = |names: &[String]| names.join(", ");
    let facts = vec![
        Fact::told("base", side(base)),
        Fact::told("new", side(new)),
        Fact::told("", contrast.pairing.told()),
        Fact::value("base", base.clone()),
        Fact::value("new", new.clone()),
        Fact::value("pairing", format!("{:?}", contrast.pairing).to_lowercase()),
        Fact::value("notes", contrast.notes.clone()),
    ];
    let mut tables = vec![ratios(contrast)];
    if !contrast.differences.is_empty() {
        tables.push(differences(&contrast.differences));
    }
    Document {
        facts,
        tables,
        charts: if plot { vec![chart(contrast)] } else { Vec::new() },
        notes: contrast.notes.clone(),
        ..Document::default()
    }
}

fn ratios(contrast: &Contrast) -> Table {
    let columns = vec![
        Column::new("test", Kind::Text, "test", -14).ranked(Rank::Key),
        Column::new("metric", Kind::Text, "figure", -15).ranked(Rank::Key),
        Column::new("base", Kind::Float, "base", 10),
        Column::new("new", Kind::Float, "new", 10),
        Column::new("ratio", Kind::Float, "ratio", 7).ranked(Rank::Main),
        Column::new("ci95_low", Kind::Float, "95 % from", 9).ranked(Rank::Main),
        Column { joined: true, ..Column::new("ci95_high", Kind::Float, "to", 7) },
        Column::new("pairs", Kind::Int, "pairs", 5),
        Column::new("verdict", Kind::Text, "verdict", -19).ranked(Rank::Main),
        Column::for_programs("method", Kind::Text),
    ];
    let rows = contrast.ratios.iter().map(|ratio| row(ratio).into()).collect();
    let legend = Some(LEGEND.to_owned());
    Table { name: "ratios".to_owned(), columns, rows, legend, ..Table::default() }
}

fn row(ratio: &Ratio) -> Vec<Cell> {
    let versus = &ratio.versus;
    let number = |value: Option<f64>| match value {
        Some(value) => Cell::Told(value.into(), format!("{value:.3}")),
        None => Cell::Figure(None, Unit::Number),
    };
    let value = |value: f64| Cell::Figure(Some(value), ratio.unit);
    vec![
        Cell::Text(ratio.test.clone()),
        Cell::Text(ratio.figure.name().to_owned()),
        value(versus.base),
        value(versus.new),
        number(Some(versus.ratio)),
        number(versus.interval.map(|interval| interval.low)),
        number(versus.interval.map(|interval| interval.high)),
        Cell::Int(versus.pairs as i64),
        Cell::Text(ratio.verdict().to_owned()),
        Cell::Text(versus.method().to_owned()),
    ]
}

fn differences(differences: &[Difference]) -> Table {
    let columns = vec![
        Column::new("name", Kind::Text, "also different", -18).ranked(Rank::Key),
        Column::new("base", Kind::Text, "base", -24),
        Column::new("new", Kind::Text, "new", -24),
    ];
    let row = |d: &Difference| {
        let cells = [&d.name, &d.base, &d.new].map(|text| Cell::Text(text.clone()));
        Vec::from(cells).into()
    };
    let rows = differences.iter().map(row).collect();
    Table { name: "differences".to_owned(), columns, rows, ..Table::default() }
}

fn chart(contrast: &Contrast) -> Chart {
    let point = |ratio: &Ratio| Point {
        label: ratio.test.clone(),
        name: ratio.figure.name().to_owned(),
        value: ratio.versus.ratio,
        interval: ratio.versus.interval.map(|interval| [interval.low, interval.high]),
    };
    Chart {
        title: "ratio, new over base".to_owned(),
        points: contrast.ratios.iter().map(point).collect(),
        around: Some(1.0),
        ..Chart::default()
    }
}
