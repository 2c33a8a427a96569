//! Names of hosts, in one spelling: as they go over the wire (RFC 1035, RFC 5891), lower-case and
//! without the last dot. Names of other scripts are `xn--` there.

use std::collections::HashSet;
use std::rc::Rc;

use crate::event::Text;

/// A name in a message. Nothing is converted: what is not ASCII on the wire is no other name's
/// spelling, however it looks.
pub fn from_wire(name: &Text) -> Rc<str> {
    let mut name = name.escaped();
    name.make_ascii_lowercase();
    name.strip_suffix('.').unwrap_or(&name).into()
}

/// A name that a person wrote: `Bücher.example.` is `xn--bcher-kva.example`. `None` if it can't be
/// a host's.
pub fn from_person(name: &str) -> Option<String> {
    let name = name.trim_matches('.');
    let name = match name.is_ascii() {
        true => name.to_ascii_lowercase(),
        false => idna::domain_to_ascii(name).ok()?,
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// Domains, each of which means itself and its subdomains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suffixes(HashSet<String>);

impl Suffixes {
    /// Whether a name, spelled as above, is one of them or below one: at the boundary of a label, so
    /// that `evilexample.org` is not below `example.org`.
    pub fn hold(&self, name: &str) -> bool {
        let mut rest = name;
        loop {
            if self.0.contains(rest) {
                return true;
            }
            match rest.split_once('.') {
                Some((_, above)) => rest = above,
                None => return false,
            }
        }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Suffixes {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let names = names.into_iter();
        Self(
            names
                .filter_map(|name| from_person(name.as_ref()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(name: &str) -> bool {
        let suffixes: Suffixes = ["example.org", "Bücher.example"].into_iter().collect();
        suffixes.hold(&from_wire(&name.into()))
    }

    #[test]
    fn a_suffix_means_itself_and_its_subdomains_only() {
        for name in ["example.org", "A.Example.ORG", "a.b.example.org."] {
            assert!(below(name), "{name}");
        }
        for name in [
            "evil-example.org",
            "evilexample.org",
            "example.org.evil.test",
            "example.org..evil.test",
            "org",
            "",
            ".",
        ] {
            assert!(!below(name), "{name}");
        }
    }

    #[test]
    fn a_name_of_another_script_is_compared_as_it_goes_over_the_wire() {
        assert!(below("www.xn--bcher-kva.example"));
        assert!(!below("bücher.example"), "no resolver asks so");
        // A Cyrillic `е`, and fullwidth letters on the wire.
        assert!(!below("xn--xample-2of.org"));
        assert!(!below("ｅxample.org"));
        assert_eq!(
            from_person("BÜCHER.example.").as_deref(),
            Some("xn--bcher-kva.example")
        );
        assert_eq!(from_person("a b"), None);
    }

    #[test]
    fn bytes_that_are_no_text_make_no_other_name() {
        assert_ne!(
            from_wire(&Text::from(&b"a\xff.example"[..])),
            from_wire(&Text::from(&b"a\\xff.example"[..]))
        );
    }
}
