//! Numbers as Java prints them, because the Java operator's texts end up in pod specs and ConfigMaps.

/// `Double.toString`: always with a decimal point, scientific from 10⁷ on and below 10⁻³.
///
/// The shortest text that is read back as the number. Where two such texts are equally near (numbers with
/// 17 digits that end in a binary fraction), Java may choose the other one.
#[must_use]
pub fn double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => format!("{mantissa}E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}.0E{exponent}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::double;

    #[test]
    fn as_java() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.5, "0.5"),
            (0.3 * 1.5, "0.44999999999999996"),
            (-1.0, "-1.0"),
            (1e7, "1.0E7"),
            (12_345_678.5, "1.23456785E7"),
            (1e-4, "1.0E-4"),
            (0.001, "0.001"),
            (0.0, "0.0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(double(value), text);
        }
    }
}
