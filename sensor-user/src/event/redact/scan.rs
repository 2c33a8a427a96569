//! Finding the secrets in one text, in one pass.
//!
//! A value ends where a shell would end a word or a quote: what is redacted can't hold a command.

use super::REDACTED;

/// Tokens that are known by how they begin, whatever stands around them; the beginning is kept.
/// What follows it: at least so many bytes of letters, digits and the extra ones.
const TOKENS: &[(&[u8], usize, &[u8])] = &[
    (b"npm_", 30, b""),
    (b"ghp_", 20, b""),
    (b"gho_", 20, b""),
    (b"ghu_", 20, b""),
    (b"ghs_", 20, b""),
    (b"ghr_", 20, b""),
    (b"github_pat_", 20, b"_"),
    (b"glpat-", 16, b"_-"),
    (b"pypi-AgE", 16, b"_-"),
    (b"AKIA", 16, b""),
    (b"ASIA", 16, b""),
    (b"hf_", 30, b""),
    (b"dckr_pat_", 20, b"_-"),
    (b"sk-ant-", 20, b"_-"),
    (b"sk-proj-", 20, b"_-"),
    (b"sk_live_", 16, b""),
    (b"xoxb-", 20, b"-"),
    (b"xoxp-", 20, b"-"),
    (b"xoxa-", 20, b"-"),
    (b"AIza", 35, b"_-"),
];

/// How the names of secrets end, in lower case and without `_` and `-`.
const KEYS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"passphrase",
    b"token",
    b"secret",
    b"apikey",
    b"accesskey",
    b"secretkey",
    b"privatekey",
    b"authorization",
    b"signature",
];

/// Words before the secret of an `Authorization` header; they stay.
const SCHEMES: &[&[u8]] = &[b"basic", b"bearer", b"token", b"digest", b"negotiate"];

/// The longest part of a name that is looked at.
const KEY_LENGTH: usize = 64;
/// A `Bearer` outside a header is a word like any other unless something long follows.
const BEARER_LENGTH: usize = 20;

/// The text without its secrets; `None` when it holds none.
pub(super) fn clean(input: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    // Input up to here is in `out`.
    let mut copied = 0;
    // Up to here a search for an end has looked already: it is not repeated.
    let (mut no_value, mut no_authority) = (0, 0);
    let mut at = 0;
    while at < input.len() {
        let secret = match input[at] {
            b'=' | b':' if at >= no_value => match value(input, at) {
                Found::Secret(start, end) => Some((start, end)),
                Found::None(until) => {
                    no_value = until;
                    None
                }
            },
            b'/' if at >= no_authority && input[at..].starts_with(b"//") => {
                match credentials(input, at) {
                    Found::Secret(start, end) => Some((start, end)),
                    Found::None(until) => {
                        no_authority = until;
                        None
                    }
                }
            }
            byte if byte.is_ascii_alphabetic() && starts_word(input, at) => {
                token(input, at).or_else(|| bearer(input, at))
            }
            _ => None,
        };
        match secret {
            Some((start, end)) => {
                out.extend_from_slice(&input[copied..start]);
                out.extend_from_slice(REDACTED.as_bytes());
                copied = end;
                at = end;
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&input[copied..]);
    Some(out)
}

/// Where a secret begins and ends, or how far there is none to be found again.
enum Found {
    Secret(usize, usize),
    None(usize),
}

/// `key=value`, `key: value`, `"key": "value"`, with the separator at `at`.
fn value(input: &[u8], at: usize) -> Found {
    let quoted = at > 0 && is_quote(input[at - 1]);
    let mut key_end = at - usize::from(quoted);
    if quoted && key_end > 0 && input[key_end - 1] == b'\\' {
        key_end -= 1;
    }
    let Some(key) = secret_key(&input[..key_end]) else {
        return Found::None(at);
    };
    let mut start = at + 1;
    if input[at] == b':' {
        start += run(&input[start..], |b| b == b' ');
        // `secret:8080` is a host and a port.
        if start == at + 1 && !quoted {
            return Found::None(at);
        }
    }
    start += run(&input[start..], |b| b == b'\\').min(1);
    if input.get(start).is_some_and(|&b| is_quote(b)) {
        start += 1;
    }
    if key.ends_with(b"authorization") {
        let word = run(&input[start..], |b| b.is_ascii_alphabetic());
        let scheme = input[start..start + word].to_ascii_lowercase();
        let gap = run(&input[start + word..], |b| b == b' ');
        if gap > 0 && SCHEMES.contains(&scheme.as_slice()) {
            start += word + gap;
        }
    }
    let length = run(&input[start..], |b| !ends_value(b));
    let mut end = start + length;
    // `\"` ends what began with `\"`.
    if input[start..end].ends_with(b"\\") && input.get(end).is_some_and(|&b| is_quote(b)) {
        end -= 1;
    }
    // A variable's name, a comparison, a call: not the secret itself.
    let other = end == start
        || matches!(input[start], b'$' | b'=' | b':')
        || input.get(end).is_some_and(|&b| b == b'(');
    if other {
        Found::None(end)
    } else {
        Found::Secret(start, end)
    }
}

/// The name that ends the text, lower case and without `_` and `-`, if it is a secret's.
fn secret_key(before: &[u8]) -> Option<Vec<u8>> {
    let key = before.rsplit(|&b| !is_key(b)).next()?;
    let key = &key[key.len().saturating_sub(KEY_LENGTH)..];
    let plain: Vec<u8> = key
        .iter()
        .filter(|b| !matches!(b, b'_' | b'-'))
        .map(u8::to_ascii_lowercase)
        .collect();
    (KEYS.iter().any(|name| plain.ends_with(name)) || key.ends_with(b"_auth")).then_some(plain)
}

/// `//user:password@host`, with the slashes at `at`. Without a password the user of a web address
/// is a token.
fn credentials(input: &[u8], at: usize) -> Found {
    let start = at + 2;
    let end = start
        + run(&input[start..], |b| {
            !ends_value(b) && !b"/?#\\".contains(&b)
        });
    let authority = &input[start..end];
    let Some(user_end) = authority.iter().rposition(|&b| b == b'@') else {
        return Found::None(end);
    };
    let user = &authority[..user_end];
    match user.iter().position(|&b| b == b':') {
        Some(colon) if colon + 1 < user_end => Found::Secret(start + colon + 1, start + user_end),
        None if user_end > 0 && is_web(&input[..at]) => Found::Secret(start, start + user_end),
        _ => Found::None(end),
    }
}

fn is_web(before: &[u8]) -> bool {
    before.ends_with(b"http:") || before.ends_with(b"https:")
}

fn token(input: &[u8], at: usize) -> Option<(usize, usize)> {
    TOKENS.iter().find_map(|(prefix, least, extra)| {
        if prefix[0] != input[at] {
            return None;
        }
        let rest = input[at..].strip_prefix(*prefix)?;
        let length = run(rest, |b| b.is_ascii_alphanumeric() || extra.contains(&b));
        let start = at + prefix.len();
        (length >= *least).then_some((start, start + length))
    })
}

fn bearer(input: &[u8], at: usize) -> Option<(usize, usize)> {
    const WORD: &[u8] = b"bearer ";
    let word = input.get(at..at + WORD.len())?;
    if !word.eq_ignore_ascii_case(WORD) {
        return None;
    }
    let start = at + WORD.len();
    let length = run(&input[start..], |b| {
        b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b)
    });
    (length >= BEARER_LENGTH && input[start] != b'/').then_some((start, start + length))
}

/// Whether this argument says that the next one is a secret. `program` is the name it was started by.
pub(super) fn takes_secret(arg: &[u8], program: &[u8]) -> bool {
    if arg.contains(&b'=') || arg.len() > 4 * KEY_LENGTH {
        return false;
    }
    if let [b'-', letter] = arg {
        return match program {
            b"sshpass" | b"twine" | b"mongo" | b"mongosh" => *letter == b'p',
            b"redis-cli" => *letter == b'a',
            b"ldapsearch" | b"ldapmodify" => *letter == b'w',
            b"zip" | b"unzip" => *letter == b'P',
            _ => false,
        };
    }
    let option = arg.starts_with(b"-");
    secret_key(arg).is_some_and(|key| {
        // A bare word may be a command (`npm token create`): only names that can't be one.
        option || key.ends_with(b"authtoken") || key.ends_with(b"secretaccesskey")
    })
}

/// Whether this argument says that the next one is `user:password`.
pub(super) fn takes_login(arg: &[u8], program: &[u8]) -> bool {
    program == b"curl" && matches!(arg, b"-u" | b"-U" | b"--user" | b"--proxy-user")
}

/// Where the secret begins in an option that runs into its value: `mysql -psecret`.
pub(super) fn attached(arg: &[u8], program: &[u8]) -> Option<usize> {
    let flag: &[u8] = match program {
        b"mysql" | b"mysqldump" | b"mysqladmin" | b"mariadb" | b"sshpass" | b"7z" => b"-p",
        _ => return None,
    };
    (arg.len() > flag.len() && arg.starts_with(flag)).then_some(flag.len())
}

/// Whether this argument can be an option's value, not the next option or, in the arguments of
/// inline code, a piece of code.
pub(super) fn is_value(arg: &[u8], inline_code: bool) -> bool {
    !arg.is_empty()
        && !arg.starts_with(b"-")
        && !arg.starts_with(b"$")
        && !(inline_code && arg.iter().any(|&b| ends_value(b) || b == b'$'))
}

fn starts_word(input: &[u8], at: usize) -> bool {
    at == 0 || !(input[at - 1].is_ascii_alphanumeric() || input[at - 1] == b'_')
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

fn ends_value(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || b"\"'`;|&<>(){}".contains(&byte)
}

fn run(input: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    input.iter().position(|&b| !holds(b)).unwrap_or(input.len())
}
