//! An install inside a container, watched from the host: the alert carries the container's id.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::id;

use serde_json::json;
use tests::{Scratch, Turn, Watched, fixture, mounts, need, require};

/// A container of crun that shares this machine's /usr, in the cgroup that Docker would give it.
struct Container {
    bundle: PathBuf,
    id: String,
}

impl Container {
    fn new(scratch: &Scratch, command: &[&str]) -> Self {
        let id = format!("{:064x}", 0xc0ff_ee00_0000_0000_u64 + u64::from(id()));
        let bundle = scratch.out().join("bundle");
        let root = bundle.join("rootfs");
        for folder in ["proc", "sys", "dev", "tmp", "usr", "etc", "work"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{link}"), root.join(link)).unwrap();
        }
        let bind = |source: &Path, destination: &str, how: &str| json!({"destination": destination, "type": "bind", "source": source, "options": ["rbind", how]});
        let spec = json!({
            "ociVersion": "1.0.0",
            "process": {
                "terminal": false,
                "user": {"uid": 0, "gid": 0},
                "args": command,
                "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "npm_config_audit=false"],
                "cwd": "/work",
            },
            "root": {"path": "rootfs", "readonly": true},
            "hostname": "container",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
                bind(Path::new("/usr"), "/usr", "ro"),
                bind(Path::new("/etc"), "/etc", "ro"),
                bind(&scratch.project(), "/work", "rw"),
            ],
            "linux": {
                "cgroupsPath": format!("/docker/{id}"),
                "namespaces": [
                    {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                    {"type": "mount"},
                ],
            },
        });
        fs::write(bundle.join("config.json"), spec.to_string()).unwrap();
        Self { bundle, id }
    }

    fn run(&self) -> Vec<String> {
        ["crun", "--cgroup-manager=cgroupfs", "run", "--bundle"]
            .map(str::to_owned)
            .into_iter()
            .chain([self.bundle.display().to_string(), self.id.clone()])
            .collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = std::process::Command::new("crun")
            .args(["delete", "--force", &self.id])
            .output();
        for mount in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
            // Only empty folders can be removed so.
            let _ = fs::remove_dir(format!("{mount}/docker/{}", self.id));
            let _ = fs::remove_dir(format!("{mount}/docker"));
        }
    }
}

/// Where the host's cgroup mounts are the old hybrid ones, crun needs to see the unified one alone.
fn unified() -> Vec<String> {
    mounts::private("[ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 none /sys/fs/cgroup")
}

#[test]
fn an_alert_from_inside_a_container_carries_its_id_and_its_package() {
    need!(
        require::live(),
        require::programs(&["crun", "npm", "unshare"])
    );
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive = fixture::npm_archive(&scratch, "recon-postinstall");
    let container = Container::new(&scratch, &["npm", "install", &archive, "--offline"]);

    let mut line = unified();
    line.extend(container.run());
    let seen = Watched::run(&scratch, line).finish();

    if seen.code() != 0 && seen.stderr.contains("crun") && seen.stdout.is_empty() {
        return require::skip(&format!("crun does not work here: {}", seen.stderr.trim()));
    }
    seen.ended_with(0).complete();
    let alert = seen.alert(
        "PackageInstallSpawnedSuspiciousProcess",
        "medium",
        "on sh -c id in the container",
        |alert| alert.text("/package/name") == "left-padding-fixture",
    );
    assert_eq!(alert.text("/container/id"), container.id, "{alert:?}");
    assert_eq!(alert.text("/container/runtime"), "docker", "{alert:?}");
    assert_eq!(alert.text("/package/version"), "4.2.1", "{alert:?}");
}
