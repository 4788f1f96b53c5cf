//! The versions of a CIB and of what is written into it.

use std::{fmt, str::FromStr};

/// The version of the set of features whose traces are in CIBs and graphs: Pacemaker 3.0.2's.
pub const FEATURE_SET: &str = "3.20.2";

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
}
