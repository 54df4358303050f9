//! What quotes: in commands, before comments, and up to where.

/// Split a command as a shell would, without expanding anything: blanks separate, `'…'` and `"…"` keep
/// together, `\` takes the next character as it is (within `'…'` it does not) unless it is one of C's escapes:
/// `\t`, `\x41`, `\101`. Linear, never fails: a quote that is not closed runs to the end.
#[must_use]
pub(in crate::config) fn split_command(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().push(escaped(&mut chars)),
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_ascii_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What a backslash and the characters after it stand for.
fn escaped(chars: &mut std::str::Chars<'_>) -> char {
    let numeric = |chars: &mut std::str::Chars<'_>, radix: u32, longest: usize| {
        let digits = chars.as_str().chars().take(longest);
        let (len, value) = digits
            .map_while(|c| c.to_digit(radix))
            .fold((0_usize, 0_u32), |(len, value), digit| {
                (len + 1, value * radix + digit)
            });
        let byte = u8::try_from(value).ok().filter(|byte| *byte != 0 && len > 0)?;
        chars.nth(len - 1);
        Some(char::from(byte))
    };
    let whole = chars.clone();
    match chars.next() {
        Some('a') => '\u{7}',
        Some('b') => '\u{8}',
        Some('e') => '\u{1b}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\u{b}',
        Some('x') => numeric(chars, 16, 2).unwrap_or('x'),
        Some('0'..='7') => {
            *chars = whole;
            // A zero ends a string in C: it cannot be part of a command.
            numeric(chars, 8, 3).unwrap_or_else(|| chars.next().unwrap_or('0'))
        }
        Some(c) => c,
        // A backslash at the very end stands for itself.
        None => '\\',
    }
}

/// Where a comment begins, if the line has one: not within quotes, not after a backslash. Of a line that `takes_command`
/// single quotes count too.
pub(in crate::config) fn comment_start(text: &str, takes_command: bool) -> Option<usize> {
    let mut chars = text.char_indices();
    let mut quote = None;
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('\''), '\\') => {}
            (_, '\\') => {
                let mut after = chars.clone();
                if matches!(after.next(), Some((_, '#' | '!' | '"' | '\''))) {
                    chars = after;
                }
            }
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'') if takes_command => quote = Some(c),
            (None, '"') => quote = Some(c),
            (None, '#' | '!') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// The closing `"` of a string: `\"` does not close it unless it is the `last` on the line.
pub(super) fn closing_quote(rest: &str, last: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !escaped || at == last => return Some(at),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}
