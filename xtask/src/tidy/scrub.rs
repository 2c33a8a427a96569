//! Rust source with comments and literals told apart from code, line by line: enough of the lexer
//! for a word in a string not to be taken for code.

/// The lines of a file, three times: as they are, only code, only comments.
pub(super) struct Source<'a> {
    pub(super) lines: Vec<&'a str>,
    pub(super) code: Vec<String>,
    pub(super) comments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    /// How deep they are nested.
    BlockComment(u32),
    /// The number of hashes that must follow the closing quote; `None` where escapes count instead.
    Text(Option<usize>),
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Source<'a> {
        let mut source = Source {
            lines: text.lines().collect(),
            code: Vec::new(),
            comments: Vec::new(),
        };
        let mut state = State::Code;
        for line in text.lines() {
            let (mut code, mut comment) = (String::new(), String::new());
            state = scan(line, state, &mut code, &mut comment);
            if state == State::LineComment {
                state = State::Code;
            }
            source.code.push(code);
            source.comments.push(comment);
        }
        source
    }
}

/// Sorts one line's characters; returns the state at its end.
fn scan(line: &str, mut state: State, code: &mut String, comment: &mut String) -> State {
    let mut rest = line;
    while let Some(next) = rest.chars().next() {
        let mut taken = next.len_utf8();
        match state {
            State::Code => {
                if rest.starts_with("//") {
                    state = State::LineComment;
                    continue;
                } else if rest.starts_with("/*") {
                    state = State::BlockComment(1);
                    taken = 2;
                } else if let Some(hashes) = raw_quote(rest, code) {
                    state = State::Text(Some(hashes));
                    taken = hashes + 2;
                } else if next == '"' {
                    state = State::Text(None);
                } else if let Some(length) = character(rest) {
                    taken = length;
                    code.push(' ');
                } else {
                    code.push(next);
                }
            }
            State::LineComment => comment.push(next),
            State::BlockComment(depth) => {
                if rest.starts_with("*/") {
                    taken = 2;
                    state = match depth {
                        1 => State::Code,
                        _ => State::BlockComment(depth - 1),
                    };
                } else if rest.starts_with("/*") {
                    taken = 2;
                    state = State::BlockComment(depth + 1);
                } else {
                    comment.push(next);
                }
            }
            State::Text(None) => match next {
                '\\' => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
                '"' => state = State::Code,
                _ => {}
            },
            State::Text(Some(hashes)) => {
                let closes = next == '"' && rest[1..].starts_with(&"#".repeat(hashes));
                if closes {
                    state = State::Code;
                    taken += hashes;
                }
            }
        }
        rest = &rest[taken..];
    }
    state
}

/// The number of hashes if a raw string (`r"`, `r#"`, …) begins here.
fn raw_quote(rest: &str, code: &str) -> Option<usize> {
    let hashes = rest.strip_prefix('r')?;
    // `br"` and `cr"` begin with a letter of their own; any other name before is not a prefix.
    let before = code.trim_end_matches(['b', 'c']);
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let text = hashes.trim_start_matches('#');
    text.starts_with('"').then_some(hashes.len() - text.len())
}

/// The length of a character literal, if one begins here and not a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if let Some(escaped) = inner.strip_prefix('\\') {
        let skipped = escaped.chars().next()?.len_utf8();
        return Some(2 + skipped + escaped[skipped..].find('\'')? + 1);
    }
    let length = inner.chars().next()?.len_utf8();
    inner[length..].starts_with('\'').then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn code(text: &str) -> String {
        Source::new(text).code.join("\n")
    }

    #[test]
    fn words_in_strings_and_comments_are_not_code() {
        assert_eq!(code("a(\"unsafe \\\" x\"); // unsafe"), "a(); ");
        assert_eq!(code("a /* unsafe /* b */ c\n d */ e"), "a \n e");
        assert_eq!(code("r#\"un\"safe\"# + br\"x\\\" y"), " + b y");
        assert_eq!(code("\"one\ntwo\" three"), "\n three");
    }

    #[test]
    fn a_quote_in_a_character_opens_no_string_and_a_lifetime_is_no_character() {
        assert_eq!(code("'\"' x '\\'' y '\\u{41}' z"), "  x   y   z");
        assert_eq!(code("fn f<'a>(s: &'a str)"), "fn f<'a>(s: &'a str)");
    }

    #[test]
    fn comments_are_kept_apart() {
        assert_eq!(Source::new("a // SAFETY: b").comments, ["// SAFETY: b"]);
    }
}
