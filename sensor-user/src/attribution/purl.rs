//! Package URLs (purl-spec, types `npm` and `pypi`).

use std::fmt::Write;

use super::Ecosystem;

/// `pkg:npm/%40scope/name@1.0`, `pkg:pypi/name@1`
pub(super) fn purl(ecosystem: Ecosystem, name: &str, version: Option<&str>) -> String {
    let mut out = format!("pkg:{}/", ecosystem.name());
    match ecosystem {
        Ecosystem::Npm => {
            let name = name.to_lowercase();
            match name.split_once('/') {
                Some((scope, base)) => {
                    encode(&mut out, scope);
                    out.push('/');
                    encode(&mut out, base);
                }
                None => encode(&mut out, &name),
            }
        }
        Ecosystem::Pypi => encode(&mut out, &normalised(name)),
    }
    if let Some(version) = version {
        out.push('@');
        encode(&mut out, version);
    }
    out
}

/// A Python project's name as its index compares it (PEP 503): lower case, runs of `-_.` as one `-`.
pub(super) fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut separated = false;
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            separated = true;
            continue;
        }
        if separated {
            out.push('-');
            separated = false;
        }
        out.extend(c.to_lowercase());
    }
    if separated {
        out.push('-');
    }
    out
}

fn encode(out: &mut String, part: &str) {
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                out.push(byte as char);
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_follow_the_rules_of_their_type() {
        assert_eq!(
            purl(Ecosystem::Npm, "@Scope/name", Some("1.0.0+build")),
            "pkg:npm/%40scope/name@1.0.0%2Bbuild"
        );
        assert_eq!(
            purl(Ecosystem::Pypi, "Foo_Bar..baz", Some("1")),
            "pkg:pypi/foo-bar-baz@1"
        );
        assert_eq!(purl(Ecosystem::Npm, "left-pad", None), "pkg:npm/left-pad");
    }
}
