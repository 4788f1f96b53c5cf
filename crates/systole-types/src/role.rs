//! Roles of a resource instance.

use std::{fmt, str::FromStr};

/// What an instance is, or is meant to be, on a node. Ordered from inactive to promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Inactive.
    Stopped,
    /// Active; the only active role of a resource that cannot be promoted.
    Started,
    /// Active, not promoted.
    Unpromoted,
    /// Active and promoted.
    Promoted,
}

impl Role {
    /// Whether the resource runs in this role.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Started | Self::Unpromoted | Self::Promoted)
    }

    /// Today's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Stopped => "Stopped",
            Self::Started => "Started",
            Self::Unpromoted => "Unpromoted",
            Self::Promoted => "Promoted",
        }
    }

    /// The spelling before Pacemaker 2.1: `Slave`, `Master`.
    pub const fn as_classic_str(self) -> &'static str {
        match self {
            Self::Unpromoted => "Slave",
            Self::Promoted => "Master",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role: use Stopped, Started, Unpromoted or Promoted")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    /// Reads today's and the older spelling, in any case of letters, as Pacemaker does.
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text.to_ascii_lowercase().as_str() {
            "unknown" => Ok(Self::Unknown),
            "stopped" => Ok(Self::Stopped),
            "started" => Ok(Self::Started),
            "unpromoted" | "slave" => Ok(Self::Unpromoted),
            "promoted" | "master" => Ok(Self::Promoted),
            _ => Err(UnknownRole(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_todays_is_written() {
        for (old, new) in
            [("Master", "Promoted"), ("Slave", "Unpromoted"), ("Started", "Started"), ("Stopped", "Stopped")]
        {
            let role: Role = old.parse().expect("an old spelling");
            assert_eq!((role.as_str(), role.as_classic_str()), (new, old));
            assert_eq!(new.parse(), Ok(role));
        }
        assert!("Primary".parse::<Role>().is_err());
    }
}
