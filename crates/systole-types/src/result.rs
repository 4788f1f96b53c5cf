//! What came of an operation: the agent's exit code and how its execution went.

use std::fmt;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// Any other number, kept as it is.
            Other(i32),
        }

        impl $name {
            /// The number as written in the CIB.
            pub const fn code(self) -> i32 {
                match self { $(Self::$variant => $code,)* Self::Other(code) => code }
            }

            /// The value for a number read from the CIB or an agent.
            pub const fn from_code(code: i32) -> Self {
                match code { $($code => Self::$variant,)* other => Self::Other(other) }
            }
        }

        impl fmt::Display for $name {
            /// The words Pacemaker's tools print.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant => f.pad($text),)* Self::Other(_) => f.pad("unknown") }
            }
        }
    };
}

codes! {
    /// An agent's exit code as the OCF standard numbers them. LSB and systemd results are mapped to these.
    /// Source: Pacemaker Administration, "OCF Return Codes".
    OcfRc {
        /// 0: success; for a monitor, running.
        Ok = 0, "ok";
        /// 1: generic failure.
        Error = 1, "error";
        /// 2: parameters cannot work on this host.
        InvalidParam = 2, "invalid parameter";
        /// 3: the action is not implemented.
        Unimplemented = 3, "unimplemented feature";
        /// 4: permission denied.
        InsufficientPrivilege = 4, "insufficient privileges";
        /// 5: something the agent needs is missing on this host.
        NotInstalled = 5, "not installed";
        /// 6: parameters cannot work on any host.
        NotConfigured = 6, "not configured";
        /// 7: cleanly stopped.
        NotRunning = 7, "not running";
        /// 8: running and promoted.
        Promoted = 8, "promoted";
        /// 9: promoted and failed.
        FailedPromoted = 9, "promoted (failed)";
        /// 190: running, with something amiss.
        Degraded = 190, "degraded";
        /// 191: promoted, with something amiss.
        DegradedPromoted = 191, "promoted (degraded)";
    }
}

codes! {
    /// How the execution of an operation went, apart from what the agent said: `op-status`.
    /// Source: the CIB as Pacemaker 2.1.5 and 3.0 write it.
    OpStatus {
        /// −1: sent, no result yet.
        Pending = -1, "pending";
        /// 0: the agent ran to its end.
        Done = 0, "complete";
        /// 1: given up before it ran.
        Cancelled = 1, "Cancelled";
        /// 2: the agent was killed at its timeout.
        TimedOut = 2, "Timed Out";
        /// 3: the agent does not know the action.
        NotSupported = 3, "NOT SUPPORTED";
        /// 4: failed; may be tried again here.
        Error = 4, "Error";
        /// 5: failed; not to be tried again on this node.
        HardError = 5, "Hard error";
        /// 6: failed; not to be tried again anywhere.
        FatalError = 6, "Fatal error";
        /// 7: the agent is missing.
        NotInstalled = 7, "Not installed";
        /// 8: no connection to the executor.
        NotConnected = 8, "Internal communication failure";
        /// 9: not valid in this state.
        Invalid = 9, "Cannot execute now";
        /// 10: no fence device.
        NoFenceDevice = 10, "No fence device";
        /// 11: secret parameters could not be had.
        NoSecrets = 11, "CIB secrets unavailable";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_round_trip() {
        for code in -3..256 {
            assert_eq!(OcfRc::from_code(code).code(), code);
            assert_eq!(OpStatus::from_code(code).code(), code);
        }
    }
}
