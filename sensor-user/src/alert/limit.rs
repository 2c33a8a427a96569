//! An alert is at most 256 KiB, whatever the watched code did to make it longer.

use serde_json::Value;

use super::escape;
use super::schema::{Alert, ProcessShort};

/// Of the serialized alert, in bytes.
pub const ALERT_BYTES: usize = 256 * 1024;

/// Makes the alert fit. The longest arguments go first (their middle: a command line is padded to
/// hide its end as well as its start), of the process and its ancestors alike; then other texts as
/// long as these, for a command line also stands in the evidence and the row. A cut text says how
/// many bytes are missing, and cut arguments set `args_truncated`.
pub fn cap(alert: &mut Alert) {
    for longest in [32 << 10, 8 << 10, 2 << 10, 512, 128, 64] {
        if fits(alert) {
            return;
        }
        cut_all_args(alert, longest);
        if fits(alert) {
            return;
        }
        cut_everything(alert, longest);
    }
}

/// A process as one of many: its command line's beginning and end.
pub fn brief(process: &mut ProcessShort) {
    cut_args(&mut process.args, &mut process.args_truncated, 64);
}

fn cut_all_args(alert: &mut Alert, longest: usize) {
    let process = &mut alert.process;
    cut_args(&mut process.args, &mut process.args_truncated, longest);
    for ancestor in &mut alert.ancestry {
        cut_args(&mut ancestor.args, &mut ancestor.args_truncated, longest);
    }
}

fn fits(alert: &Alert) -> bool {
    escape::json(alert).len() <= ALERT_BYTES
}

/// No argument longer than `longest` bytes, and no more arguments than that either.
fn cut_args(args: &mut Vec<String>, truncated: &mut bool, longest: usize) {
    for arg in args.iter_mut() {
        if arg.len() > longest {
            *arg = cut(arg, longest);
            *truncated = true;
        }
    }
    if args.len() > longest {
        let left_out = args.len() - longest;
        let tail = args.split_off(args.len() - longest / 2);
        args.truncate(longest / 2);
        args.push(format!("…[{left_out} arguments]…"));
        args.extend(tail);
        *truncated = true;
    }
}

/// Every text at most `longest` bytes, every list and map at most `longest` entries.
fn cut_everything(alert: &mut Alert, longest: usize) {
    let Ok(mut whole) = serde_json::to_value(&*alert) else {
        return;
    };
    cut_value(&mut whole, longest);
    if let Ok(smaller) = serde_json::from_value(whole) {
        *alert = smaller;
    }
}

fn cut_value(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) if text.len() > longest => *text = cut(text, longest),
        Value::Array(items) => {
            items.truncate(longest);
            items.iter_mut().for_each(|item| cut_value(item, longest));
        }
        Value::Object(map) => {
            let keys: Vec<String> = map
                .keys()
                .enumerate()
                .filter(|(n, key)| *n >= longest || key.len() > longest)
                .map(|(_, key)| key.clone())
                .collect();
            for key in keys {
                map.shift_remove(&key);
            }
            map.values_mut().for_each(|item| cut_value(item, longest));
        }
        _ => {}
    }
}

/// The head and the tail of a text, about `longest` bytes together, and between them how many
/// bytes are missing. Never cuts through a character or an escape (`\\`, `\xHH`).
pub fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    // `…[18446744073709551615 bytes]…` at worst.
    let keep = longest.saturating_sub(34);
    let head_end = last_boundary(text, keep / 2 + keep % 2);
    let tail_start = first_boundary(text, text.len() - keep / 2);
    format!(
        "{}…[{} bytes]…{}",
        &text[..head_end],
        tail_start - head_end,
        &text[tail_start..]
    )
}

/// Where characters and escapes begin, and the end.
fn boundaries(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut ended = false;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return (!std::mem::replace(&mut ended, true)).then_some(bytes.len());
        }
        let here = at;
        at += match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'\\')) => 2,
            (b'\\', Some(b'x')) if text.is_char_boundary((at + 4).min(bytes.len())) => 4,
            _ => text[at..].chars().next().map_or(1, char::len_utf8),
        };
        Some(here)
    })
}

fn last_boundary(text: &str, limit: usize) -> usize {
    boundaries(text)
        .take_while(|&at| at <= limit)
        .last()
        .unwrap_or(0)
}

fn first_boundary(text: &str, limit: usize) -> usize {
    boundaries(text)
        .find(|&at| at >= limit)
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample;
    use super::*;
    use crate::event::Text;

    #[test]
    fn a_two_megabyte_command_line_keeps_its_head_and_tail() {
        let mut alert = sample::postinstall();
        alert.process.args[2] = format!("id; {} curl evil", "A".repeat(2 << 20));
        cap(&mut alert);
        assert!(escape::json(&alert).len() <= ALERT_BYTES);
        let command = &alert.process.args[2];
        assert!(command.starts_with("id; AAA") && command.ends_with("A curl evil"));
        assert!(command.contains("bytes]…"), "{}", &command[16_300..16_450]);
        assert!(alert.process.args_truncated);
        assert!(!alert.ancestry[0].args_truncated);
    }

    #[test]
    fn a_command_line_that_stands_in_many_places_keeps_most_of_itself_in_each() {
        let mut alert = sample::postinstall();
        alert.process.args = vec!["\x01".repeat(32 << 10)];
        alert.row = crate::alert::row::row(&alert);
        let command = alert.row.subject_cmd_line.clone();
        alert.evidence.matched[0].value.clone_from(&command);
        alert.evidence.fields.insert("CommandLine".into(), command);
        cap(&mut alert);
        assert!(escape::json(&alert).len() <= ALERT_BYTES);
        assert!(alert.process.args_truncated);
        for text in [
            &alert.process.args[0],
            &alert.row.subject_cmd_line,
            &alert.evidence.fields["CommandLine"],
        ] {
            assert!(text.len() > 8_000, "{}", text.len());
        }
    }

    #[test]
    fn a_hundred_thousand_arguments_are_counted() {
        let mut alert = sample::postinstall();
        alert.process.args = (0..100_000).map(|n| n.to_string()).collect();
        cap(&mut alert);
        assert!(escape::json(&alert).len() <= ALERT_BYTES);
        assert_eq!(alert.process.args.first().unwrap(), "0");
        assert_eq!(alert.process.args.last().unwrap(), "99999");
        assert!(alert.process.args_truncated);
    }

    #[test]
    fn an_alert_that_fits_is_left_alone() {
        let mut alert = sample::postinstall();
        cap(&mut alert);
        assert_eq!(alert, sample::postinstall());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]

        #[test]
        fn even_an_alert_that_is_long_everywhere_fits(piece in "\\PC{1,3}|\u{202e}|\n") {
            let mut alert = sample::everything_is(&piece.repeat((12 << 10) / piece.len()));
            cap(&mut alert);
            prop_assert!(escape::json(&alert).len() <= ALERT_BYTES);
        }
    }

    proptest! {
        #[test]
        fn a_cut_text_can_still_be_read_back(bytes: Vec<u8>, longest in 40_usize..80) {
            let text = Text::from([bytes.as_slice(), &[0xff, b'\\', 0xc3, 0xa9].repeat(20)].concat());
            let shorter = cut(&text.escaped(), longest);
            prop_assert!(shorter.len() <= longest);
            prop_assert!(Text::unescape(&shorter).is_ok(), "{shorter}");
        }
    }
}
