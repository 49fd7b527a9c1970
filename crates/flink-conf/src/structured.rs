//! Flink's text form of lists and maps (`StructuredOptionsSplitter`, `ConfigurationUtils`): elements
//! joined by `;`, pairs `key:value` joined by `,`, with single quotes around what would be ambiguous.
//!
//! What the Java operator writes is read back by Flink with two losses: an empty element at either end
//! of a list vanishes, and blanks around an element are trimmed. Such elements are quoted here, which
//! Flink reads; everything else is written exactly as Java does.

/// Joins list elements, quoted where needed, with `;`. An empty list is the empty text.
#[must_use]
pub fn join_list<S: AsRef<str>>(elements: &[S]) -> String {
    let last = elements.len().saturating_sub(1);
    let mut text = String::new();
    for (position, element) in elements.iter().enumerate() {
        if position > 0 {
            text.push(';');
        }
        let element = element.as_ref();
        let vanishes = element.is_empty() && (position == 0 || position == last);
        text.push_str(&quote(element, ';', vanishes || is_trimmed(element)));
    }
    text
}

/// Joins key–value pairs with `,`, in the order given.
#[must_use]
pub fn join_map<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let part = |text: &str| quote(text, ':', text.is_empty() || is_trimmed(text));
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| quote(&format!("{}:{}", part(key), part(value)), ',', false))
        .collect();
    pairs.join(",")
}

fn is_trimmed(text: &str) -> bool {
    let blank = |c: Option<char>| c.is_some_and(|c| c <= ' ' || c.is_whitespace());
    blank(text.chars().next()) || blank(text.chars().next_back())
}

fn quote(text: &str, delimiter: char, force: bool) -> String {
    if force || text.contains([delimiter, '\'', '"']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        text.to_owned()
    }
}

/// Splits a list. `None` if a quoted element is not closed or something other than `;` follows it. Quotes
/// within an unquoted element are part of it.
#[must_use]
pub fn split_list(text: &str) -> Option<Vec<String>> {
    split(text, ';')
}

/// Splits a map into its pairs. `None` if the text is not `key:value,…`, its quoting is broken, or a key
/// stands in it twice.
#[must_use]
pub fn split_map(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in split(text, ',')? {
        let mut parts = split(&pair, ':')?.into_iter();
        let (Some(key), Some(value), None) = (parts.next(), parts.next(), parts.next()) else { return None };
        if pairs.iter().any(|(other, _)| *other == key) {
            return None;
        }
        pairs.push((key, value));
    }
    Some(pairs)
}

enum Token {
    Text(String),
    Delimiter,
}

/// Splits on `delimiter` outside of quotes. Unquoted parts are trimmed; an empty part counts only
/// between two delimiters.
fn split(text: &str, delimiter: char) -> Option<Vec<String>> {
    let tokens = tokenize(text, delimiter)?;
    let mut parts = Vec::new();
    let mut previous: Option<&Token> = None;
    for token in &tokens {
        match (previous, token) {
            (Some(Token::Text(_)), Token::Text(_)) => return None,
            (_, Token::Text(part)) => parts.push(part.clone()),
            (Some(Token::Delimiter), Token::Delimiter) => parts.push(String::new()),
            (_, Token::Delimiter) => {}
        }
        previous = Some(token);
    }
    Some(parts)
}

fn tokenize(text: &str, delimiter: char) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c == '\'' || c == '"' {
            chars.next();
            let mut part = String::new();
            loop {
                let next = chars.next()?;
                if next != c {
                    part.push(next);
                } else if chars.peek() == Some(&c) {
                    chars.next();
                    part.push(c);
                } else {
                    break;
                }
            }
            tokens.push(Token::Text(part));
        } else if c == delimiter {
            chars.next();
            tokens.push(Token::Delimiter);
        } else if c.is_whitespace() {
            chars.next();
        } else {
            let mut part = String::new();
            while let Some(next) = chars.next_if(|next| *next != delimiter) {
                part.push(next);
            }
            tokens.push(Token::Text(part.trim_matches(|c| c <= ' ').to_owned()));
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_as_flink_writes_them() {
        assert_eq!(join_list(&["--in", "a;b", "it's", "x,y", "p q"]), "--in;'a;b';'it''s';x,y;p q");
        assert_eq!(join_list(&["a", "", "b"]), "a;;b");
        assert_eq!(join_list::<&str>(&[]), "");
    }

    #[test]
    fn maps_as_flink_writes_them() {
        assert_eq!(join_map([("k", "v"), ("k2", "v2")]), "k:v,k2:v2");
        assert_eq!(join_map([("k", "v:1,2")]), "'k:''v:1,2'''");
    }

    #[test]
    fn broken_quoting_is_refused() {
        for text in ["'a", "'a'b", "\"x", "'a' 'b'"] {
            assert_eq!(split_list(text), None, "{text}");
        }
        for text in ["a", "a:b:c", "a:b,c", "a:", "a:b,a:c"] {
            assert_eq!(split_map(text), None, "{text}");
        }
        assert_eq!(split_list("a'b;c''"), Some(vec!["a'b".into(), "c''".into()]));
        assert_eq!(split_list("a; b ;\"c;d\""), Some(vec!["a".into(), "b".into(), "c;d".into()]));
        assert_eq!(
            split_map("env:A,secret:s"),
            Some(vec![("env".into(), "A".into()), ("secret".into(), "s".into())])
        );
    }

    proptest! {
        #[test]
        fn lists_come_back(elements in prop::collection::vec("[a-c;:,'\" #\n\\\\é]{0,6}", 0..6)) {
            prop_assert_eq!(split_list(&join_list(&elements)), Some(elements));
        }

        #[test]
        fn maps_come_back(pairs in prop::collection::btree_map("[a-c;:,'\" #\n]{0,5}", "[a-c;:,'\" #\n]{0,5}", 0..5)) {
            let text = join_map(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            prop_assert_eq!(split_map(&text), Some(pairs.into_iter().collect()));
        }
    }
}
