//! The wire format between the probes and user space: records, map keys and values, offsets.
//!
//! Everything is `repr(C)`, little-endian (both sides run on the same machine), without padding,
//! and the same on every kernel.

#![cfg_attr(not(test), no_std)]

pub mod abi;
