//! The chain of causes in a Java stack trace.

/// Class, and `class: message`, of each level of a stack trace as `Throwable.printStackTrace` writes it, outermost
/// first. Suppressed exceptions are left out.
pub(super) fn causes(stack_trace: &str) -> Vec<(String, String)> {
    let mut causes: Vec<Vec<&str>> = Vec::new();
    let mut in_message = true;
    for line in stack_trace.lines() {
        if let Some(cause) = line.strip_prefix("Caused by: ") {
            causes.push(vec![cause]);
            in_message = true;
        } else if is_frame(line) {
            in_message = false;
        } else if in_message {
            match causes.last_mut() {
                Some(lines) => lines.push(line),
                None => causes.push(vec![line]),
            }
        }
    }
    causes
        .into_iter()
        .map(|lines| lines.join("\n").trim().to_owned())
        .map(|text| (class(&text), text))
        .collect()
}

/// A message may have many lines; the frames after it begin with a tab.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    text.len() < line.len()
        && (text.starts_with("at ") || text.starts_with("... ") || text.starts_with("Suppressed: "))
}

fn class(text: &str) -> String {
    let first = text.split([':', '\n']).next().unwrap_or_default();
    first.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_has_its_class_and_its_whole_message() {
        let trace = "org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy\n\
            \tat org.apache.flink.A.a(A.java:1)\n\
            \tSuppressed: java.io.IOException: closing\n\
            \t\tat org.apache.flink.B.b(B.java:2)\n\
            \t\t... 2 more\n\
            Caused by: java.lang.IllegalStateException: first line\nsecond line\n\
            \tat org.apache.flink.C.c(C.java:3)\n\
            \t... 4 more\n\
            Caused by: java.lang.NullPointerException\n\
            \t... 5 more\n";
        let expected = [
            (
                "org.apache.flink.runtime.JobException",
                "org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy",
            ),
            ("java.lang.IllegalStateException", "java.lang.IllegalStateException: first line\nsecond line"),
            ("java.lang.NullPointerException", "java.lang.NullPointerException"),
        ];
        let found = causes(trace);
        let found: Vec<_> = found.iter().map(|(class, text)| (class.as_str(), text.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_trace_of_one_line_or_none() {
        assert_eq!(causes("E: text"), [("E".to_owned(), "E: text".to_owned())]);
        assert!(causes("").is_empty());
    }
}
