//! TLS 1.3 with a pre-shared key, as Pacemaker Remote speaks it, without I/O: bytes in, bytes out.
//!
//! Both ends prove that they know the key; there are no certificates and no anonymous sessions. What the key may look
//! like and why it is this library: `docs/decisions/tls-library.md`.

mod pipe;
mod session;

pub use session::{Key, MAX_KEY_BYTES, MIN_KEY_BYTES, Session, TlsError};
