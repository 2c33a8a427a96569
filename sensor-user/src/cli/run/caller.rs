//! Whose command it is: the user who typed it, also under sudo.

use std::env;
use std::ffi::{CString, OsString};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Uid, User, getegid, geteuid, getgrouplist, getgroups, setegid, seteuid, setgroups,
};

/// The user that CMD runs as and that output files belong to, where that is not us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) name: String,
    home: PathBuf,
    shell: PathBuf,
    groups: Vec<Gid>,
}

/// Why the caller can't be told or acted as.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallerError {
    #[error("SUDO_UID and SUDO_GID are not the numbers that sudo sets: run without them")]
    Malformed,
    #[error("the calling user {0} is in no user database: run as a user that exists")]
    Unknown(Uid),
    #[error("the identity of the calling user can't be taken: {0}")]
    Refused(Errno),
}

impl Caller {
    /// The user behind sudo; `None` where we are the caller ourselves.
    pub(crate) fn behind_sudo() -> Result<Option<Self>, CallerError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let (Some(uid), Some(gid)) = (env::var_os("SUDO_UID"), env::var_os("SUDO_GID")) else {
            return Ok(None);
        };
        let number = |text: OsString| text.to_str()?.parse::<u32>().ok();
        let uid = Uid::from_raw(number(uid).ok_or(CallerError::Malformed)?);
        let gid = Gid::from_raw(number(gid).ok_or(CallerError::Malformed)?);
        if uid.is_root() {
            return Ok(None);
        }
        let user = User::from_uid(uid)
            .ok()
            .flatten()
            .ok_or(CallerError::Unknown(uid))?;
        let name = CString::new(user.name.as_bytes()).map_err(|_| CallerError::Unknown(uid))?;
        Ok(Some(Self {
            uid,
            gid,
            groups: getgrouplist(&name, gid).map_err(CallerError::Refused)?,
            name: user.name,
            home: user.dir,
            shell: user.shell,
        }))
    }

    /// What sudo changed in the environment and the user's programs would trip over.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("HOME", self.home.clone().into()),
            ("SHELL", self.shell.clone().into()),
            ("USER", self.name.clone().into()),
            ("LOGNAME", self.name.clone().into()),
        ]
    }

    /// Does something with the caller's rights on files. Call it while there is one thread.
    pub(crate) fn act<T>(&self, what: impl FnOnce() -> T) -> Result<T, CallerError> {
        let (uid, gid) = (geteuid(), getegid());
        let groups = getgroups().map_err(CallerError::Refused)?;
        let become_caller = || {
            setgroups(&self.groups)?;
            setegid(self.gid)?;
            seteuid(self.uid)
        };
        let become_ourselves = || {
            seteuid(uid)?;
            setegid(gid)?;
            setgroups(&groups)
        };
        let done = become_caller().map(|()| what());
        become_ourselves().and(done).map_err(CallerError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_as_the_caller_is_done_with_its_rights_and_ours_come_back() {
        if !geteuid().is_root() {
            eprintln!("SKIP: only root can act as someone else");
            return;
        }
        // A process of its own would be cleaner; identities are per process, and other tests of
        // this binary create files. So only what holds for any mixture is asserted: it returns.
        let caller = Caller {
            uid: geteuid(),
            gid: getegid(),
            name: "root".into(),
            home: "/root".into(),
            shell: "/bin/sh".into(),
            groups: getgroups().unwrap(),
        };
        assert_eq!(caller.act(|| 7).unwrap(), 7);
        assert!(geteuid().is_root());
    }
}
