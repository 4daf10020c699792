//! How often intervals hold the truth.

use crate::draw::{
    Draw, MORE_SKEWED, MOST_SKEWED, NORMAL, Noise, Population, SKEWED, TWO_PEAKS, UNEVEN_PEAKS,
};
use crate::{QUICK, THOROUGH, percent, share};
use pacemark_record::stats::{
    CONFIDENCE, Interval, block_interval, mean_interval, quantile_interval, share_interval,
};

const fn holds(interval: &Interval, truth: f64) -> bool {
    interval.low <= truth && truth <= interval.high
}

fn of_the_mean(population: Population, n: usize, repetitions: usize) -> f64 {
    let truth = (population.mean)();
    share(repetitions, |draw| {
        let interval = mean_interval(&draw.list(n, population.one), CONFIDENCE).unwrap();
        holds(&interval, truth)
    })
}

fn means(n: usize, populations: &[Population], repetitions: usize) {
    for population in populations {
        let found = of_the_mean(*population, n, repetitions);
        assert!((0.93..=0.97).contains(&found), "{}, n {n}: {}", population.name, percent(found));
    }
}

#[test]
fn means_of_five() {
    means(5, &[NORMAL, SKEWED, TWO_PEAKS], QUICK);
}

#[test]
fn means_of_ten() {
    means(10, &[NORMAL, SKEWED, TWO_PEAKS], QUICK);
}

#[test]
fn means_of_thirty() {
    means(30, &[MORE_SKEWED, TWO_PEAKS, UNEVEN_PEAKS], QUICK);
}

/// Whatever is skewed, from so many on. Resampling three hundred takes its time.
#[test]
fn means_of_three_hundred() {
    means(300, &[MOST_SKEWED], QUICK / 2);
}

#[test]
#[ignore = "minutes: for the documentation"]
fn table_of_means() {
    const N: [usize; 6] = [5, 10, 15, 30, 100, 300];
    println!("| mean of | {} |", N.map(|n| n.to_string()).join(" | "));
    let populations = [NORMAL, SKEWED, MORE_SKEWED, MOST_SKEWED, TWO_PEAKS, UNEVEN_PEAKS];
    for population in populations {
        let of = |n: usize| of_the_mean(population, n, if n < 100 { THOROUGH } else { QUICK });
        let found = N.map(|n| percent(of(n)));
        println!("| {} | {} |", population.name, found.join(" | "));
    }
}

/// Ranks do not depend on the distribution. They are whole numbers, so that an interval of few
/// values holds the quantile more often than it says: up to 98 % for the median of ten.
#[test]
fn quantiles() {
    // Of the standard normal: R 4.5, qnorm(c(0.9, 0.99)).
    let z = |p: f64| match p {
        0.5 => 0.0,
        0.9 => 1.281_551_565_544_6,
        _ => 2.326_347_874_040_8,
    };
    for (n, p, most) in
        [(6, 0.5, 0.98), (10, 0.5, 0.985), (30, 0.5, 0.97), (30, 0.9, 0.97), (300, 0.99, 0.97)]
    {
        for scale in [0.25, 1.0] {
            let found = share(4 * QUICK, |draw| {
                let mut sample = draw.list(n, |draw| (scale * draw.normal()).exp());
                sample.sort_by(f64::total_cmp);
                let (low, high) = quantile_interval(&sample, p, CONFIDENCE).unwrap();
                holds(&Interval { low, high }, (scale * z(p)).exp())
            });
            assert!((0.94..=most).contains(&found), "p{p} of {n}: {}", percent(found));
        }
    }
}

/// Exactly, for all counts that can come: the mean over shares from 5 to 95 %.
#[test]
fn shares() {
    for n in [10, 30, 100, 300] {
        let covered = |p: f64| {
            // Logarithms of the binomial's terms: the first ones have no place in a float.
            let mut ln_term = n as f64 * (1.0 - p).ln();
            let mut sum = 0.0;
            for k in 0..=n {
                let interval = share_interval(k, n, CONFIDENCE).unwrap();
                sum += if holds(&interval, p) { ln_term.exp() } else { 0.0 };
                ln_term += ((n - k) as f64 / (k + 1) as f64 * p / (1.0 - p)).ln();
            }
            sum
        };
        let all: Vec<f64> = (5..=95).map(|percent| covered(f64::from(percent) / 100.0)).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        println!("share of {n}: mean {}", percent(mean));
        assert!((0.94..=0.965).contains(&mean), "{n}: {}", percent(mean));
    }
}

/// Four streams of requests one after the other, each with the same number of tokens in a time that
/// differs: tokens by slice, and their mean.
fn load(draw: &mut Draw, slices: usize, of_a_request: f64) -> Vec<f64> {
    let mut tokens = vec![0.0; slices];
    for _ in 0..4 {
        let mut at = -3.0 * of_a_request * draw.uniform();
        while at < slices as f64 {
            let time = of_a_request * (0.3 * draw.normal() - 0.045).exp();
            for (slice, tokens) in tokens.iter_mut().enumerate() {
                let (from, to) = (at.max(slice as f64), (at + time).min(slice as f64 + 1.0));
                *tokens += (to - from).max(0.0) / time;
            }
            at += time;
        }
    }
    tokens
}

/// The rate of the steady window: slices of a load, and any noise that lasts as long as a request.
fn of_a_rate(of_a_request: usize, repetitions: usize) -> [f64; 2] {
    const SLICES: usize = 60;
    let block = (2 * of_a_request).max(4);
    let truth = 4.0 / of_a_request as f64;
    let loads = share(repetitions, |draw| {
        let series = load(draw, SLICES, of_a_request as f64);
        holds(&block_interval(&series, block, CONFIDENCE).unwrap(), truth)
    });
    let fading = (-2.0 / of_a_request as f64).exp();
    let noise = share(repetitions, |draw| {
        let series = Noise::Fading(fading).of(draw, SLICES, 1.0);
        holds(&block_interval(&series, block, CONFIDENCE).unwrap(), 0.0)
    });
    [loads, noise]
}

#[test]
fn rates_over_time() {
    for of_a_request in [1, 2, 4, 6] {
        for found in of_a_rate(of_a_request, QUICK) {
            assert!((0.92..=0.975).contains(&found), "{of_a_request}: {}", percent(found));
        }
    }
    assert_eq!(block_interval(&[1.0; 60], 20, CONFIDENCE), None, "three blocks are too few");
}

#[test]
#[ignore = "for the documentation"]
fn table_of_rates() {
    for of_a_request in [1, 2, 4, 6] {
        let found = of_a_rate(of_a_request, THOROUGH).map(percent);
        println!("| requests of {of_a_request} slices | {} |", found.join(" | "));
    }
}
