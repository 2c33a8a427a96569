//! What the sensor says about itself, provoked by what really causes it. The codes that other modules
//! provoke beside what they are about are listed in `sensor-user/src/health/provoked.rs`.

use std::path::Path;

use tests::{Scratch, Turn, Watched, mounts, need, require};

/// Runs lifecycle scripts in folders over which a file system was mounted that answers nothing, as
/// whoever has a user namespace can: what the sensor asks of such a folder hangs.
const HUNG: &str = "home=$PWD
for fd in 4 5 6 7; do
    package=$home/node_modules/hung$fd
    mkdir -p $package && cd $package
    eval \"exec $fd<>/dev/fuse\"
    mount -i -t fuse -o fd=$fd,rootmode=40000,user_id=0,group_id=0 none $package
    env -u PWD -u OLDPWD npm_lifecycle_event=postinstall npm_package_name=hung$fd \
        npm_package_version=1.0.0 npm_package_json=$package/package.json \
        /bin/sh -c 'sleep 1.5; id > /dev/null'
    cd $home
done";

#[test]
fn a_file_system_that_hangs_its_readers_is_read_no_more_and_told() {
    need!(
        require::live(),
        require::programs(&["unshare", "mount", "env"])
    );
    if !Path::new("/dev/fuse").exists() {
        return require::skip("this kernel has no FUSE");
    }
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = Watched::run(&scratch, ["sh", "-ec", HUNG])
        .inside(mounts::private(":"))
        .deadline(60)
        .finish();
    seen.ended_with(0).sums();
    let codes: Vec<&str> = seen
        .health
        .iter()
        .filter_map(|health| health["code"].as_str())
        .collect();
    assert_eq!(codes, ["read_refused"], "{seen:?}");
}
