//! Which hooks can feed each kind of event, best first.

use serde::Serialize;

/// How one program is put on its hook.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A tracepoint whose arguments have types.
    Btf(&'static str),
    /// The same without.
    Raw(&'static str),
    /// The exit of a syscall.
    Syscall(&'static str),
    /// The root of the cgroup v2 hierarchy.
    Cgroup,
}

/// A program of the object and where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// The hook works without it: its syscall is younger than the oldest kernel.
    pub(super) optional: bool,
}

/// One way to feed a kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook {
    pub(super) name: &'static str,
    pub(super) programs: &'static [Program],
}

/// A kind and its hooks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) hooks: &'static [Hook],
    pub(super) need: Need,
}

/// What it means when no hook of a kind works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing can be watched.
    Lineage,
    /// Some events are not seen, so no session is complete.
    Events,
    /// Events are seen without the names of their destinations, which are then unknown.
    Names,
    /// The kernel may not have the facility at all, and then nothing is missed.
    IfPresent,
}

impl Need {
    /// All that a session is complete with is seen without it.
    pub(super) fn is_optional(self) -> bool {
        matches!(self, Need::Names | Need::IfPresent)
    }
}

/// What became of a kind's hooks.
#[derive(Debug, Clone, Serialize)]
pub struct HookStatus {
    /// The event kind.
    pub kind: &'static str,
    /// Without it nothing is missed: the kernel lacks what the kind is about, or it only adds names.
    pub optional: bool,
    /// The hook in use.
    pub chosen: Option<String>,
    /// Hooks before it, and what the kernel said to each.
    pub refused: Vec<(String, String)>,
}

const fn program(name: &'static str, place: Place) -> Program {
    Program {
        name,
        place,
        optional: false,
    }
}

const fn young(name: &'static str, place: Place) -> Program {
    Program {
        name,
        place,
        optional: true,
    }
}

macro_rules! tracepoints {
    ($kind:literal, $function:literal, $btf:literal, $raw:literal) => {
        Kind {
            name: $kind,
            need: Need::Lineage,
            hooks: &[
                Hook {
                    name: concat!("BTF tracepoint ", $function),
                    programs: &[program($btf, Place::Btf($function))],
                },
                Hook {
                    name: concat!("raw tracepoint ", $function),
                    programs: &[program($raw, Place::Raw($function))],
                },
            ],
        }
    };
}

/// All of them. Which file and which prototype each program has, its source says.
pub(super) const KINDS: &[Kind] = &[
    tracepoints!("fork", "sched_process_fork", "fork_btf", "fork_raw"),
    tracepoints!("exec", "sched_process_exec", "exec_btf", "exec_raw"),
    tracepoints!("exit", "sched_process_exit", "exit_btf", "exit_raw"),
    Kind {
        name: "exec_failed",
        need: Need::Events,
        hooks: &[Hook {
            name: "syscall exit tracepoints",
            programs: &[
                program("execve_exit", Place::Syscall("sys_exit_execve")),
                program("execve_exit", Place::Syscall("sys_exit_execveat")),
            ],
        }],
    },
    Kind {
        name: "connect_exit",
        need: Need::Events,
        hooks: &[Hook {
            name: "syscall exit tracepoint",
            programs: &[program("connect_exit", Place::Syscall("sys_exit_connect"))],
        }],
    },
    Kind {
        name: "connect",
        need: Need::Events,
        hooks: &[
            Hook {
                name: "cgroup connect4 and connect6",
                programs: &[
                    program("connect4", Place::Cgroup),
                    program("connect6", Place::Cgroup),
                ],
            },
            // The program is attached for the outcomes already; the decoder takes the address too.
            Hook {
                name: CONNECT_FALLBACK,
                programs: &[],
            },
        ],
    },
    Kind {
        name: "send",
        need: Need::Events,
        hooks: &[Hook {
            name: "cgroup sendmsg4 and sendmsg6",
            programs: &[
                program("sendmsg4", Place::Cgroup),
                program("sendmsg6", Place::Cgroup),
            ],
        }],
    },
    Kind {
        name: "raw_socket",
        need: Need::Events,
        hooks: &[Hook {
            name: "cgroup sock_create",
            programs: &[program("sock_create", Place::Cgroup)],
        }],
    },
    Kind {
        name: "tcp_state",
        need: Need::Events,
        hooks: &[
            Hook {
                name: "BTF tracepoint inet_sock_set_state",
                programs: &[program("state_btf", Place::Btf("inet_sock_set_state"))],
            },
            Hook {
                name: "raw tracepoint inet_sock_set_state",
                programs: &[program("state_raw", Place::Raw("inet_sock_set_state"))],
            },
        ],
    },
    Kind {
        name: DNS,
        need: Need::Names,
        hooks: &[Hook {
            name: "cgroup ingress, egress and sock_release",
            programs: &[
                program("dns_release", Place::Cgroup),
                program("dns_ingress", Place::Cgroup),
                program("dns_egress", Place::Cgroup),
            ],
        }],
    },
    Kind {
        name: "open",
        need: Need::Events,
        hooks: &[Hook {
            name: "syscall exit tracepoints",
            programs: &[
                program("open_exit", Place::Syscall("sys_exit_openat")),
                program("open_exit", Place::Syscall("sys_exit_openat2")),
                young("open_exit", Place::Syscall("sys_exit_open")),
                young("open_exit", Place::Syscall("sys_exit_creat")),
            ],
        }],
    },
    Kind {
        name: "rename",
        need: Need::Events,
        hooks: &[Hook {
            name: "syscall exit tracepoints",
            programs: &[
                program("rename_exit", Place::Syscall("sys_exit_renameat2")),
                program("rename_exit", Place::Syscall("sys_exit_renameat")),
                young("rename_exit", Place::Syscall("sys_exit_rename")),
            ],
        }],
    },
    Kind {
        name: "link",
        need: Need::Events,
        hooks: &[Hook {
            name: "syscall exit tracepoints",
            programs: &[
                program("link_exit", Place::Syscall("sys_exit_linkat")),
                program("link_exit", Place::Syscall("sys_exit_symlinkat")),
                young("link_exit", Place::Syscall("sys_exit_link")),
                young("link_exit", Place::Syscall("sys_exit_symlink")),
            ],
        }],
    },
    Kind {
        name: "unlink",
        need: Need::Events,
        hooks: &[Hook {
            name: "syscall exit tracepoints",
            programs: &[
                program("unlink_exit", Place::Syscall("sys_exit_unlinkat")),
                young("unlink_exit", Place::Syscall("sys_exit_unlink")),
            ],
        }],
    },
    Kind {
        name: "chmod",
        need: Need::Events,
        hooks: &[Hook {
            name: "syscall exit tracepoints",
            programs: &[
                program("chmod_exit", Place::Syscall("sys_exit_fchmod")),
                program("chmod_exit", Place::Syscall("sys_exit_fchmodat")),
                young("chmod_exit", Place::Syscall("sys_exit_fchmodat2")),
                young("chmod_exit", Place::Syscall("sys_exit_chmod")),
            ],
        }],
    },
    Kind {
        name: "io_uring",
        need: Need::IfPresent,
        hooks: &[
            Hook {
                name: "BTF tracepoint io_uring_submit_req",
                programs: &[program("uring_req_btf", Place::Btf("io_uring_submit_req"))],
            },
            Hook {
                name: "BTF tracepoint io_uring_submit_sqe",
                programs: &[program("uring_sqe_btf", Place::Btf("io_uring_submit_sqe"))],
            },
            Hook {
                name: "raw tracepoint io_uring_submit_req",
                programs: &[program("uring_req_raw", Place::Raw("io_uring_submit_req"))],
            },
            Hook {
                name: "raw tracepoint io_uring_submit_sqe",
                programs: &[program("uring_sqe_raw", Place::Raw("io_uring_submit_sqe"))],
            },
        ],
    },
];

/// Stands in for the cgroup hooks where they can't be had.
pub(super) const CONNECT_FALLBACK: &str = "connect's syscall exit tracepoint";

/// The kind without which destinations have no names.
pub const DNS: &str = "dns";
