//! An alert in one plain sentence: who did what to what.

use super::escape;
use super::row::{basename, command_line};
use super::schema::{Alert, Destination, EventWord, File, Install, Outcome, Package};

/// Longest command, path or name in a sentence; the whole of it stands in the alert.
const LONGEST: usize = 120;

/// `left-pad@1.3.0 (postinstall) ran `id > /tmp/x` through sh under npm install`. One line,
/// already harmless on a terminal; what hostile code chose stands between backquotes, and a
/// backquote in it is `\x60`.
pub fn sentence(alert: &Alert) -> String {
    let mut sentence = format!("{} {}", who(alert), did(alert));
    if let Some(install) = &alert.install {
        sentence.push_str(" under ");
        sentence.push_str(&verb(install));
    }
    match alert.links.len() {
        0 => {}
        1 => sentence.push_str(", ending a chain of 1 alert"),
        n => sentence.push_str(&format!(", ending a chain of {n} alerts")),
    }
    escape::terminal(&sentence)
}

/// `left-pad@1.3.0`, as a person calls it.
pub fn package_name(package: &Package) -> String {
    match &package.version {
        Some(version) => format!("{}@{version}", package.name),
        None => package.name.clone(),
    }
}

/// `203.0.113.7:4444`, `[2001:db8::1]:443`, or the path of a socket. Absent when nothing is known.
pub fn endpoint(destination: &Destination) -> Option<String> {
    match (&destination.ip, destination.port, &destination.path) {
        (Some(ip), Some(port), _) if ip.contains(':') => Some(format!("[{ip}]:{port}")),
        (Some(ip), Some(port), _) => Some(format!("{ip}:{port}")),
        (Some(ip), None, _) => Some(ip.clone()),
        (None, _, path) => path.clone(),
    }
}

fn who(alert: &Alert) -> String {
    match &alert.package {
        Some(package) => {
            let name = name(&package_name(package));
            match &package.lifecycle {
                Some(lifecycle) => format!("{name} ({})", self::name(lifecycle)),
                None => name,
            }
        }
        // What ran is the object of an exec, so its subject is who started it.
        None if alert.evidence.event == EventWord::Exec => match alert.ancestry.first() {
            Some(parent) => name(basename(&parent.executable)),
            None => "a process".to_owned(),
        },
        None => name(basename(&alert.process.executable)),
    }
}

fn did(alert: &Alert) -> String {
    let file = alert.file.as_ref();
    match alert.evidence.event {
        EventWord::Exec => ran(alert),
        EventWord::Connect => reached(alert, "connected to", "connect to"),
        EventWord::Send => reached(alert, "sent a datagram to", "send a datagram to"),
        EventWord::Listen => format!("listened on {}", target(alert)),
        EventWord::Socket => "made a raw socket".to_owned(),
        EventWord::Dns => format!("looked up {}", target(alert)),
        EventWord::Open => on_file(file, "opened", "open"),
        EventWord::Create => on_file(file, "created", "create"),
        EventWord::Write => on_file(file, "wrote", "write"),
        EventWord::Rename | EventWord::Link if is_source(file) => {
            on_file(file, "gave another name to", "give another name to")
        }
        EventWord::Rename => on_file(file, "renamed a file to", "rename a file to"),
        EventWord::Link => on_file(file, "linked a file as", "link a file as"),
        EventWord::Symlink => on_file(file, "made the symlink", "make the symlink"),
        EventWord::Unlink => on_file(file, "removed", "remove"),
        EventWord::Chmod => {
            let mut did = on_file(file, "changed the mode of", "change the mode of");
            if let Some(mode) = file.and_then(|f| f.mode.as_ref()) {
                did.push_str(&format!(" to {}", self::name(mode)));
            }
            did
        }
        EventWord::IoUring => format!("used io_uring on {}", target(alert)),
    }
}

/// The file is the one that got a new name, not the new name.
fn is_source(file: Option<&File>) -> bool {
    file.is_some_and(|file| file.operation.ends_with("_source"))
}

fn ran(alert: &Alert) -> String {
    let process = &alert.process;
    if let Some((shell, command)) = shell_command(&process.args) {
        return format!("ran {} through {}", quoted(command), name(shell));
    }
    let command = match process.args.as_slice() {
        [] => process.executable.clone(),
        args => command_line(args),
    };
    let from = match (process.memfd, process.deleted) {
        (true, _) => " from memory",
        (false, true) => " from a deleted file",
        _ => "",
    };
    format!("ran {}{from}", quoted(&command))
}

/// The shell and what `-c` was given. Options may be joined (`bash -lc`) and come before it.
fn shell_command(args: &[String]) -> Option<(&str, &str)> {
    const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"];
    let (program, rest) = args.split_first()?;
    let shell = basename(program).trim_start_matches('-');
    if !SHELLS.contains(&shell) {
        return None;
    }
    let at = rest
        .iter()
        .position(|arg| !arg.starts_with("--") && arg.starts_with('-') && arg.ends_with('c'))?;
    // Whatever comes before must be an option too: `sh script -c x` runs the script.
    rest[..at]
        .iter()
        .all(|arg| arg.starts_with('-'))
        .then(|| rest.get(at + 1))?
        .map(|command| (shell, command.as_str()))
}

fn reached(alert: &Alert, done: &str, tried: &str) -> String {
    let outcome = alert.destination.as_ref().map(|d| d.outcome);
    let target = target(alert);
    match outcome {
        Some(Outcome::Connected) => format!("{done} {target}"),
        Some(Outcome::Refused) => format!("tried to {tried} {target} (refused)"),
        Some(Outcome::Unreachable) => format!("tried to {tried} {target} (unreachable)"),
        Some(Outcome::Blocked) => format!("tried to {tried} {target} (blocked)"),
        Some(Outcome::Attempted) | None => format!("tried to {tried} {target}"),
    }
}

fn target(alert: &Alert) -> String {
    if let Some(destination) = &alert.destination {
        let endpoint = endpoint(destination);
        return match (&destination.domain, endpoint) {
            (Some(domain), Some(endpoint)) => format!("{} ({})", name(domain), name(&endpoint)),
            (Some(domain), None) => name(domain),
            (None, Some(endpoint)) => name(&endpoint),
            (None, None) => "an unknown address".to_owned(),
        };
    }
    match &alert.file {
        Some(file) => name(&file.path),
        None => "something unknown".to_owned(),
    }
}

fn on_file(file: Option<&File>, done: &str, tried: &str) -> String {
    match file {
        None => format!("{done} a file"),
        Some(file) if file.outcome == "success" => format!("{done} {}", name(&file.path)),
        Some(file) => format!(
            "tried to {tried} {} ({})",
            name(&file.path),
            name(&file.outcome)
        ),
    }
}

/// `npm install`: the manager, and the verb where it stands behind the manager's own name.
fn verb(install: &Install) -> String {
    const VERBS: &[&str] = &[
        "install", "i", "ci", "add", "update", "upgrade", "rebuild", "exec", "run", "wheel",
        "download", "sync", "develop", "build",
    ];
    let manager = install.installer.as_str();
    let verb = install
        .command
        .split_whitespace()
        .skip_while(|word| !basename(word).starts_with(manager))
        .skip(1)
        .find(|word| VERBS.contains(word));
    match verb {
        Some(verb) => format!("{} {verb}", name(manager)),
        None => name(manager),
    }
}

/// As it is where it can't be mistaken for words of the sentence, otherwise between backquotes.
fn name(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "@/._~+-:[]=%\\".contains(c));
    if plain && text.len() <= LONGEST {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    format!(
        "`{}`",
        super::limit::cut(text.trim(), LONGEST).replace('`', "\\x60")
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample;
    use super::*;

    #[test]
    fn a_postinstall_shell_is_told_with_its_command() {
        assert_eq!(
            sentence(&sample::postinstall()),
            "left-pad@1.3.0 (postinstall) ran `id > /tmp/x` through sh under npm install"
        );
    }

    #[test]
    fn a_callback_names_the_domain_the_address_and_how_it_ended() {
        let mut alert = sample::callback();
        assert_eq!(
            sentence(&alert),
            "python3.11 tried to connect to c2.example (203.0.113.7:4444)"
        );
        alert.destination.as_mut().unwrap().outcome = Outcome::Connected;
        assert_eq!(
            sentence(&alert),
            "python3.11 connected to c2.example (203.0.113.7:4444)"
        );
    }

    #[test]
    fn a_missing_credential_file_was_tried() {
        assert_eq!(
            sentence(&sample::credential()),
            "reqeusts@2.0.1 (setup.py) tried to open `/home/u/.config/google-chrome/Default/Login \
             Data` (ENOENT) under pip install"
        );
    }

    #[test]
    fn a_script_given_to_a_shell_is_not_its_command() {
        let args = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shell_command(&args(&["sh", "x.sh", "-c", "id"])), None);
        assert_eq!(
            shell_command(&args(&["/bin/bash", "-e", "-lc", "id", "x"])),
            Some(("bash", "id"))
        );
        assert_eq!(shell_command(&args(&["node", "-c", "id"])), None);
    }

    #[test]
    fn a_package_that_calls_itself_a_sentence_stays_a_name() {
        let mut alert = sample::postinstall();
        alert.package.as_mut().unwrap().name = "x` is fine.\n::error::`".to_owned();
        assert_eq!(
            sentence(&alert),
            "`x\\x60 is fine.\\n::error::\\x60@1.3.0` (postinstall) ran `id > /tmp/x` through sh \
             under npm install"
        );
    }

    #[test]
    fn a_shell_command_of_two_megabytes_is_cut() {
        let mut alert = sample::postinstall();
        alert.process.args = vec!["sh".into(), "-c".into(), "A".repeat(2 << 20)];
        assert!(sentence(&alert).len() < 400);
    }

    proptest! {
        #[test]
        fn whatever_a_package_does_the_sentence_is_one_harmless_line(
            word: String,
            event in 0_usize..15,
        ) {
            let mut alert = sample::everything_is(&word);
            alert.evidence.event = sample::EVENTS[event];
            let sentence = sentence(&alert);
            prop_assert_eq!(escape::terminal(&sentence), sentence);
        }
    }
}
