//! Searching the scale of a group of weights: what the quantizers of the block types share.
//!
//! Rounding to the grid that the largest weight spans wastes precision on that one weight. So a few
//! grids around it are tried; for each the weights are rounded, the best scale for these codes
//! follows in closed form (weighted least squares), and the grid with the least weighted error
//! wins. Large weights count more, because their errors are multiplied with activations of any size
//! all the same but are what the model's outliers consist of. The idea, the weightings and the
//! reach of the grids are those of ggml's K-quants (Kawrakow, ggml-org/llama.cpp#1684).
//!
//! Codes are kept as floats: the loops then become plain vector code on every target.

/// Groups whose weights are all smaller than this are stored as zeros: their scale would vanish in
/// half precision.
pub(crate) const TINY: f32 = 1e-15;

/// Nearest integer, ties to even, of a value below 2^22 in magnitude; others give some number,
/// which callers clamp.
#[inline(always)]
pub(crate) fn nearest(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: the sum has no bits left for a fraction
    (x + MAGIC) - MAGIC
}

/// Rounds `x` into `low..=high`; NaN becomes `low`.
#[inline(always)]
pub(crate) fn code(x: f32, low: f32, high: f32) -> f32 {
    let rounded = nearest(x.max(low - 1.0).min(high + 1.0));
    if rounded < low {
        low
    } else if rounded > high {
        high
    } else {
        rounded
    }
}

/// `Σ f(i)` over `0..N` in eight partial sums, which the compiler keeps in vector registers.
#[inline(always)]
pub(crate) fn sum<const N: usize>(f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; 8];
    for chunk in 0..N / 8 {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(chunk * 8 + lane);
        }
    }
    lanes.iter().sum()
}

/// The value of largest magnitude, with its sign.
pub(crate) fn extreme(x: &[f32]) -> f32 {
    x.iter().fold(0.0f32, |m, &v| if v.abs() > m.abs() { v } else { m })
}

/// The scale `d` for which `d * l`, `l` in `-half..half`, comes nearest to the weights, each
/// counting by its square.
///
/// The scale is negative where the extreme weight is positive: the codes reach one step further
/// down than up.
pub(crate) fn symmetric<const N: usize>(x: &[f32; N], half: f32) -> f32 {
    let extreme = extreme(x);
    if extreme.abs() < TINY {
        return 0.0;
    }
    let mut best = (0.0f32, 0.0f32);
    for step in -9..=9 {
        let inverse = -(half + 0.1 * step as f32) / extreme;
        let mut codes = [0.0f32; N];
        for (l, &x) in codes.iter_mut().zip(x) {
            *l = code(x * inverse, -half, half - 1.0);
        }
        better(&mut best, x, &codes);
    }
    best.1
}

/// Replaces `best` (explained energy, scale) if `codes` explain more of the weights than it does.
#[inline(always)]
pub(crate) fn better<const N: usize>(best: &mut (f32, f32), x: &[f32; N], codes: &[f32; N]) {
    let along = sum::<N>(|i| x[i] * x[i] * x[i] * codes[i]);
    let square = sum::<N>(|i| x[i] * x[i] * codes[i] * codes[i]);
    // The error that remains with the best scale is Σwx² - along² / square.
    if square > 0.0 && along * along > best.0 * square {
        *best = (along * along / square, along / square);
    }
}

/// Grids that [`affine`] tries: the span of the weights is divided into `levels + from`, then 0.1
/// more, `steps` times.
pub(crate) struct Grid {
    pub levels: f32,
    pub from: f32,
    pub steps: u32,
}

/// Scale `d` and minimum `m`, both not negative, for which `d * l - m`, `l` in `0..=levels`, comes
/// nearest to `x` by the squared error with `weights`.
pub(crate) fn affine<const N: usize>(x: &[f32; N], weights: &[f32; N], grid: &Grid) -> (f32, f32) {
    let low = x.iter().copied().fold(0.0f32, f32::min);
    let high = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let levels = grid.levels;
    if high - low < TINY {
        return (0.0, -low);
    }
    let (sum_w, sum_x) = (sum::<N>(|i| weights[i]), sum::<N>(|i| weights[i] * x[i]));
    let plain = (high - low) / levels;
    let mut best = (f32::INFINITY, plain, low);
    for step in 0..=grid.steps {
        let inverse = (levels + grid.from + 0.1 * step as f32) / (high - low);
        let mut codes = [0.0f32; N];
        for (l, &x) in codes.iter_mut().zip(x) {
            *l = code((x - low) * inverse, 0.0, levels);
        }
        let sum_l = sum::<N>(|i| weights[i] * codes[i]);
        let sum_ll = sum::<N>(|i| weights[i] * codes[i] * codes[i]);
        let sum_lx = sum::<N>(|i| weights[i] * codes[i] * x[i]);
        let determinant = sum_w * sum_ll - sum_l * sum_l;
        if determinant <= 0.0 {
            continue;
        }
        let mut scale = (sum_w * sum_lx - sum_x * sum_l) / determinant;
        let mut min = (sum_ll * sum_x - sum_l * sum_lx) / determinant;
        if min > 0.0 {
            (scale, min) = (sum_lx / sum_ll, 0.0);
        }
        let error = sum::<N>(|i| {
            let e = scale * codes[i] + min - x[i];
            weights[i] * e * e
        });
        if error < best.0 {
            best = (error, scale, min);
        }
    }
    (best.1.max(0.0), -best.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_that_fit_exactly_are_found() {
        let x: [f32; 16] = std::array::from_fn(|i| (i as f32 - 8.0) * 0.25);
        assert!((symmetric(&x, 8.0) - 0.25).abs() < 1e-6);
        let x: [f32; 16] = std::array::from_fn(|i| i as f32 * 0.5 - 3.0);
        let (d, m) = affine(&x, &[1.0; 16], &Grid { levels: 15.0, from: -1.0, steps: 20 });
        assert!((d - 0.5).abs() < 1e-6 && (m - 3.0).abs() < 1e-5, "{d} {m}");
    }

    #[test]
    fn codes_stay_in_range_for_any_float() {
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 2.5, 0.0] {
            assert!((-4.0..=3.0).contains(&code(x, -4.0, 3.0)), "{x}");
        }
        assert_eq!((nearest(2.5), nearest(-1.2), nearest(3.7)), (2.0, -1.0, 4.0));
    }
}
