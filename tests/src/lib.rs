//! The harness of the live tests: real commands under `pkgwarden run`, on the running kernel.
//!
//! - [`Watched`] runs one command under watch and reads back everything that pkgwarden wrote.
//! - [`Daemon`] is one that watches the whole host, [`Background`] a command that nobody put under it.
//! - [`Scratch`] is the throw-away home, temporary folder and project that it runs in.
//! - [`Alert`] and [`Capture`] ask questions of what came back.
//! - [`fixture`] makes the packages and environments that the scenarios install.
//! - [`NetworkNamespace`], [`Journal`] and [`mounts`] make the surroundings.
//! - [`require`] says what a test needs and counts the tests that can't run here.
//!
//! What a guard made is gone when it is dropped, also when the test panics.

mod alert;
mod background;
mod binary;
mod capture;
mod daemon;
pub mod fixture;
pub mod journal;
pub mod mounts;
mod netns;
pub mod require;
mod scratch;
mod seen;
mod turn;
mod watched;

pub use alert::{Alert, level_rank};
pub use background::Background;
pub use binary::pkgwarden;
pub use capture::{Capture, unescape};
pub use daemon::Daemon;
pub use journal::Journal;
pub use netns::NetworkNamespace;
pub use scratch::Scratch;
pub use seen::Seen;
pub use turn::Turn;
pub use watched::{Running, Watched};
