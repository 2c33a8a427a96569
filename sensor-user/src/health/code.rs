//! The stable codes: what each means and what to do about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::detect::Level;

macro_rules! codes {
    ($($(#[doc = $sentence:literal])+ $code:ident, $name:literal, $level:ident, $id:literal, $action:literal;)*) => {
        /// What is wrong. The names are stable: scripts compare them.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
            JsonSchema,
        )]
        pub enum Code {
            $($(#[doc = $sentence])+ #[serde(rename = $name)] $code,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// As JSON spells it.
            pub fn name(self) -> &'static str {
                match self { $(Code::$code => $name),* }
            }

            /// What it means, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self { $(Code::$code => concat!($($sentence),+).trim_ascii_start()),* }
            }

            /// What to do about it, in one sentence.
            pub fn action(self) -> &'static str {
                match self { $(Code::$code => $action),* }
            }

            /// How bad.
            pub fn level(self) -> Level {
                match self { $(Code::$code => Level::$level),* }
            }

            /// MESSAGE_ID of its journal entries.
            pub fn message_id(self) -> u128 {
                match self { $(Code::$code => $id),* }
            }
        }
    };
}

codes! {
    /// Events of watched processes were lost, so an alert may be missing.
    EventsLost, "events_lost", High, 0xd0536bca6b5743a0bcc469a52eb5b627,
    "Treat the sessions it names as incomplete, and give the sensor larger rings.";

    /// A process could not be added to the watched set because that is full, so it and what it starts go unseen.
    LineageFull, "lineage_full", High, 0x1f707b3ef7b24d3a9d4fc59b37cd6be5,
    "Look for a fork bomb in the session it names, or raise the number of lineage entries.";

    /// No hook of an event kind works on this kernel, so that kind is not seen at all.
    HookMissing, "hook_missing", High, 0x5fb822a87ea9432c8d4f9a9231c13b0f,
    "Run `pkgwarden doctor`; it says which hooks the kernel refused and why.";

    /// The watch began when processes of the session were running already, so their first acts were not seen.
    StartedLate, "started_late", Medium, 0xd6b43cf6adee4a7d867ccb5ebc2455f1,
    "Start the daemon before the CI worker, or repeat the install under `pkgwarden run`.";

    /// The daemon was not running for a while, and what was installed meanwhile was not watched.
    DaemonGap, "daemon_gap", High, 0xaaeca55a005e47368c620a81d189254a,
    "Find out why it stopped (`systemctl status pkgwarden`) and repeat the installs of that time.";

    /// New rules or filters have an error, so the old ones stay in force.
    RulesRejected, "rules_rejected", High, 0xd249c7ed903c4182a0ecad71a08a5dd0,
    "Run `pkgwarden rules check`; it names each error with its file and line.";

    /// An output can't be written, so alerts may not reach where they are read.
    OutputFailing, "output_failing", High, 0x21511ffe35a442d89a011fb944fa41c7,
    "Make room or mend the output it names; the other outputs have the alerts.";

    /// Alerts or other records could not be kept, so what is asked of the store may miss them.
    RecordsLost, "records_lost", High, 0x020f768b8b474d3b84ebb9852da2e668,
    "Make room for the store or give it a faster disk; journald and --alerts were sent the alerts.";

    /// The wall clock was set, so times before and after do not compare.
    ClockJump, "clock_jump", Low, 0x4a9e2406d466479c8baca90e8745e453,
    "Compare alerts by their order and not by their time around the jump.";

    /// Something removed or changed a part of the running sensor.
    Tampered, "tampered", Critical, 0xe24720b6e8bb46cdbab3badd1eea11dd,
    "Treat the host as compromised by root: isolate it and read the journal of another machine.";

    /// A watched process did through io_uring what the syscall hooks would have shown.
    IoUringUsed, "io_uring_used", Medium, 0xcfa5c6320c664b868158474067d133ae,
    "Treat the session as incomplete; installs have no need of io_uring, so look at who used it.";

    /// A file that watched code controls could not be read in time or safely, so a package may be named wrongly or not at all.
    ReadRefused, "read_refused", Low, 0xcffe2b65001544d3b711aa56f30ab303,
    "Look at the file it names: a FIFO, a link or a huge file there is there on purpose.";
}

impl Code {
    /// Whether something that happened may be missing in what is recorded of that time, in anybody's
    /// session. So everybody may see it.
    pub fn leaves_a_gap(self) -> bool {
        match self {
            Code::EventsLost
            | Code::LineageFull
            | Code::HookMissing
            | Code::DaemonGap
            | Code::Tampered
            | Code::RecordsLost
            // What was raised before it may lie in another hour.
            | Code::ClockJump => true,
            // Of one session, whose report says so.
            Code::StartedLate | Code::IoUringUsed => false,
            Code::RulesRejected | Code::OutputFailing | Code::ReadRefused => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_has_one_name_everywhere() {
        for &code in Code::ALL {
            assert_eq!(
                serde_json::to_value(code).unwrap(),
                serde_json::json!(code.name())
            );
        }
    }

    #[test]
    fn every_code_explains_itself_and_says_what_to_do_in_a_sentence_each() {
        for &code in Code::ALL {
            for sentence in [code.sentence(), code.action()] {
                assert!(sentence.ends_with('.'), "{code:?}: {sentence}");
                assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
            }
        }
        let ids: BTreeSet<u128> = Code::ALL.iter().map(|code| code.message_id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
    }
}
