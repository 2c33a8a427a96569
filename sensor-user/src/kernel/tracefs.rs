//! Classic tracepoints have a number, and only tracefs tells it.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Where aya looks for it.
const MOUNT_POINT: &str = "/sys/kernel/tracing";

/// Runs `work` where tracefs can be seen.
///
/// If it is not mounted, `work` runs on a thread with a mount namespace of its own, in which it is:
/// the machine's mounts stay as they are. What `work` attaches outlives the thread.
pub(super) fn with<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let mounted = [MOUNT_POINT, "/sys/kernel/debug/tracing"]
        .iter()
        .any(|root| Path::new(root).join("events/syscalls").exists());
    if mounted {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // On failure `work` runs all the same, and says for each hook what it lacks.
            let _ = mount_privately();
            work()
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn mount_privately() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    mount(
        Some("tracefs"),
        MOUNT_POINT,
        Some("tracefs"),
        MsFlags::empty(),
        None::<&str>,
    )
}
