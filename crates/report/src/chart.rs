//! A chart for a terminal, as bars or as points with their intervals, and as SVG; of values around
//! one, as marks beside it.

use crate::document::{Chart, Point};
use crate::picture::{Bar, Marks, Panel, Role, number};
use std::fmt::Write;

/// The same as a picture.
impl From<Chart> for Panel {
    fn from(chart: Chart) -> Panel {
        let bar = |point: Point| Bar {
            label: format!("{} {}", point.label, point.name).trim().to_owned(),
            value: Some(point.value),
            interval: point.interval.map(|[low, high]| (low, high)),
            role: Role::Other,
        };
        Panel {
            title: chart.title,
            y_axis: String::new(),
            x_axis: String::new(),
            marks: Marks::Bars(chart.points.into_iter().map(bar).collect()),
        }
    }
}

/// Widest and narrowest longest bar, and what stands beside it, in characters.
const WIDEST: usize = 50;
const NARROWEST: usize = 8;
const BESIDE: usize = 34;

/// A chart in characters, on lines of at most `width` of them.
pub fn drawn(chart: &Chart, width: Option<usize>) -> String {
    if let Some(around) = chart.around {
        return beside(chart, around, width);
    }
    let room = width.map_or(WIDEST, |width| width.saturating_sub(BESIDE));
    let room = room.clamp(NARROWEST, WIDEST);
    if chart.is_close_up { close_up(chart, room) } else { bars(chart, room) }
}

/// Each value as a point within its interval, between the least and the greatest of all.
fn close_up(chart: &Chart, room: usize) -> String {
    let ends = |point: &Point| point.interval.unwrap_or([point.value; 2]);
    let all = || chart.points.iter().flat_map(|point| [ends(point), [point.value; 2]]).flatten();
    let all = || all().filter(|value| value.is_finite());
    let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::MIN, f64::max));
    let at = |value: f64| match most - least {
        span if span > 0.0 => ((value - least) / span * (room - 1) as f64).round() as usize,
        _ => room / 2,
    };
    let mut out = format!("{}\n", chart.title);
    for point in &chart.points {
        let mut line = vec![' '; room];
        let [low, high] = ends(point).map(|end| at(end).min(room - 1));
        line[low..=high.max(low)].fill('─');
        line[at(point.value).min(room - 1)] = '●';
        let (line, value) = (line.into_iter().collect::<String>(), number(point.value));
        let _ = writeln!(out, "{:>2} {:<19} {line} {value}", point.label, point.name);
    }
    out
}

/// A bar for each point, as long as its value.
fn bars(chart: &Chart, room: usize) -> String {
    let most = chart.points.iter().map(|point| point.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut out = String::new();
    for point in &chart.points {
        let length = (point.value / most * room as f64).round().max(0.0) as usize;
        let bar = "█".repeat(length);
        let _ =
            writeln!(out, "{:>2} {:<19} {bar:<room$} {:.1}", point.label, point.name, point.value);
    }
    out
}

/// A mark for each point and a line for its interval, all on one logarithmic scale around `around`.
fn beside(chart: &Chart, around: f64, width: Option<usize>) -> String {
    let chars = |text: &str| text.chars().count();
    let label = chart.points.iter().map(|point| chars(&point.label)).max().unwrap_or(0);
    let name = chart.points.iter().map(|point| chars(&point.name)).max().unwrap_or(0);
    // Beside the field stand both names and the value.
    let room = width.map_or(WIDEST, |width| width.saturating_sub(label + name + 10));
    let half = room.clamp(NARROWEST, WIDEST) / 2;
    let ends = |point: &Point| {
        let [low, high] = point.interval.unwrap_or([point.value; 2]);
        [low, point.value, high]
    };
    // Half as fast and twice as fast are equally far from the same.
    let distance = |value: f64| (value / around).ln();
    let far = chart.points.iter().flat_map(ends).map(|value| distance(value).abs());
    let far = far.filter(|distance| distance.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    let at = |value: f64| {
        let steps = (distance(value) / far * half as f64).round();
        (half as f64 + steps).clamp(0.0, 2.0 * half as f64) as usize
    };
    let mut out = format!("{}\n", chart.title);
    for point in &chart.points {
        let mut field = vec![' '; 2 * half + 1];
        field[half] = '┊';
        let [low, middle, high] = ends(point).map(at);
        field[low..=high.max(low)].fill('─');
        field[middle] = '●';
        let field: String = field.into_iter().collect();
        let _ =
            writeln!(out, "{:label$} {:name$} {field} {:.3}", point.label, point.name, point.value);
    }
    out
}

/// Size of the chart and of its margins, in pixels.
const SVG_WIDTH: f64 = 900.0;
const SVG_HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 110.0;

/// Values with their intervals, from zero.
pub fn svg(chart: &Chart) -> String {
    let Chart { title, points, .. } = chart;
    let high = |point: &Point| point.interval.map_or(point.value, |[_, high]| high);
    let most = nice(points.iter().map(high).fold(1.0, f64::max));
    let step = (SVG_WIDTH - LEFT - RIGHT) / points.len().max(1) as f64;
    let x = |i: usize| LEFT + step * (i as f64 + 0.5);
    let y = |rate: f64| TOP + (SVG_HEIGHT - TOP - BOTTOM) * (1.0 - rate / most);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SVG_WIDTH} {SVG_HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"18\">{}; \
         bars: 95 % intervals</text>\n",
        escape(title)
    );
    for tick in 0..=5 {
        let rate = most * f64::from(tick) / 5.0;
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/><text x=\"{2}\" y=\"{3:.1}\" \
             text-anchor=\"end\" fill=\"#555\">{rate:.0}</text>",
            SVG_WIDTH - RIGHT,
            y(rate),
            LEFT - 8.0,
            y(rate) + 4.0
        );
    }
    let line: Vec<String> = points
        .iter()
        .enumerate()
        .map(|(i, point)| format!("{:.1},{:.1}", x(i), y(point.value)))
        .collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\"/>",
        line.join(" ")
    );
    for (i, point) in points.iter().enumerate() {
        let (x, middle) = (x(i), y(point.value));
        if let Some([low, high]) = point.interval {
            let (low, high) = (y(low), y(high));
            let _ = writeln!(
                out,
                "<path d=\"M{0:.1} {low:.1}V{high:.1}M{1:.1} {low:.1}H{2:.1}M{1:.1} {high:.1}H{2:.1}\" stroke=\"#1f6feb\" \
                 fill=\"none\"/>",
                x,
                x - 5.0,
                x + 5.0
            );
        }
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"4\" fill=\"#1f6feb\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{:.0}</text>",
            y(0.0) + 18.0,
            point.value
        );
        let _ = writeln!(
            out,
            "<text transform=\"translate({x:.1},{:.1}) rotate(-25)\" text-anchor=\"end\" fill=\"#333\">{} {}</text>",
            y(0.0) + 36.0,
            point.label,
            escape(&point.name)
        );
    }
    out + "</svg>\n"
}

/// The next of 1, 2, 5, 10, … at or above `value`, in tenths of its power of ten.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-9).log10().floor());
    (value / power * 2.0).ceil() / 2.0 * power
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_around_one_lie_beside_it() {
        let point = |name: &str, value, interval| Point {
            label: "tg8".into(),
            name: name.into(),
            value,
            interval,
        };
        let points = vec![
            point("slower", 0.5, Some([0.25, 1.0])),
            point("same", 1.0, None),
            point("odd", f64::NAN, None),
        ];
        let chart = Chart { title: "ratio".into(), points, around: Some(1.0), ..Chart::default() };
        // Two names, the value and ten columns between and beside them leave eight.
        let expected = "ratio\n\
                        tg8 slower ──●──     0.500\n\
                        tg8 same       ●     1.000\n\
                        tg8 odd    ●   ┊     NaN\n";
        assert_eq!(drawn(&chart, Some(20)), expected);
        assert!(drawn(&chart, None).lines().all(|line| line.chars().count() < 80));
    }

    #[test]
    fn a_close_up_shows_what_differs_by_little() {
        let point =
            |value, interval| Point { label: String::new(), name: "x".into(), value, interval };
        let points = vec![point(100.0, Some([99.0, 101.0])), point(99.0, None), point(103.0, None)];
        let chart = Chart { title: "t/s".into(), is_close_up: true, points, ..Chart::default() };
        let text = drawn(&chart, Some(BESIDE + 9));
        // Labels and names take 23 characters.
        let points = text.lines().skip(1).map(|line| line.chars().skip(23).collect::<String>());
        let points: Vec<String> = points.collect();
        assert_eq!(points, ["──●──     100", "●         99", "        ● 103"], "{text}");
        let alike = vec![point(1.0, None); 2];
        let text = drawn(&Chart { points: alike, ..chart.clone() }, None);
        assert_eq!(text.matches('●').count(), 2);
        for odd in [f64::NAN, f64::INFINITY, -f64::INFINITY] {
            let odd = vec![point(odd, Some([odd, odd])), point(1.0, Some([2.0, 0.0]))];
            drawn(&Chart { points: odd, ..chart.clone() }, Some(0));
        }
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(
            [nice(1.0), nice(0.5), nice(972.0), nice(1001.0), nice(262.0)],
            [1.0, 0.5, 1000.0, 1500.0, 300.0]
        );
    }
}
