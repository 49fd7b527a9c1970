//! Kubernetes quantities (`500m`, `2Gi`, `1e3`), compared by value.

/// A Kubernetes quantity as an exact number of billionths, the finest unit Kubernetes knows. Finer
/// fractions are rounded up, as the API server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nanos: i128,
}

const NANOS: i128 = 1_000_000_000;

impl Quantity {
    /// Parses a quantity: an optional sign, a decimal number, and one of `n u m k M G T P E`,
    /// `Ki Mi Gi Ti Pi Ei`, or an exponent (`e3`, `E3`). `None` for anything else and for numbers out
    /// of range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let mantissa: i128 = format!("0{whole}{fraction}").parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()?;
        let (binary, decimal) = suffix_factor(suffix)?;
        // value = mantissa * binary * 10^(decimal - scale), in billionths
        let scaled = mantissa.checked_mul(binary)?;
        let exponent = decimal.checked_sub(scale)?.checked_add(9)?;
        let nanos = if exponent >= 0 {
            if scaled == 0 { 0 } else { scaled.checked_mul(power_of_ten(exponent.unsigned_abs())?)? }
        } else {
            match power_of_ten(exponent.unsigned_abs()) {
                Some(divisor) => scaled / divisor + i128::from(scaled % divisor != 0),
                None => i128::from(scaled != 0),
            }
        };
        Some(Self { nanos: if negative { -nanos } else { nanos } })
    }

    /// The value if it is a whole number.
    #[must_use]
    pub fn to_integer(self) -> Option<i128> {
        (self.nanos % NANOS == 0).then_some(self.nanos / NANOS)
    }

    /// The nearest 64-bit floating point number.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let magnitude = self.nanos.unsigned_abs();
        let nanos = NANOS.unsigned_abs();
        // Through decimal text, because dividing two rounded numbers would round twice.
        format!("{sign}{}.{:09}", magnitude / nanos, magnitude % nanos).parse().unwrap_or(f64::NAN)
    }

    /// True for values above zero.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.nanos > 0
    }

    /// True for values below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }
}

/// `(binary factor, decimal exponent)` of a suffix.
fn suffix_factor(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" | "K" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            if !exponent.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            (1, exponent.parse().ok()?)
        }
    })
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_value() {
        for (a, b) in [
            ("1", "1000m"),
            ("2Gi", "2048Mi"),
            ("1e3", "1k"),
            ("0.5", "500m"),
            ("1.0", "1"),
            ("+2", "2"),
            (".5", "0.5"),
        ] {
            assert_eq!(Quantity::parse(a), Quantity::parse(b), "{a} {b}");
            assert!(Quantity::parse(a).is_some(), "{a}");
        }
        assert!(Quantity::parse("2048m") < Quantity::parse("4Gi"));
        assert_eq!(Quantity::parse("0.0000000001"), Quantity::parse("1n"));
        for text in ["", "Gi", "1x", "1.2.3", ".", "1e", "1e+", "--1", "1 Gi", "9e99"] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn numbers() {
        let number = |text| Quantity::parse(text).map(Quantity::to_f64);
        assert_eq!(number("500m"), Some(0.5));
        assert_eq!(number("-1"), Some(-1.0));
        assert_eq!(number("100m"), Some(0.1));
        assert_eq!(Quantity::parse("1.5").and_then(Quantity::to_integer), None);
        assert_eq!(Quantity::parse("1.5Gi").and_then(Quantity::to_integer), Some(1_610_612_736));
    }
}
