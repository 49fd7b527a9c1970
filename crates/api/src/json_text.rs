//! JSON text as Jackson (the Java operator's JSON library) writes it: no spaces, floating numbers as
//! `Double.toString`, control characters with upper-case hexadecimal digits.

use std::io;

use serde::Serialize;
use serde_json::{
    Number, Value,
    ser::{CharEscape, Formatter, Serializer},
};

/// Writes a JSON tree as Jackson does.
pub(crate) fn write(value: &Value) -> String {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Jackson);
    // A tree has text keys only and a vector takes every write, so there is no error to report; were
    // there one, what was written so far would not decode and be noticed.
    let _complete = value.serialize(&mut serializer).is_ok();
    String::from_utf8_lossy(&text).into_owned()
}

/// Text of a JSON number as Java prints it.
pub(crate) fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => double_text(float),
        Some(_) | None => number.to_string(),
    }
}

/// `Double.toString`: plain decimals from 10⁻³ up to 10⁷, else `<digit>.<digits>E<exponent>`; always with a
/// fraction.
fn double_text(double: f64) -> String {
    let magnitude = double.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{double:?}");
    }
    let text = format!("{double:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        Some(_) | None => text,
    }
}

struct Jackson;

impl Formatter for Jackson {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(double_text(value).as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_as_java_prints_them() {
        for (value, expected) in [
            (json!(1.0), "1.0"),
            (json!(0.2), "0.2"),
            (json!(1e3), "1000.0"),
            (json!(0.001), "0.001"),
            (json!(0.0005), "5.0E-4"),
            (json!(1.25e-5), "1.25E-5"),
            (json!(12_345_678.5), "1.23456785E7"),
            (json!(1e7), "1.0E7"),
            (json!(-1e22), "-1.0E22"),
            (json!(-0.5), "-0.5"),
            (json!(9_007_199_254_740_993_i64), "9007199254740993"),
        ] {
            assert_eq!(write(&value), expected);
        }
    }

    #[test]
    fn strings_as_jackson_escapes_them() {
        assert_eq!(write(&json!("a\"\\/\u{1b}\n\tü\u{7f}")), "\"a\\\"\\\\/\\u001B\\n\\tü\u{7f}\"");
    }
}
