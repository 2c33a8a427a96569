//! Memory that the start needed and nobody needs any more.

/// Gives the kernel back what the allocator keeps: reading the kernel's type information and compiling
/// rules leaves it tens of megabytes of free memory, which a daemon would hold for weeks.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes the allocator's own locks, and touches free memory only (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
