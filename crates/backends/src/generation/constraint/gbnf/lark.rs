//! Rules written in Lark.

use super::{Item, Rule};
use std::fmt::Write;

/// The grammar that begins at the rule of number `root`.
pub(super) fn grammar(rules: &[Rule], root: usize) -> String {
    let mut lark = format!("start: r{root}\n");
    for (i, (_, body)) in rules.iter().enumerate() {
        let _ = writeln!(lark, "r{i}: {}", alternatives(body)); // a string takes all
    }
    lark
}

fn alternatives(all: &[Vec<Item>]) -> String {
    let sequence = |items: &Vec<Item>| match &items[..] {
        [] => "\"\"".to_string(),
        items => items.iter().map(one).collect::<Vec<_>>().join(" "),
    };
    all.iter().map(sequence).collect::<Vec<_>>().join(" | ")
}

fn one(item: &Item) -> String {
    match item {
        Item::Class(inside, excluded) => {
            format!("/[{}{inside}]/", if *excluded { "^" } else { "" })
        }
        Item::Rule(number) => format!("r{number}"),
        Item::Group(all) => format!("({})", alternatives(all)),
        Item::Repeat(item, least, most) => {
            let item = format!("({})", one(item));
            match (least, most) {
                (0, None) => format!("{item}*"),
                (1, None) => format!("{item}+"),
                (0, Some(1)) => format!("{item}?"),
                (_, Some(0)) => "\"\"".into(),
                (least, None) => format!("{item}{{{least},}}"),
                (least, Some(most)) => format!("{item}{{{least},{most}}}"),
            }
        }
    }
}
