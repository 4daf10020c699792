//! What is wider than the terminal: a table in parts that are not, with the columns that say which
//! row it is in each.

pub(super) use crate::columns::folded;
use crate::columns::wide;
use crate::document::{Rank, Row, Table};

/// Some columns of a table, as wide as what stands in them.
pub(crate) struct Part {
    /// Indices of the columns.
    pub columns: Vec<usize>,
    /// Their widths; negative: left-aligned.
    pub widths: Vec<isize>,
}

/// Columns of a line with cells of these widths: each has a space before and behind, and a bar.
fn line_width(widths: impl Iterator<Item = usize>) -> usize {
    widths.map(|width| width + 3).sum::<usize>() + 1
}

/// Columns that a table takes as it is.
pub(super) fn width(table: &Table) -> usize {
    let people = table.columns.iter().filter(|column| column.readers.has_people());
    line_width(people.map(|column| column.width.unsigned_abs()))
}

/// The parts of a table whose rows are like these, each at most `width` wide, where its key
/// columns and one other leave it the choice.
pub(crate) fn parts(table: &Table, rows: &[Row], width: usize) -> Vec<Part> {
    parts_beside(table, rows, width, &[])
}

/// The parts of what the columns `shown` leave, key columns apart.
pub(super) fn parts_beside(
    table: &Table,
    rows: &[Row],
    width: usize,
    shown: &[usize],
) -> Vec<Part> {
    let is_key = |i: &usize| table.columns[*i].rank == Rank::Key;
    let people: Vec<usize> = (0..table.columns.len())
        .filter(|i| table.columns[*i].readers.has_people() && (is_key(i) || !shown.contains(i)))
        .collect();
    if !shown.is_empty() && people.iter().all(is_key) {
        return Vec::new();
    }
    let natural = |i: usize| {
        let column = &table.columns[i];
        let cell = |row: &Row| row.cells.get(i).map_or(0, |cell| wide(&cell.text()));
        let content = rows.iter().map(cell).max().unwrap_or(0).max(column.longest);
        // A later row's number may have a digit more.
        let content = match column.width {
            1.. => content + 1,
            // What tells rows apart is longer in another.
            width if rows.len() == 1 && column.rank == Rank::Key => {
                content.max(width.unsigned_abs())
            }
            _ => content,
        };
        wide(column.title.trim_end()).max(content)
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in people {
        match groups.last_mut().filter(|_| table.columns[i].joined) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let rank = |group: &[usize]| table.columns[group[0]].rank;
    let of = |wanted: Rank| groups.iter().filter(move |group| rank(group) == wanted);
    let keys: Vec<usize> = of(Rank::Key).flatten().copied().collect();
    let mut left: Vec<&Vec<usize>> = of(Rank::Main).chain(of(Rank::Other)).collect();
    let mut parts = Vec::new();
    while !left.is_empty() || parts.is_empty() {
        let mut taken = keys.clone();
        let mut rest = Vec::new();
        for group in left {
            let with = line_width(taken.iter().chain(group).map(|&i| natural(i)));
            // What follows one that found no room waits too, but for what matters most.
            let in_turn = rest.is_empty() || rank(group) == Rank::Main;
            if taken.len() == keys.len() || (with <= width && in_turn) {
                taken.extend(group);
            } else {
                rest.push(group);
            }
        }
        left = rest;
        taken.sort_unstable();
        let signed = |&i: &usize| natural(i) as isize * table.columns[i].width.signum();
        parts.push(Part { widths: taken.iter().map(signed).collect(), columns: taken });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cell;
    use crate::document::Column;

    /// Columns a (key), b, c (main), d, each four wide with its row.
    fn table() -> (Table, Row) {
        let column = |name: &str, rank| {
            Column::for_people(name, if rank == Rank::Key { -4 } else { -20 }).ranked(rank)
        };
        let ranks = [("a", Rank::Key), ("b", Rank::Other), ("c", Rank::Main), ("d", Rank::Other)];
        let columns = ranks.map(|(name, rank)| column(name, rank)).into();
        let row = ["aaaa", "bbbb", "cccc", "dddd"].map(Cell::from).to_vec();
        (Table { columns, ..Table::default() }, row.into())
    }

    #[test]
    fn each_part_has_the_keys_and_nothing_is_lost() {
        let (table, row) = table();
        let at = |width| -> Vec<Vec<usize>> {
            let parts = parts(&table, std::slice::from_ref(&row), width);
            parts.into_iter().map(|part| part.columns).collect()
        };
        assert_eq!(at(29), [vec![0, 1, 2, 3]], "as wide as what stands in them");
        assert_eq!(at(28), [vec![0, 1, 2], vec![0, 3]]);
        assert_eq!(at(15), [vec![0, 2], vec![0, 1], vec![0, 3]], "what matters most stands first");
        assert_eq!(at(1), at(15), "no part is without a value");
        let mut joined = table.clone();
        joined.columns[3].joined = true;
        joined.columns[2].rank = Rank::Other;
        let parts = parts(&joined, std::slice::from_ref(&row), 22);
        let parts: Vec<_> = parts.into_iter().map(|part| part.columns).collect();
        assert_eq!(parts, [vec![0, 1], vec![0, 2, 3]], "ends of an interval stand together");
        assert_eq!(width(&table), 3 * 23 + 7 + 1);
        let rest = parts_beside(&table, std::slice::from_ref(&row), 99, &[0, 2]);
        let rest: Vec<_> = rest.into_iter().map(|part| part.columns).collect();
        assert_eq!(rest, [vec![0, 1, 3]]);
        assert!(parts_beside(&table, &[], 99, &[0, 1, 2, 3]).is_empty(), "nothing is left");
    }
}
