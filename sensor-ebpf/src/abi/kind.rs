//! The kinds of record, which are also the kinds that the accounting knows.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: u32 = $number;)*

        /// Number of kinds, for arrays indexed by kind.
        pub const COUNT: u32 = [$($number),*].len() as u32;

        /// All kinds with the names that reports use.
        pub const ALL: &[(u32, &str)] = &[$(($number, $text)),*];
    };
}

kinds! {
    /// A process was made.
    FORK = 0, "fork";
    /// A program was started: the part that lineage needs.
    EXEC = 1, "exec";
    /// The last thread of a process ended.
    EXIT = 2, "exit";
    /// A program was started: paths, arguments, environment.
    EXEC_DETAIL = 3, "exec_detail";
    /// An execve failed.
    EXEC_FAILED = 4, "exec_failed";
    /// A connect to an IP address, before it is made.
    CONNECT = 5, "connect";
    /// The end of a connect syscall, any address family.
    CONNECT_EXIT = 6, "connect_exit";
    /// A datagram with an address of its own.
    SEND = 7, "send";
    /// A raw socket was made.
    RAW_SOCKET = 8, "raw_socket";
    /// A file was opened, or that failed.
    OPEN = 9, "open";
    /// A file was renamed.
    RENAME = 10, "rename";
    /// A mode was changed.
    CHMOD = 11, "chmod";
    /// The first file of another package was read.
    MODULE = 12, "module";
    /// A request by io_uring.
    URING = 13, "io_uring";
    /// A hard link was made.
    LINK = 14, "link";
    /// A symbolic link was made.
    SYMLINK = 15, "symlink";
    /// A DNS message on a socket that a watched process asked from.
    DNS = 16, "dns";
    /// A TCP connect came to its end.
    CONNECT_STATE = 17, "connect_state";
    /// A socket began to listen.
    LISTEN = 18, "listen";
    /// A file was removed.
    UNLINK = 19, "unlink";
}
