//! Exit codes, as scripts know them from Pacemaker's tools.

use systole_cib::ops::Failure;
use systole_wire::api::{Refusal, RefusalKind};

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// How a tool ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Exit { $($(#[$doc])* $name,)* }

        impl Exit {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number.
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code,)* }
            }

            /// The words `crm_error --exit` prints.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

exits! {
    /// Done.
    Ok = 0, "OK";
    /// Failed in some other way.
    Error = 1, "Error occurred";
    /// A parameter cannot work here.
    InvalidParam = 2, "Invalid parameter";
    /// Not supported.
    Unimplemented = 3, "Unimplemented";
    /// Not allowed to an agent.
    InsufficientPrivilege = 4, "Insufficient privileges";
    /// Missing on this host.
    NotInstalled = 5, "Not installed";
    /// The configuration is missing something.
    NotConfigured = 6, "Not configured";
    /// Not running.
    NotRunning = 7, "Not running";
    /// The command line cannot be understood.
    Usage = 64, "Incorrect usage";
    /// Input that cannot be read.
    Data = 65, "Invalid data given";
    /// An input file is missing.
    NoInput = 66, "Input file not available";
    /// No such user.
    NoUser = 67, "User does not exist";
    /// No such host.
    NoHost = 68, "Host does not exist";
    /// Something needed is not there.
    Unavailable = 69, "Necessary service unavailable";
    /// A bug.
    Software = 70, "Internal software bug";
    /// The operating system refused.
    Os = 71, "Operating system error occurred";
    /// An output file cannot be made.
    CannotCreate = 73, "Cannot create output file";
    /// Reading or writing failed.
    Io = 74, "I/O error occurred";
    /// Trying again later may help.
    Temporary = 75, "Temporary failure, try again";
    /// The other side spoke in tongues.
    Protocol = 76, "Protocol violated";
    /// Not allowed.
    NoPermission = 77, "Insufficient privileges";
    /// The configuration is not valid.
    Config = 78, "Invalid configuration";
    /// No connection to the cluster.
    Disconnected = 102, "Not connected";
    /// A CIB older than the current one.
    Old = 103, "Update was older than existing configuration";
    /// Digests differ.
    Digest = 104, "Digest mismatch";
    /// No such node, resource, attribute...
    NoSuch = 105, "No such object";
    /// Not without quorum.
    Quorum = 106, "Quorum required";
    /// Dangerous; `--force` does it all the same.
    Unsafe = 107, "Operation not safe";
    /// There already.
    Exists = 108, "Requested item already exists";
    /// More than one thing fits.
    Multiple = 109, "Multiple items match request";
    /// Over.
    Expired = 110, "Requested item has expired";
    /// Not begun.
    NotYet = 111, "Requested item is not yet in effect";
    /// Cannot be told.
    Indeterminate = 112, "Could not determine status";
    /// Not as things are.
    Unsatisfied = 113, "Not applicable under current conditions";
    /// Took too long.
    Timeout = 124, "Timeout occurred";
}

impl Exit {
    /// What Pacemaker's tools say of a call on the CIB that ends so; `None` where there is no such word.
    pub const fn call_text(self) -> Option<&'static str> {
        Some(match self {
            Self::NoSuch => "No such device or address",
            Self::InsufficientPrivilege => "Permission denied",
            Self::Config => "Update does not conform to the configured schema",
            Self::Old => "Update was older than existing configuration",
            Self::Exists => "File exists",
            _ => return None,
        })
    }
}

/// An error with the exit code it ends the tool with.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// Ends the tool.
    pub exit: Exit,
    /// What is wrong and what to do.
    pub message: String,
}

impl Failed {
    /// An error ending the tool with `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// An error of which the exit code says all.
    pub fn bare(exit: Exit) -> Self {
        Self::new(exit, exit.text())
    }

    /// The command line cannot be understood.
    pub fn usage(message: impl Into<String>) -> anyhow::Error {
        Self::new(Exit::Usage, message).into()
    }

    /// There is no such thing.
    pub fn no_such(message: impl Into<String>) -> anyhow::Error {
        Self::new(Exit::NoSuch, message).into()
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        let exit = match refusal.kind {
            RefusalKind::NoQuorum => Exit::Quorum,
            RefusalKind::Change(failure) => exit_of_failure(failure),
            RefusalKind::Disk => Exit::Io,
            RefusalKind::NotReady => Exit::Disconnected,
            RefusalKind::TimedOut => Exit::Timeout,
            RefusalKind::NotFound => Exit::NoSuch,
            RefusalKind::Usage => Exit::Usage,
            RefusalKind::Busy => Exit::Temporary,
        };
        Self::new(exit, refusal.message)
    }
}

/// The exit code for a refused change.
pub fn exit_of_failure(failure: Failure) -> Exit {
    match failure {
        Failure::Denied => Exit::InsufficientPrivilege,
        Failure::NotFound => Exit::NoSuch,
        Failure::Exists => Exit::Exists,
        Failure::BadInput => Exit::Data,
        Failure::Invalid => Exit::Config,
        Failure::OldVersion | Failure::PatchMismatch => Exit::Old,
    }
}

/// The exit code for any error: that of the first [`Failed`] in its chain, else what an I/O error means, else
/// [`Exit::Error`].
pub fn exit_of(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| {
            if let Some(failed) = cause.downcast_ref::<Failed>() {
                return Some(failed.exit);
            }
            cause.downcast_ref::<std::io::Error>().map(|io| match io.kind() {
                std::io::ErrorKind::NotFound => Exit::NoInput,
                std::io::ErrorKind::PermissionDenied => Exit::NoPermission,
                std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => Exit::Timeout,
                _ => Exit::Io,
            })
        })
        .unwrap_or(Exit::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_scripts_know() {
        for (exit, code) in [
            (Exit::Usage, 64),
            (Exit::Data, 65),
            (Exit::Config, 78),
            (Exit::Disconnected, 102),
            (exit_of_failure(Failure::OldVersion), 103),
            (exit_of_failure(Failure::NotFound), 105),
            (exit_of_failure(Failure::Exists), 108),
            (Exit::Timeout, 124),
        ] {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }

    #[test]
    fn the_first_typed_error_of_a_chain_decides() {
        use anyhow::Context as _;
        let error =
            Err::<(), _>(Failed::no_such("node \"x\" is unknown")).context("cannot ban web").unwrap_err();
        assert_eq!(exit_of(&error), Exit::NoSuch);
        assert_eq!(exit_of(&anyhow::anyhow!("other")), Exit::Error);
    }
}
