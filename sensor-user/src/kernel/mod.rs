//! The probes: loading them, feeding them, reading what they say. The only code that knows aya, and
//! in user space the only one with unsafe.

mod attach;
mod btf;
mod counters;
mod decode;
mod error;
mod hook;
mod log;
mod memory;
mod object;
mod offsets;
mod order;
mod presence;
mod running;
mod sensor;
mod set;
mod tracefs;
mod watch;

pub use error::SensorError;
pub use hook::{DNS, HookStatus};
pub use memory::give_back;
pub use running::Running;
pub use sensor::{HookPreference, Sensor, SensorConfig, prepare};
pub use set::Member;
