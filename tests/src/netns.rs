//! A network of its own, where public addresses are this machine.

use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A named network namespace whose loopback carries public addresses; nothing leaves it.
#[derive(Debug)]
pub struct NetworkNamespace {
    name: String,
}

impl NetworkNamespace {
    /// Makes one that answers at `address`.
    pub fn with_address(address: &str) -> Self {
        Self::with_addresses(&[address])
    }

    /// Makes one that answers at all of these, of either family.
    pub fn with_addresses(addresses: &[&str]) -> Self {
        let name = format!("pkgw-{}-{}", id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Self { name };
        ip(&["netns", "add", &made.name]);
        ip(&["-n", &made.name, "link", "set", "lo", "up"]);
        for address in addresses {
            let is_v6 = address.contains(':');
            let whole = format!("{address}/{}", if is_v6 { 128 } else { 32 });
            let mut add = vec!["-n", &made.name, "address", "add", &whole, "dev", "lo"];
            if is_v6 {
                // It is ready only after a second where it asks whether somebody else has it.
                add.push("nodad");
            }
            ip(&add);
        }
        made
    }

    /// What to put before a command so that it runs inside. `nsenter`, because `ip netns exec`
    /// mounts a new /sys without the cgroup and tracing folders.
    pub fn enter(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--net=/run/netns/{}", self.name)]
    }
}

impl Drop for NetworkNamespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .output();
    }
}

fn ip(args: &[&str]) {
    let output = Command::new("ip")
        .args(args)
        .output()
        .expect("ip must be installed");
    assert!(
        output.status.success(),
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
