//! What an error answer says, cut to a bearable size and without secrets.

use std::fmt;

use serde::Deserialize;

/// Most characters that are kept of one error answer; the limit of the Java operator's `status.error` fields.
const TEXT_LIMIT: usize = 2048;
/// Most characters of a summary, which ends up in events and conditions.
const SUMMARY_LIMIT: usize = 512;
/// Flink's own list of words that make a configuration key sensitive (`GlobalConfiguration.SENSITIVE_KEYS`).
const SENSITIVE: [&str; 12] = [
    "password",
    "secret",
    "account.key",
    "apikey",
    "api-key",
    "access-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "http-headers",
];
const MASK: &str = "******";

/// The text of an error answer.
///
/// Flink answers errors with `{"errors": [text, …]}`, where a text is usually a whole Java stack trace. Kept are
/// the summary and the beginning of the text; values that look like secrets are masked in both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorText {
    summary: String,
    text: String,
}

#[derive(Deserialize)]
struct FlinkErrors {
    errors: Vec<String>,
}

/// `Status` of the Kubernetes API server, which answers when its service proxy cannot reach the service.
#[derive(Deserialize)]
struct KubernetesStatus {
    kind: String,
    #[serde(default)]
    message: String,
}

/// Who wrote an error answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Flink,
    KubernetesApi,
    Other,
}

impl ErrorText {
    /// Reads an error answer's body. `Author::Flink` only for Flink's own error form.
    ///
    /// The second value is the whole text, for those who look for the name of an exception in it: the one that
    /// matters often is the innermost of a long chain.
    pub(crate) fn of_answer(body: &[u8]) -> (Author, String) {
        if let Ok(FlinkErrors { errors }) = serde_json::from_slice(body) {
            return (Author::Flink, errors.join("\n"));
        }
        if let Ok(KubernetesStatus { kind, message }) = serde_json::from_slice(body)
            && kind == "Status"
        {
            return (Author::KubernetesApi, message);
        }
        (Author::Other, String::from_utf8_lossy(body).into_owned())
    }

    /// Takes any text: cuts it, masks secrets and finds its summary.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        // Masking comes before cutting, so that a cut cannot separate a secret from the key that betrays it.
        // What is masked is bounded first, because answers may be megabytes.
        let bounded = cut(&without_frames(text), 64 * 1024);
        let clean = redact(&bounded);
        Self { summary: cut(&summary(&clean), SUMMARY_LIMIT), text: cut(clean.trim(), TEXT_LIMIT) }
    }

    /// One line: the first line of the text and, if it names causes, the innermost one.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The beginning of the text without the frames of stack traces, at most 2048 characters, with line breaks.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.summary.is_empty() { "no reason given" } else { &self.summary })
    }
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// Frames say where in Flink's code, which helps nobody who reads a status; the lines between them say what.
fn without_frames(text: &str) -> String {
    let is_frame = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("at ") || (line.starts_with("... ") && line.ends_with(" more"))
    };
    text.lines().filter(|line| !is_frame(line)).collect::<Vec<_>>().join("\n")
}

/// Lines that Flink puts around a stack trace and that say nothing.
fn is_wrapping(line: &str) -> bool {
    line.is_empty()
        || matches!(
            line,
            "Internal server error." | "<Exception on server side:" | "End of exception on server side>"
        )
}

fn summary(text: &str) -> String {
    let strip = |line: &str| line.trim().trim_start_matches("<Exception on server side:").trim().to_owned();
    let first = text.lines().map(strip).find(|line| !is_wrapping(line)).unwrap_or_default();
    let cause = text.lines().filter_map(|line| line.trim().strip_prefix("Caused by: ")).next_back();
    match cause {
        Some(cause) if !first.contains(cause) => format!("{first} -> {}", cause.trim()),
        Some(_) | None => first,
    }
}

/// Masks values of sensitive keys (`key: value`, `key=value`, `"key":"value"`), credentials in addresses and
/// bearer tokens.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            clean.push('\n');
        }
        clean.push_str(&redact_line(line));
    }
    clean
}

fn redact_line(line: &str) -> String {
    let without_credentials = redact_addresses(line);
    let lower = without_credentials.to_ascii_lowercase();
    if !SENSITIVE.iter().any(|word| lower.contains(word)) && !lower.contains("bearer ") {
        return without_credentials;
    }
    redact_values(&without_credentials)
}

/// `scheme://user:password@host` becomes `scheme://******@host`.
fn redact_addresses(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>,".contains(c)).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                clean.push_str(MASK);
                clean.push('@');
                clean.push_str(host);
            }
            None => clean.push_str(authority),
        }
        rest = tail;
    }
    clean.push_str(rest);
    clean
}

fn is_key_character(c: char) -> bool {
    c.is_alphanumeric() || "._-".contains(c)
}

/// Walks over the words of a line; a value that follows a sensitive key and a separator is masked up to the
/// next comma, closing quote, bracket or the end of the line.
fn redact_values(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_key_character) {
        let (before, from_key) = rest.split_at(start);
        clean.push_str(before);
        let end = from_key.find(|c| !is_key_character(c)).unwrap_or(from_key.len());
        let (key, after) = from_key.split_at(end);
        clean.push_str(key);
        rest = after;
        let lower = key.to_ascii_lowercase();
        let value_start = if SENSITIVE.iter().any(|word| lower.contains(word)) {
            separator(after)
        } else if lower == "bearer" {
            after.starts_with(' ').then_some(1)
        } else {
            None
        };
        if let Some(at) = value_start {
            let (between, value) = after.split_at(at);
            clean.push_str(between);
            let end = value.find(|c: char| ",;\"'}])".contains(c)).unwrap_or(value.len());
            if end > 0 {
                clean.push_str(MASK);
            }
            rest = value.split_at(end).1;
        }
    }
    clean.push_str(rest);
    clean
}

/// Length of what separates a key from its value: quotes, blanks and one colon or equals sign.
fn separator(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !"\"':= ".contains(c)).unwrap_or(text.len());
    let between = text.split_at(end).0;
    between.contains([':', '=']).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> (Author, ErrorText) {
        let (author, text) = ErrorText::of_answer(body);
        (author, ErrorText::of_text(&text))
    }

    #[test]
    fn the_summary_is_the_first_line_and_the_innermost_cause() {
        let body = br#"{"errors":["Internal server error.","<Exception on server side:\norg.a.RestHandlerException: Could not run.\n\tat a.b(C.java:1)\nCaused by: x.Y: middle\n\tat q\nCaused by: java.io.IOException: disk full\n\t... 4 more\n\nEnd of exception on server side>"]}"#;
        let (author, text) = read(body);
        assert_eq!(author, Author::Flink);
        assert_eq!(
            text.summary(),
            "org.a.RestHandlerException: Could not run. -> java.io.IOException: disk full"
        );
        assert!(text.text().contains("x.Y: middle") && !text.text().contains("C.java"), "{}", text.text());
    }

    #[test]
    fn other_authors_are_told_apart() {
        let (author, text) =
            read(br#"{"kind":"Status","message":"services \"a-rest\" not found","code":404}"#);
        assert_eq!((author, text.summary()), (Author::KubernetesApi, "services \"a-rest\" not found"));
        let (author, text) = read(b"<html>\nBad gateway");
        assert_eq!((author, text.summary()), (Author::Other, "<html>"));
        assert_eq!(read(b"").1.to_string(), "no reason given");
        assert_eq!(read(&[0xff, 0xfe]).0, Author::Other);
    }

    #[test]
    fn long_texts_are_cut_at_characters() {
        let text = ErrorText::of_text(&"ä".repeat(1_000_000));
        assert_eq!(text.text().chars().count(), TEXT_LIMIT + 1);
        assert_eq!(text.summary().chars().count(), SUMMARY_LIMIT + 1);
    }

    #[test]
    fn secrets_are_masked() {
        for (text, clean) in [
            ("s3.secret-key: abc def", "s3.secret-key: ******"),
            ("with s3.secret-key=abc, parallelism=2", "with s3.secret-key=******, parallelism=2"),
            (r#"{"fs.s3.password":"abc","x":"y"}"#, r#"{"fs.s3.password":"******","x":"y"}"#),
            ("fs.azure.account.key.x.net = abc==", "fs.azure.account.key.x.net = ******"),
            ("GET https://u:p@host/path failed", "GET https://******@host/path failed"),
            ("a://b@c, d://e", "a://******@c, d://e"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ******"),
            ("TokenManager started", "TokenManager started"),
            ("No password given", "No password given"),
            ("plain: value", "plain: value"),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    #[test]
    fn a_cut_never_frees_a_secret() {
        let text = format!("{}\nmy.password: {}", "x".repeat(TEXT_LIMIT - 20), "s".repeat(100));
        let kept = ErrorText::of_text(&text);
        assert!(!kept.text().contains("sss"), "{}", kept.text());
    }
}
