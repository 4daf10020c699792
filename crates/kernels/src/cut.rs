//! How the panels of products are cut to tasks of the team: first long runs, because memory is read
//! best in a row, then short ones, so that at the end no thread waits long for another. What a task
//! computes is the business of `matrix.rs`.

use std::ops::Range;

/// The tasks of one product.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    n_panels: usize,
    /// Panels of a long run, of which there are `n_long`.
    long: usize,
    n_long: usize,
}

/// Panels of a short run.
const SHORT: usize = 4;

/// Cuts products that are computed one after the other; only the last of them has to end with many
/// short runs.
pub(crate) fn cut(n_panels: [usize; 4], n_threads: usize) -> [Cut; 4] {
    // More tasks than eight a thread only cost counting.
    let long = (n_panels.iter().sum::<usize>() / (n_threads * 8)).next_multiple_of(4).clamp(4, 64);
    let last = n_panels.iter().rposition(|&n| n > 0);
    std::array::from_fn(|i| {
        // As many panels in short runs as all threads together may lag behind.
        let short = if Some(i) == last { n_threads * long } else { 0 };
        Cut { n_panels: n_panels[i], long, n_long: n_panels[i].saturating_sub(short) / long }
    })
}

impl Cut {
    /// How many they are.
    pub(crate) fn n_tasks(&self) -> usize {
        self.n_long + (self.n_panels - self.n_long * self.long).div_ceil(SHORT)
    }

    /// The panels of one of them.
    pub(crate) fn panels(&self, task: usize) -> Range<usize> {
        if task < self.n_long {
            return task * self.long..(task + 1) * self.long;
        }
        let from = self.n_long * self.long + (task - self.n_long) * SHORT;
        from..(from + SHORT).min(self.n_panels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_is_in_one_task() {
        for n_threads in [1, 2, 3, 16] {
            for products in
                [[1, 0, 0, 0], [36, 12, 12, 0], [192, 192, 0, 0], [9496, 0, 0, 0], [5, 1, 700, 63]]
            {
                let cuts = cut(products, n_threads);
                for (cut, n_panels) in cuts.iter().zip(products) {
                    let tasks: Vec<_> = (0..cut.n_tasks()).map(|task| cut.panels(task)).collect();
                    assert!(
                        tasks.iter().all(|panels| !panels.is_empty()),
                        "{products:?} on {n_threads}: {tasks:?}"
                    );
                    let panels: Vec<usize> = tasks.into_iter().flatten().collect();
                    assert_eq!(
                        panels,
                        (0..n_panels).collect::<Vec<_>>(),
                        "{products:?} on {n_threads}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_last_product_ends_with_short_runs() {
        let [gate, up, ..] = cut([192, 192, 0, 0], 2);
        assert_eq!(
            (gate.panels(gate.n_tasks() - 1).len(), up.panels(up.n_tasks() - 1).len()),
            (24, SHORT)
        );
        assert_eq!((gate.n_tasks(), up.n_tasks()), (8, 6 + 12));
    }
}
