//! Embeds the BPF object that `cargo xtask build` makes, if there is one.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(bpf_object)");
    println!("cargo::rerun-if-env-changed=PKGWARDEN_BPF_OBJECT");
    let Some(object) = env::var_os("PKGWARDEN_BPF_OBJECT") else {
        return;
    };
    let object = Path::new(&object);
    println!("cargo::rerun-if-changed={}", object.display());
    assert!(
        object.is_absolute() && object.is_file(),
        "PKGWARDEN_BPF_OBJECT is {}, which is no file at an absolute path: run `cargo xtask build`",
        object.display()
    );
    println!("cargo::rustc-env=PKGWARDEN_BPF_OBJECT={}", object.display());
    println!("cargo::rustc-cfg=bpf_object");
}
