//! The versions of a CIB and of what is written into it.

use std::{fmt, str::FromStr};

/// The version of the set of features whose traces are in CIBs and graphs: Pacemaker 3.0.2's.
pub const FEATURE_SET: &str = "3.20.5";

/// `admin_epoch.epoch.num_updates`, compared in that order; of two CIBs the one with the higher version wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CibVersion {
    /// Set by administrators only, to make a CIB win.
    pub admin_epoch: u64,
    /// Counts changes of the configuration.
    pub epoch: u64,
    /// Counts changes of the status since the last change of the configuration.
    pub num_updates: u64,
}

/// The end of each part's range: Pacemaker reads them as signed numbers of 32 bits.
const LAST: u64 = i32::MAX as u64;

impl CibVersion {
    /// The version after a change of the configuration. Where `epoch` has come to the end of its range, the next
    /// `admin_epoch` begins: versions never go back.
    #[must_use]
    pub fn after_configuration(self) -> Self {
        match self {
            Self { epoch, .. } if epoch < LAST => Self { epoch: epoch + 1, num_updates: 0, ..self },
            Self { admin_epoch, .. } if admin_epoch < LAST => {
                Self { admin_epoch: admin_epoch + 1, epoch: 0, num_updates: 0 }
            }
            Self { epoch, .. } => Self { epoch: epoch.saturating_add(1), num_updates: 0, ..self },
        }
    }

    /// The version after a change of anything else, likewise.
    #[must_use]
    pub fn after_status(self) -> Self {
        match self.num_updates {
            LAST.. => self.after_configuration(),
            num_updates => Self { num_updates: num_updates + 1, ..self },
        }
    }
}

impl fmt::Display for CibVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.admin_epoch, self.epoch, self.num_updates)
    }
}

/// Text that is not a CIB version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a CIB version (ADMIN_EPOCH.EPOCH.NUM_UPDATES)")]
pub struct CibVersionError(pub String);

impl FromStr for CibVersion {
    type Err = CibVersionError;

    fn from_str(text: &str) -> Result<Self, CibVersionError> {
        let parts: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some(&[admin_epoch, epoch, num_updates]) => Ok(Self { admin_epoch, epoch, num_updates }),
            _ => Err(CibVersionError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_from_the_left() {
        let version = |text: &str| text.parse::<CibVersion>().expect(text);
        assert!(version("1.0.0") > version("0.99.99"));
        assert!(version("0.2.0") > version("0.1.500"));
        assert!(version("0.1.2") > version("0.1.1"));
        assert!("1.2".parse::<CibVersion>().is_err());
    }

    #[test]
    fn versions_never_go_back_not_even_at_the_end_of_their_range() {
        let version = |text: &str| text.parse::<CibVersion>().expect(text);
        for (before, configuration, status) in [
            ("0.1.2", "0.2.0", "0.1.3"),
            ("0.2147483647.5", "1.0.0", "0.2147483647.6"),
            ("0.18446744073709551615.5", "1.0.0", "0.18446744073709551615.6"),
            ("0.7.2147483647", "0.8.0", "0.8.0"),
            ("2147483647.2147483647.0", "2147483647.2147483648.0", "2147483647.2147483647.1"),
        ] {
            let before = version(before);
            assert_eq!(
                (before.after_configuration(), before.after_status()),
                (version(configuration), version(status))
            );
            assert!(before.after_configuration() > before && before.after_status() > before);
        }
    }
}
