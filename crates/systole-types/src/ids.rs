//! Names of things, one type per kind of thing, cheap to clone.

use std::{borrow::Borrow, fmt, sync::Arc};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Eq, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl PartialEq for $name {
            /// Names that were read together share their text: then no letter has to be looked at.
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl $name {
            /// Wraps `text` as it is; whether such a thing exists is for the caller to find out.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text as users write it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<Arc<str>> for $name {
            /// Shares the text.
            fn from(text: Arc<str>) -> Self {
                Self(text)
            }
        }

        impl From<&$name> for Arc<str> {
            /// Shares the text.
            fn from(id: &$name) -> Self {
                Self::clone(&id.0)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

id! {
    /// A node's name (`uname`) as users write it: of a cluster, remote, guest or bundle node.
    NodeId
}
id! {
    /// The `id` of a `<node>` or `<node_state>`: Corosync's number as text for a cluster node, the name for others.
    NodeUuid
}
id! {
    /// The name of a resource or an instance of one: `vip`, `web:0`, `haproxy-bundle-podman-1`.
    ResourceId
}
id! {
    /// The `id` of any element of the CIB, for messages to people.
    ElementId
}
