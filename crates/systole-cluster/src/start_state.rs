//! `PCMK_node_start_state`: whether a node begins in standby, whatever the CIB says of it.

use std::{fmt, str::FromStr};

/// How a node is to begin, when its daemon has started or a remote node is connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartState {
    /// As the CIB says.
    #[default]
    Default,
    /// In standby, until an administrator ends that.
    Standby,
    /// Not in standby.
    Online,
}

impl StartState {
    /// The value that the node's attribute `standby` gets; `None` if it stays as it is.
    pub const fn standby(self) -> Option<bool> {
        match self {
            Self::Default => None,
            Self::Standby => Some(true),
            Self::Online => Some(false),
        }
    }
}

/// A word that is none of `default`, `standby` and `online`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no start state: default, standby and online are")]
pub struct NotAStartState(String);

impl FromStr for StartState {
    type Err = NotAStartState;

    fn from_str(text: &str) -> Result<Self, NotAStartState> {
        let states = [Self::Default, Self::Standby, Self::Online];
        let found = states.into_iter().find(|state| state.to_string().eq_ignore_ascii_case(text));
        found.ok_or_else(|| NotAStartState(text.to_owned()))
    }
}

impl fmt::Display for StartState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Default => "default",
            Self::Standby => "standby",
            Self::Online => "online",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_states_are_read_in_any_case() {
        for (text, state, standby) in [
            ("default", StartState::Default, None),
            ("Standby", StartState::Standby, Some(true)),
            ("ONLINE", StartState::Online, Some(false)),
        ] {
            assert_eq!(text.parse(), Ok(state));
            assert_eq!(state.standby(), standby, "{text}");
        }
        assert!("asleep".parse::<StartState>().is_err());
    }
}
