//! The fields that rules may name, and the categories they belong to.

use std::str::FromStr;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// A field of a rule's detection. Names are Sigma's where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "docs/rules.md describes each field; its name is its meaning")]
        pub enum Field { $($(#[$doc])* $name),* }

        impl Field {
            /// Every field, in the order of the contract.
            pub const ALL: &[Field] = &[$(Field::$name),*];

            /// As rules spell it.
            pub fn name(self) -> &'static str {
                match self { $(Field::$name => stringify!($name)),* }
            }
        }

        impl FromStr for Field {
            type Err = UnknownField;

            fn from_str(name: &str) -> Result<Self, UnknownField> {
                match name { $(stringify!($name) => Ok(Field::$name),)* _ => Err(UnknownField) }
            }
        }
    };
}

/// No field has that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownField;

fields! {
    // Every category: what a process has, whatever it does.
    Image, CommandLine, CurrentDirectory, User, ProcessId, ParentImage, ParentCommandLine,
    ParentProcessId, Computer, Script, AncestorImages, AncestorCommandLines, CommandLineTruncated,
    Scope, Installer, InstallCommand, PackageType, PackageName, PackageVersion, LifecycleEvent,
    LifecycleScript, PackageIsRoot, PackageRegistry, PackageResembles, CiSystem, CiRepository, CiWorkflow, CiJob, ContainerId, ContainerImage, Uid,
    ImageIsMemfd, ImageDeleted, ImageDirWritable,
    ImageInjected, SessionId,
    // process_creation; from here on fields of the act.
    Hashes, LogonId,
    // network_connection
    DestinationIp, DestinationPort, DestinationHostname, Protocol, Initiated, DestinationClass,
    DestinationResolved, DestinationTrusted, DestinationIsResolver, SocketPath, SourceIp, SourcePort,
    // file_event, file_access, file_rename, file_delete
    TargetFilename, FileOperation, FileMode, FileExecutable, InsidePackage, InsideProject, FileName,
    AccessOutcome, TargetImage, SourceFilename, PackageFile, FileCode,
    // dns_query
    QueryName, QueryResults, QueryType, QueryLength, QueryLabels, QueryLongNames, QueryTexts,
}

impl Field {
    /// How many of them, from the first on, all acts of a process share.
    pub(super) const OF_PROCESS: usize = Field::Hashes as usize;

    /// Whether all acts of a process share it.
    pub(super) fn is_of_process(self) -> bool {
        (self as usize) < Self::OF_PROCESS
    }

    /// Whether events of that category have the field.
    pub fn is_in(self, category: Category) -> bool {
        use Category::{
            DnsQuery, FileAccess, FileDelete, FileEvent, FileRename, NetworkConnection,
            ProcessCreation,
        };
        match self {
            Field::Hashes | Field::LogonId => category == ProcessCreation,
            Field::DestinationIp
            | Field::DestinationPort
            | Field::DestinationHostname
            | Field::Protocol
            | Field::Initiated
            | Field::DestinationClass
            | Field::DestinationResolved
            | Field::DestinationTrusted
            | Field::DestinationIsResolver
            | Field::SocketPath
            | Field::SourceIp
            | Field::SourcePort => category == NetworkConnection,
            Field::TargetFilename => matches!(category, FileEvent | FileRename | FileDelete),
            Field::SourceFilename | Field::PackageFile => {
                matches!(category, FileRename | FileDelete)
            }
            Field::FileOperation | Field::FileMode | Field::FileExecutable | Field::FileCode => {
                category == FileEvent
            }
            Field::FileName | Field::AccessOutcome | Field::TargetImage => category == FileAccess,
            Field::InsidePackage | Field::InsideProject => matches!(
                category,
                ProcessCreation | FileEvent | FileAccess | FileRename | FileDelete
            ),
            Field::QueryName
            | Field::QueryResults
            | Field::QueryType
            | Field::QueryLength
            | Field::QueryLabels
            | Field::QueryLongNames
            | Field::QueryTexts => category == DnsQuery,
            _ => true,
        }
    }
}

/// A Sigma logsource category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// A program was started.
    ProcessCreation,
    /// A connect, a datagram, or a raw socket.
    NetworkConnection,
    /// A file was created, written, or its mode changed.
    FileEvent,
    /// A file was opened for reading, or that was tried.
    FileAccess,
    /// A file was renamed.
    FileRename,
    /// A file was removed.
    FileDelete,
    /// A name was looked up.
    DnsQuery,
}

impl Category {
    /// Every category.
    pub const ALL: &[Category] = &[
        Category::ProcessCreation,
        Category::NetworkConnection,
        Category::FileEvent,
        Category::FileAccess,
        Category::FileRename,
        Category::FileDelete,
        Category::DnsQuery,
    ];

    /// The category of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Category::ALL.iter().copied().find(|c| c.name() == name)
    }

    /// As rules spell it.
    pub fn name(self) -> &'static str {
        match self {
            Category::ProcessCreation => "process_creation",
            Category::NetworkConnection => "network_connection",
            Category::FileEvent => "file_event",
            Category::FileAccess => "file_access",
            Category::FileRename => "file_rename",
            Category::FileDelete => "file_delete",
            Category::DnsQuery => "dns_query",
        }
    }
}
