//! Fractions of memory with Flink's rounding.

/// A fraction in `0.0..1.0`, held as Flink computes with it: parsed as 32-bit float, widened to 64 bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fraction(f64);

impl Fraction {
    pub(super) fn new(value: f32) -> Option<Self> {
        (0.0..1.0).contains(&value).then(|| Self(f64::from(value)))
    }

    /// `whole × fraction`, truncated.
    pub(super) fn of(self, whole: u64) -> u64 {
        multiply(whole, self.0)
    }

    /// `rest × fraction / (1 − fraction)`, truncated.
    pub(super) fn added_to(self, rest: u64) -> u64 {
        multiply(rest, self.0 / (1.0 - self.0))
    }
}

/// The exact decimal product of `bytes` and the shortest decimal text of `factor`, truncated.
///
/// Java multiplies as `BigDecimal.valueOf(double)`, which goes through that text; plain floating point
/// multiplication is off by one byte for some fractions.
fn multiply(bytes: u64, factor: f64) -> u64 {
    let text = format!("{factor}");
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let digits = format!("{whole}{decimals}");
    // A shortest text has at most 17 significant digits, so the product fits into 128 bits.
    let mantissa: u128 = digits.trim_start_matches('0').parse().unwrap_or(0);
    let scale = u32::try_from(decimals.len()).unwrap_or(u32::MAX);
    let product = u128::from(bytes).saturating_mul(mantissa);
    10_u128.checked_pow(scale).map_or(0, |divisor| u64::try_from(product / divisor).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_java() {
        // 0.1f is 0.10000000149011612 when widened.
        assert_eq!(Fraction::new(0.1).map(|f| f.of(2_147_483_648)), Some(214_748_368));
        assert_eq!(Fraction::new(0.1).map(|f| f.of(3_221_225_472)), Some(322_122_552));
        assert_eq!(Fraction::new(0.0).map(|f| f.of(u64::MAX)), Some(0));
        assert_eq!(Fraction::new(1e-38).map(|f| f.of(1 << 40)), Some(0));
        assert_eq!(Fraction::new(0.1).map(|f| f.added_to((4 << 30) + (256 << 20))), Some(507_044_758));
        for bad in [1.0, -0.1, f32::NAN, f32::INFINITY] {
            assert!(Fraction::new(bad).is_none());
        }
    }
}
