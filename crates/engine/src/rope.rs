//! Rotation angles of a batch: computed once per forward pass and kind of layer, not per layer.

use crate::LayerKind;

/// Cosines and sines, `[n_tokens, rope_dim / 2]` each.
#[derive(Default)]
pub(crate) struct RopeAngles {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeAngles {
    /// Angles `position / factor * theta^(-2i / dim)` (Su et al., 2021), each frequency divided by
    /// `freq_factors[i]` where the model brings such (Llama 3's long-context scaling). In f64: f32
    /// loses whole radians at long contexts.
    pub(crate) fn set(
        &mut self,
        kind: &LayerKind,
        dim: usize,
        freq_factors: Option<&[f32]>,
        positions: &[i32],
    ) {
        self.half = dim / 2;
        let frequencies = frequencies(kind, dim, freq_factors);
        self.cos.clear();
        self.sin.clear();
        for &position in positions {
            for frequency in &frequencies {
                let (sin, cos) = (f64::from(position) * frequency).sin_cos();
                self.cos.push(cos as f32);
                self.sin.push(sin as f32);
            }
        }
    }

    /// Cosines and sines of one token.
    pub(crate) fn of(&self, token: usize) -> (&[f32], &[f32]) {
        let range = token * self.half..(token + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }
}

/// The angle of one position, for each pair of dimensions.
pub(crate) fn frequencies(kind: &LayerKind, dim: usize, freq_factors: Option<&[f32]>) -> Vec<f64> {
    let of = |i: usize| {
        let factor = freq_factors.map_or(1.0, |f| f64::from(f[i]));
        f64::from(kind.rope_theta).powf(-2.0 * i as f64 / dim as f64)
            / (factor * f64::from(kind.rope_factor))
    };
    (0..dim / 2).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_by_hand() {
        let kind = LayerKind { window: None, rope_theta: 100.0, rope_factor: 2.0, rotates: true };
        let mut angles = RopeAngles::default();
        angles.set(&kind, 4, Some(&[1.0, 5.0]), &[0, 6]);
        assert_eq!(angles.of(0), (&[1.0, 1.0][..], &[0.0, 0.0][..]));
        let (cos, _) = angles.of(1);
        // 6 / 2 * 100^0, and 6 / 2 * 100^(-1/2) / 5.
        assert!((cos[0] - 3f32.cos()).abs() < 1e-7 && (cos[1] - 0.06f32.cos()).abs() < 1e-7);
    }
}
