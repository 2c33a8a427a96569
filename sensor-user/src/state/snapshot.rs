//! What the daemon knows about sessions that are open, so that one that is started again can go on.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::error::{StoreError, Trouble};
use super::folder::Folder;
use super::line;
use crate::alert::report::Report;
use crate::event::{Counters, ProcessKey};

const NAME: &str = "open-sessions";

/// The format that this version writes and reads.
const FORMAT: &str = "pkgwarden.open-sessions/1";

/// A report may be long, and a full lineage set is 65,536 members of at most 110 bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Written often, and read once: by the next daemon of the same boot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Pids and times of another boot mean nothing.
    pub boot_id: String,
    /// CLOCK_REALTIME in nanoseconds: from here on there is a gap.
    pub written_at: i64,
    /// Every process of the lineage set.
    pub members: Vec<Member>,
    /// Sessions that have not ended, as they stand.
    pub sessions: Vec<OpenSession>,
    /// What the sensor counted since it started.
    pub totals: Counters,
}

/// A process that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Itself.
    #[serde(flatten)]
    pub process: ProcessKey,
    /// Where its lineage began.
    pub root: ProcessKey,
    /// Where its CI step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<ProcessKey>,
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenSession {
    /// As in [`super::Entry`].
    pub owner: u32,
    /// As it stands.
    pub report: Report,
}

#[derive(Serialize, Deserialize)]
struct File<S> {
    format: String,
    #[serde(flatten)]
    snapshot: S,
}

impl Snapshot {
    /// Takes the place of the last one as a whole, and is on the disk when this returns: not for the
    /// thread that reads the rings.
    pub fn write(&self, folder: &Folder) -> Result<(), StoreError> {
        let file = File {
            format: FORMAT.to_owned(),
            snapshot: self,
        };
        let json = serde_json::to_string(&file)
            .map_err(|error| StoreError::new(&folder.path_of(NAME), io::Error::from(error)))?;
        let bytes = json.len() as u64;
        if bytes > MOST_BYTES - 16 {
            // It could not be read back. The gap and the members are known at least.
            if !self.sessions.is_empty() {
                let without = Self {
                    sessions: Vec::new(),
                    ..self.clone()
                };
                without.write(folder)?;
            }
            let most = MOST_BYTES;
            return Err(StoreError::TooLong { bytes, most });
        }
        let mut line = Vec::with_capacity(json.len() + 10);
        line::encode(&json, &mut line);
        folder.replace(NAME, &line)
    }

    /// The last one, if there is one. A bad one is told and left out: a daemon must start.
    pub fn read(folder: &Folder) -> Result<Option<Self>, Trouble> {
        let trouble = |problem: String| Trouble::Snapshot {
            name: NAME,
            problem,
        };
        let file = match folder.read(NAME) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(trouble(error.to_string())),
        };
        let mut line = Vec::new();
        file.take(MOST_BYTES + 1)
            .read_to_end(&mut line)
            .map_err(|error| trouble(error.to_string()))?;
        let json = line
            .strip_suffix(b"\n")
            .and_then(line::decode)
            .ok_or_else(|| trouble("its checksum is wrong".to_owned()))?;
        #[derive(Deserialize)]
        struct Format {
            format: String,
        }
        match serde_json::from_slice::<Format>(json) {
            Ok(Format { format }) if format == FORMAT => {}
            Ok(Format { format }) => {
                return Err(trouble(format!(
                    "its format is {format}, which this version can't read"
                )));
            }
            Err(error) => return Err(trouble(error.to_string())),
        }
        serde_json::from_slice::<File<Self>>(json)
            .map(|file| Some(file.snapshot))
            .map_err(|error| trouble(error.to_string()))
    }

    /// There is none any more: the daemon stops and every session was ended.
    pub fn remove(folder: &Folder) -> Result<(), StoreError> {
        folder
            .remove(NAME)
            .map_err(|error| StoreError::new(&folder.path_of(NAME), error))
    }
}
