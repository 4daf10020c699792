//! Filters by hand, penalties, seeds.

use super::*;

fn frequencies(config: SamplerConfig, logits: &[f32]) -> Vec<f64> {
    const N: usize = 20_000;
    let mut sampler = Sampler::new(config, &[]);
    let mut counts = vec![0usize; logits.len()];
    for _ in 0..N {
        counts[sampler.draw(logits, false) as usize] += 1;
    }
    counts.into_iter().map(|n| n as f64 / N as f64).collect()
}

fn near(found: &[f64], expected: &[f64]) {
    assert!(
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.02),
        "{found:?} {expected:?}"
    );
}

#[test]
fn filters_by_hand() {
    let logits = [0.1f32.ln(), 0.4f32.ln(), 0.2f32.ln(), 0.3f32.ln()];
    let hot = SamplerConfig { temperature: 1.0, ..SamplerConfig::default() };
    near(&frequencies(hot.clone(), &logits), &[0.1, 0.4, 0.2, 0.3]);
    let top_k = SamplerConfig { top_k: 2, ..hot.clone() };
    near(&frequencies(top_k, &logits), &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
    let top_p = SamplerConfig { top_p: 0.6, ..hot.clone() };
    near(&frequencies(top_p, &logits), &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
    let min_p = SamplerConfig { min_p: 0.45, ..hot.clone() };
    near(&frequencies(min_p, &logits), &[0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]);
    // Entropy 1.28; the information of the four is 2.30, 0.92, 1.61 and 1.20.
    let typical = SamplerConfig { typical_p: 0.45, ..hot.clone() };
    near(&frequencies(typical.clone(), &logits), &[0.0, 0.0, 0.4, 0.6]);
    // Greedy among the typical: the most likely is not one of them.
    assert_eq!(Sampler::new(SamplerConfig { temperature: 0.0, ..typical }, &[]).sample(&logits), 3);
    // Logits -2.30, -0.92, -1.61, -1.20: their standard deviation is 0.52.
    let sigma = SamplerConfig { top_n_sigma: 1.0, ..hot.clone() };
    near(&frequencies(sigma, &logits), &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
    // Three reach 0.2 (just below it, for rounding); the least likely of them stays, and what is
    // below it.
    let xtc = SamplerConfig { xtc_probability: 1.0, xtc_threshold: 0.199, ..hot.clone() };
    near(&frequencies(xtc.clone(), &logits), &[1.0 / 3.0, 0.0, 2.0 / 3.0, 0.0]);
    let half = SamplerConfig { xtc_probability: 0.5, ..xtc };
    near(&frequencies(half, &logits), &[0.05 + 1.0 / 6.0, 0.2, 0.1 + 1.0 / 3.0, 0.15]);
    let cold = SamplerConfig { temperature: 0.5, ..hot };
    near(&frequencies(cold, &logits), &[1.0 / 30.0, 16.0 / 30.0, 4.0 / 30.0, 9.0 / 30.0]);
}

#[test]
fn penalties_act_on_what_they_name() {
    let config = SamplerConfig {
        repetition_penalty: 2.0,
        presence_penalty: 0.5,
        ..SamplerConfig::default()
    };
    // 3 is in the prompt: 4 / 2 = 2 < 2.2. Then 1 is in the output: 2.2 / 2 - 0.5 < 2.
    let mut sampler = Sampler::new(config, &[3]);
    let logits = [0.0, 2.2, 1.0, 4.0];
    assert_eq!(sampler.sample(&logits), 1);
    assert_eq!(sampler.sample(&logits), 3);
}

#[test]
fn greedy_takes_the_first_largest_and_survives_nan() {
    let mut sampler = Sampler::new(SamplerConfig::default(), &[]);
    let mut logits = vec![0.0; 200];
    (logits[70], logits[150], logits[199]) = (5.0, 5.0, f32::NAN);
    assert_eq!(sampler.sample(&logits), 70);
    assert!((sampler.sample(&[f32::NAN; 3]) as usize) < 3);
}

#[test]
fn a_seed_repeats_itself() {
    let config = SamplerConfig { temperature: 1.0, seed: 42, ..SamplerConfig::default() };
    let draw = || {
        let mut sampler = Sampler::new(config.clone(), &[]);
        (0..50).map(|i| sampler.sample(&[0.0, 0.1, i as f32 * 0.01])).collect::<Vec<_>>()
    };
    assert_eq!(draw(), draw());
}

#[test]
fn a_window_bounds_what_repeats() {
    let config = SamplerConfig {
        repetition_penalty: 2.0,
        repetition_window: Some(2),
        ..SamplerConfig::default()
    };
    let logits = [4.0, 3.0, 2.5];
    // 0 is four tokens back. Then 0 and the prompt's last are in the window; then 0 and 1; then 1
    // and 2.
    let mut sampler = Sampler::new(config.clone(), &[0, 1, 2, 2]);
    assert_eq!([(); 4].map(|()| sampler.sample(&logits)), [0, 1, 2, 0]);
    let mut nothing = Sampler::new(SamplerConfig { repetition_window: Some(0), ..config }, &[0, 0]);
    assert_eq!([(); 3].map(|()| nothing.sample(&logits)), [0; 3]);
}
