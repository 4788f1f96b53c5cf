//! Keys by which operations and transitions are known in the CIB and in graphs.

use crate::{OcfRc, OpStatus, ResourceId};
use std::{fmt, str::FromStr, sync::Arc, time::Duration};

/// Text that is not the key it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct KeyError {
    /// What was read.
    pub text: String,
    /// What was wanted, with its form.
    pub expected: &'static str,
}

/// `RESOURCE_OPERATION_INTERVAL`, the interval in milliseconds: one operation of one instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationKey {
    /// The instance, with its number if the key carries one.
    pub resource: ResourceId,
    /// `start`, `monitor`, `post_notify_start`...
    pub operation: Arc<str>,
    /// Zero for what is done once.
    pub interval: Duration,
}

impl OperationKey {
    /// The key of `operation` of `resource`, repeated every `interval` unless that is zero.
    pub fn new(resource: impl Into<ResourceId>, operation: &str, interval: Duration) -> Self {
        Self { resource: resource.into(), operation: operation.into(), interval }
    }

    /// Resource, operation and interval of a key that is written down.
    ///
    /// Read from its end, since a resource's name may contain underscores. `migrate_to`, `migrate_from` and notifications
    /// (`pre_notify_start`) are the operations with underscores of their own.
    ///
    /// # Errors
    /// If the text is no such key.
    pub fn split(text: &str) -> Result<(&str, &str, Duration), KeyError> {
        let error =
            || KeyError { text: text.to_owned(), expected: "an operation key (RESOURCE_OPERATION_INTERVAL)" };
        let (rest, interval) = text.rsplit_once('_').ok_or_else(error)?;
        let interval = Duration::from_millis(interval.parse().map_err(|_| error())?);
        let split = ["_migrate_to", "_migrate_from"]
            .iter()
            .find_map(|suffix| rest.strip_suffix(suffix).map(|r| (r, &suffix[1..])))
            .or_else(|| rest.contains("_notify_").then(|| split_notification(rest)).flatten())
            .or_else(|| rest.rsplit_once('_'));
        match split {
            Some((resource, operation)) if !resource.is_empty() && !operation.is_empty() => {
                Ok((resource, operation, interval))
            }
            _ => Err(error()),
        }
    }
}

fn split_notification(text: &str) -> Option<(&str, &str)> {
    ["_pre_notify_", "_post_notify_", "_confirmed-pre_notify_", "_confirmed-post_notify_"]
        .iter()
        .find_map(|infix| text.rfind(infix).map(|at| (&text[..at], &text[at + 1..])))
}

impl fmt::Display for OperationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.resource, self.operation, self.interval.as_millis())
    }
}

impl FromStr for OperationKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (resource, operation, interval) = Self::split(text)?;
        Ok(Self::new(resource, operation, interval))
    }
}

/// What is before an ASCII character, and what is behind. A status section has tens of thousands of keys, whose parts are so
/// short that the standard library's search takes longer to begin than to find.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let n = text.bytes().position(|byte| byte == at)?;
    Some((&text[..n], &text[n + 1..]))
}

/// `ACTION:TRANSITION:TARGET_RC:UUID`: which action of which transition an operation belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransitionKey {
    /// The action's number in its graph; −1 in what releases before 1.0 recorded.
    pub action: i64,
    /// The transition's number, counted by the DC; −1 where there was none.
    pub transition: i64,
    /// The result that counts as success.
    pub target_rc: OcfRc,
    /// Which DC's count it is: a UUID made when the DC was elected.
    pub uuid: Arc<str>,
}

impl fmt::Display for TransitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.action, self.transition, self.target_rc.code(), self.uuid)
    }
}

impl TransitionKey {
    /// Reads a key. Many have the same UUID, which `share` makes of its text.
    ///
    /// # Errors
    /// If the text is no such key.
    pub fn read(text: &str, share: impl FnOnce(&str) -> Arc<str>) -> Result<Self, KeyError> {
        let parse = || {
            let (action, rest) = cut(text, b':')?;
            let (transition, rest) = cut(rest, b':')?;
            let (target_rc, uuid) = cut(rest, b':')?;
            Some(Self {
                action: action.parse().ok()?,
                transition: transition.parse().ok()?,
                target_rc: OcfRc::from_code(target_rc.parse().ok()?),
                uuid: share(uuid),
            })
        };
        parse().ok_or_else(|| KeyError {
            text: text.to_owned(),
            expected: "a transition key (ACTION:TRANSITION:TARGET_RC:UUID)",
        })
    }
}

impl FromStr for TransitionKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::read(text, |uuid| uuid.into())
    }
}

/// `STATUS:RC;TRANSITION_KEY`: an operation's result with the action it answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransitionMagic {
    /// How the execution went.
    pub status: OpStatus,
    /// What the agent said.
    pub rc: OcfRc,
    /// The action that asked for it.
    pub key: TransitionKey,
}

impl fmt::Display for TransitionMagic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{};{}", self.status.code(), self.rc.code(), self.key)
    }
}

impl TransitionMagic {
    /// Reads a magic. Many have the same UUID, which `share` makes of its text.
    ///
    /// # Errors
    /// If the text is no such magic.
    pub fn read(text: &str, share: impl FnOnce(&str) -> Arc<str>) -> Result<Self, KeyError> {
        let parse = || {
            let (result, key) = cut(text, b';')?;
            let (status, rc) = cut(result, b':')?;
            Some(Self {
                status: OpStatus::from_code(status.parse().ok()?),
                rc: OcfRc::from_code(rc.parse().ok()?),
                key: TransitionKey::read(key, share).ok()?,
            })
        };
        parse().ok_or_else(|| KeyError {
            text: text.to_owned(),
            expected: "a transition magic (STATUS:RC;ACTION:TRANSITION:TARGET_RC:UUID)",
        })
    }
}

impl FromStr for TransitionMagic {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::read(text, |uuid| uuid.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_keys_are_read_from_their_end() {
        for (text, resource, operation, millis) in [
            ("vip_start_0", "vip", "start", 0),
            ("my_vip_monitor_10000", "my_vip", "monitor", 10_000),
            ("vm_migrate_to_0", "vm", "migrate_to", 0),
            ("vm_migrate_from_0", "vm", "migrate_from", 0),
            ("db:1_post_notify_start_0", "db:1", "post_notify_start", 0),
            ("db_confirmed-pre_notify_stop_0", "db", "confirmed-pre_notify_stop", 0),
        ] {
            let key: OperationKey = text.parse().expect(text);
            assert_eq!(key, OperationKey::new(resource, operation, Duration::from_millis(millis)));
            assert_eq!(key.to_string(), text);
        }
        for bad in ["", "start", "start_0", "_start_0", "vip_start_x", "vip_start_-1"] {
            assert!(bad.parse::<OperationKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_magic_survives_the_round_trip() {
        assert!("0:0;-1:1:0:xxxxxxxx-xxxx".parse::<TransitionMagic>().is_ok(), "as before 1.0");
        let text = "0:7;12:-1:7:1a2b-3c";
        let magic: TransitionMagic = text.parse().expect("well formed");
        assert_eq!((magic.rc, magic.key.action, magic.key.transition), (OcfRc::NotRunning, 12, -1));
        assert_eq!(magic.to_string(), text);
        for bad in ["", "0:0", "0;1:2:3:u", "0:0;1:2:u", "x:0;1:2:3:u"] {
            assert!(bad.parse::<TransitionMagic>().is_err(), "{bad:?}");
        }
    }
}
