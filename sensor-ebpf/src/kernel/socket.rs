//! What is remembered of the sockets of watched processes: a packet, or the end of a connect, comes when
//! another process or none is current.
//!
//! Both maps are LRU, so that what is left behind gives way by itself. What a flood of sockets pushes out
//! costs an outcome (it stays "attempted") or names; the latter is counted.

use aya_ebpf::{
    macros::map,
    maps::{Array, LruHashMap},
};
use sensor_ebpf::abi::{Header, kind};

use super::{atomic, record};

/// Sockets that ask for names. Elements are small and few are in use: more than this at a time is a flood.
const ASKING: u32 = 8_192;

/// The map pushes out before it is quite full: each CPU keeps some elements to itself (`LOCAL_FREE_TARGET`,
/// kernel/bpf/bpf_lru_list.c).
const FLOOD: u64 = ASKING as u64 - 2_048;

/// Who asks, and whom. Key: socket cookie.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Asked {
    /// Of the connect or the datagram.
    pub header: Header,
    pub netns: u64,
    pub address: [u8; 16],
    pub family: u32,
    pub port: u32,
}

#[map]
static ASKED: LruHashMap<u64, Asked> = LruHashMap::with_max_entries(ASKING, 0);

/// How many elements [`ASKED`] has: the kernel doesn't tell.
#[map]
static ASKED_COUNT: Array<u64> = Array::with_max_entries(1, 0);

/// TCP connects that are not decided yet. Key: socket cookie.
#[map]
static CONNECTING: LruHashMap<u64, Header> = LruHashMap::with_max_entries(16_384, 0);

/// A process asks a server from this socket.
#[inline(always)]
pub fn asks(cookie: u64, asked: &Asked) {
    let known = ASKED.get_ptr(cookie).is_some();
    if ASKED.insert(cookie, asked, 0).is_err() {
        record::generated(kind::DNS);
        record::lost(kind::DNS);
        return;
    }
    if known || add(1) < FLOOD {
        return;
    }
    // Another socket gave way: what it hears won't be seen.
    add(u64::MAX);
    record::generated(kind::DNS);
    record::lost(kind::DNS);
}

/// A process sends something else from this socket, to this port.
#[inline(always)]
pub fn turns(cookie: u64, port: u32) {
    if let Some(asked) = ASKED.get_ptr_mut(cookie) {
        // SAFETY: a map value.
        unsafe { (*asked).port = port };
    }
}

/// Whom this socket asked.
#[inline(always)]
pub fn asked(cookie: u64) -> Option<*const Asked> {
    ASKED.get_ptr(cookie)
}

/// This socket asks no more.
#[inline(always)]
pub fn hushes(cookie: u64) {
    if ASKED.remove(cookie).is_ok() {
        add(u64::MAX);
    }
}

/// Adds to the count of elements, `u64::MAX` being minus one, and returns what it was.
#[inline(always)]
fn add(number: u64) -> u64 {
    ASKED_COUNT.get_ptr_mut(0).map_or(0, |count| {
        // SAFETY: an aligned map value.
        unsafe { atomic::fetch_add(count, number) }
    })
}

/// A process begins to connect this socket. What can't be remembered stays "attempted".
#[inline(always)]
pub fn connects(cookie: u64, header: &Header) {
    let _ = CONNECTING.insert(cookie, header, 0);
}

/// Who connected this socket, once.
#[inline(always)]
pub fn connected(cookie: u64) -> Option<Header> {
    let header = CONNECTING.get_ptr(cookie)?;
    // SAFETY: a map value.
    let header = unsafe { *header };
    // Removed by whoever is first, so it is told once.
    CONNECTING.remove(cookie).is_ok().then_some(header)
}
