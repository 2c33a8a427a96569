//! What is remembered of the sockets of watched processes: a packet, or the end of a connect, comes when
//! another process or none is current.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap},
};
use sensor_ebpf::abi::{Header, dns, kind};

use super::{atomic, record};

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

/// Sockets that ask for names. Not LRU: a flood of sockets must not push out others unseen; what does not
/// fit is counted. Whatever is put in is taken out at the socket's end.
#[map]
static ASKED: HashMap<u64, Asked> = HashMap::with_max_entries(8_192, 0);

/// How many there are: while there are none, a packet costs no lookup.
#[map]
static ASKED_COUNT: Array<u64> = Array::with_max_entries(1, 0);

/// TCP connects that are not decided. LRU, because a connect that fails before its socket has a state
/// stays; what is pushed out stays "attempted".
#[map]
static CONNECTING: LruHashMap<u64, Asked> = LruHashMap::with_max_entries(8_192, 0);

/// A process asks a server from this socket.
#[inline(always)]
pub fn asks(cookie: u64, asked: &Asked) {
    let known = ASKED.get_ptr(cookie).is_some();
    if ASKED.insert(cookie, asked, 0).is_err() {
        record::generated(kind::DNS);
        record::lost(kind::DNS);
    } else if !known {
        add(1);
    }
}

/// A process sends something else from this socket, to this port.
#[inline(always)]
pub fn turns(cookie: u64, port: u32) {
    if let Some(asked) = ASKED.get_ptr_mut(cookie) {
        // SAFETY: a map value.
        unsafe { (*asked).port = port };
    }
}

/// Whom this socket asked, if it did last.
#[inline(always)]
pub fn asked(cookie: impl FnOnce() -> u64) -> Option<(u64, *const Asked)> {
    // SAFETY: a map value.
    if unsafe { *ASKED_COUNT.get_ptr(0)? } == 0 {
        return None;
    }
    let cookie = cookie();
    let asked = ASKED.get_ptr(cookie)?;
    // SAFETY: a map value.
    (unsafe { (*asked).port } == dns::PORT).then_some((cookie, asked))
}

/// This socket asks no more.
#[inline(always)]
pub fn hushes(cookie: u64) {
    if ASKED.remove(cookie).is_ok() {
        add(u64::MAX);
    }
}

/// Adds to the count, `u64::MAX` being minus one.
#[inline(always)]
fn add(number: u64) {
    if let Some(count) = ASKED_COUNT.get_ptr_mut(0) {
        // SAFETY: an aligned map value.
        unsafe { atomic::fetch_add(count, number) };
    }
}

/// A process is about to connect this socket.
#[inline(always)]
pub fn connects(cookie: u64, asked: &Asked) {
    let _ = CONNECTING.insert(cookie, asked, 0);
}

/// The connect has begun: from here on the socket's state tells its end, so it may be remembered.
#[inline(always)]
pub fn calls(cookie: u64) -> Option<()> {
    let asked = CONNECTING.get_ptr(cookie)?;
    // SAFETY: a map value.
    let asked = unsafe { *asked };
    if asked.port == dns::PORT {
        asks(cookie, &asked);
    } else {
        turns(cookie, asked.port);
    }
    Some(())
}

/// Who connected this socket; once.
#[inline(always)]
pub fn connected(cookie: u64) -> Option<Header> {
    let asked = CONNECTING.get_ptr(cookie)?;
    // SAFETY: a map value.
    let header = unsafe { (*asked).header };
    // Whoever takes it out tells.
    CONNECTING.remove(cookie).is_ok().then_some(header)
}
