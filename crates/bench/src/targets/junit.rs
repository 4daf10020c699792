//! Targets as JUnit XML, which CI systems show: a suite for each run, a case for each target.
//!
//! The elements are those of the Ant task's schema that Jenkins' junit-plugin publishes
//! (<https://github.com/jenkinsci/xunit-plugin>, `junit-10.xsd`): what was missed is a failure, what
//! no trial has an error, and so is what is undecided, unless that is allowed: then it is skipped.

use super::page::{actual, what};
use super::{Judged, Outcome};
use pacemark_record::TargetVerdict::{Met, Missed, NotMeasured, Undecided};
use std::fmt::Write;

/// The whole document.
pub fn junit(outcome: &Outcome, allow_undecided: bool) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    let mut runs: Vec<&str> = outcome.judged.iter().map(|judged| judged.run.as_str()).collect();
    runs.sort_unstable();
    runs.dedup();
    for run in runs {
        let cases: Vec<&Judged> =
            outcome.judged.iter().filter(|judged| judged.run == run).collect();
        let count = |is: &dyn Fn(&Judged) -> bool| cases.iter().filter(|case| is(case)).count();
        let undecided = count(&|case| matches!(case.verdict, Undecided(_)));
        let (errors, skipped) = if allow_undecided { (0, undecided) } else { (undecided, 0) };
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\">",
            escaped(run),
            cases.len(),
            count(&|case| case.verdict == Missed),
            errors + count(&|case| case.verdict == NotMeasured),
        );
        cases.iter().for_each(|case| xml += &testcase(case, allow_undecided));
        xml += "  </testsuite>\n";
    }
    xml + "</testsuites>\n"
}

fn testcase(case: &Judged, allow_undecided: bool) -> String {
    let name = [what(case), case.test.clone()].join(" ");
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"",
        escaped(&case.model),
        escaped(name.trim_end())
    );
    let element = match case.verdict {
        Met => return head + "/>\n",
        Missed => "failure",
        Undecided(_) if allow_undecided => "skipped",
        Undecided(_) | NotMeasured => "error",
    };
    let kind = case.verdict.name();
    let said = escaped(&actual(case));
    let kind = if element == "skipped" { String::new() } else { format!(" type=\"{kind}\"") };
    format!("{head}>\n      <{element} message=\"{said}\"{kind}/>\n    </testcase>\n")
}

/// As XML has it in an attribute; characters that no XML document may hold become the replacement
/// character (XML 1.0, 2.2).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' => out += "&#10;",
            '\t' => out += "&#9;",
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
