//! Where the fields lie that the probes read, on the running kernel.
//!
//! User space looks them up in BTF and writes them into the object's read-only data before the
//! load, so that the verifier knows them as constants.

/// The kernel has no such field.
pub const MISSING: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident: $structure:literal . $path:literal $(, $optional:ident)?;)*) => {
        /// Byte offsets.
        #[repr(C)]
        #[derive(Debug, Clone, Copy)]
        #[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::Immutable))]
        pub struct Offsets { $($(#[$doc])* pub $field: u32),* }

        impl Offsets {
            /// No field known.
            pub const MISSING: Offsets = Offsets { $($field: MISSING),* };
        }

        /// One field to look up.
        #[derive(Debug, Clone, Copy)]
        pub struct Wanted {
            /// Name in [`Offsets`].
            pub name: &'static str,
            /// The struct.
            pub structure: &'static str,
            /// Its member; a dot goes into a member's struct.
            pub member: &'static str,
            /// Without it some events can't be had, but the probes load.
            pub optional: bool,
        }

        /// All fields, in the order of [`Offsets`].
        pub const WANTED: &[Wanted] = &[$(Wanted {
            name: stringify!($field),
            structure: $structure,
            member: $path,
            optional: offsets!(@optional $($optional)?),
        }),*];
    };
    (@optional optional) => { true };
    (@optional) => { false };
}

offsets! {
    task_pid: "task_struct"."pid";
    task_tgid: "task_struct"."tgid";
    task_group_leader: "task_struct"."group_leader";
    task_real_parent: "task_struct"."real_parent";
    task_start_boottime: "task_struct"."start_boottime";
    task_mm: "task_struct"."mm";
    task_fs: "task_struct"."fs";
    task_files: "task_struct"."files";
    task_signal: "task_struct"."signal";
    task_exit_code: "task_struct"."exit_code";
    signal_live: "signal_struct"."live";
    mm_exe_file: "mm_struct"."exe_file";
    mm_arg_start: "mm_struct"."arg_start";
    mm_arg_end: "mm_struct"."arg_end";
    mm_env_start: "mm_struct"."env_start";
    mm_env_end: "mm_struct"."env_end";
    fs_pwd_mnt: "fs_struct"."pwd.mnt";
    fs_pwd_dentry: "fs_struct"."pwd.dentry";
    files_fdt: "files_struct"."fdt";
    fdt_fd: "fdtable"."fd";
    fdt_max_fds: "fdtable"."max_fds";
    file_path_mnt: "file"."f_path.mnt";
    file_path_dentry: "file"."f_path.dentry";
    file_inode: "file"."f_inode";
    file_mode: "file"."f_mode";
    file_flags: "file"."f_flags";
    /// A socket's file: its `struct socket`.
    file_private: "file"."private_data";
    socket_sock: "socket"."sk";
    /// The other end of an AF_UNIX socket, and what a socket is bound to.
    unix_peer: "unix_sock"."peer", optional;
    unix_path_mnt: "unix_sock"."path.mnt", optional;
    unix_path_dentry: "unix_sock"."path.dentry", optional;
    dentry_parent: "dentry"."d_parent";
    dentry_inode: "dentry"."d_inode";
    /// `struct qstr`: hash and length in the first eight bytes, then the name's address.
    dentry_name: "dentry"."d_name";
    inode_number: "inode"."i_ino";
    inode_mode: "inode"."i_mode";
    inode_uid: "inode"."i_uid";
    inode_links: "inode"."i_nlink";
    vfsmount_root: "vfsmount"."mnt_root";
    /// `struct mount` contains the `struct vfsmount` that paths point to.
    mount_vfsmount: "mount"."mnt";
    mount_parent: "mount"."mnt_parent";
    mount_mountpoint: "mount"."mnt_mountpoint";
    mount_namespace: "mount"."mnt_ns";
    bprm_filename: "linux_binprm"."filename";
    sock_family: "sock"."__sk_common.skc_family";
    /// Network byte order.
    sock_address: "sock"."__sk_common.skc_rcv_saddr";
    sock_address_v6: "sock"."__sk_common.skc_v6_rcv_saddr", optional;
    /// Host byte order.
    sock_port: "sock"."__sk_common.skc_num";
    sock_net: "sock"."__sk_common.skc_net.net", optional;
    sock_cookie: "sock"."__sk_common.skc_cookie";
    sock_type: "sock"."sk_type";
    sock_protocol: "sock"."sk_protocol";
    sock_error: "sock"."sk_err";
    net_cookie: "net"."net_cookie", optional;
    /// x86-64 argument registers.
    regs_0: "pt_regs"."di";
    regs_1: "pt_regs"."si";
    regs_2: "pt_regs"."dx";
    regs_3: "pt_regs"."r10";
    uring_opcode: "io_kiocb"."opcode", optional;
    uring_command: "io_kiocb"."cmd", optional;
    uring_open_filename: "io_open"."filename", optional;
    uring_rename_new: "io_rename"."newpath", optional;
    uring_unlink_flags: "io_unlink"."flags", optional;
    uring_unlink_filename: "io_unlink"."filename", optional;
    filename_name: "filename"."name", optional;
}
