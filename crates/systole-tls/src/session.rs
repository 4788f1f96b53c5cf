//! One end of a session.

use crate::pipe::{SharedPipe, attach};
use s2n_tls::{
    config::{Builder, Config},
    connection::Connection,
    enums::{Blinding, Mode, PskHmac, Version},
    error::Error,
    psk::Psk,
    security::DEFAULT_TLS13,
};
use std::task::Poll;

/// The shortest key accepted. Source: RFC 9257, section 6.
pub const MIN_KEY_BYTES: usize = 16;

/// The longest key accepted. Pacemaker's documentation has one make 4,096 bytes.
///
/// The library was seen to fail with twice as many.
pub const MAX_KEY_BYTES: usize = 16_384;

/// The identity that goes with the key; stock daemons since 3.0 accept no other.
const IDENTITY: &[u8] = b"lrmd";

/// How much plaintext is taken out of the library at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Why there is no session (any more).
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A key that nobody could use.
    #[error("the key has {length} bytes; it must have {MIN_KEY_BYTES} to {MAX_KEY_BYTES}")]
    KeyLength {
        /// Its length.
        length: usize,
    },
    /// The peer says that it has another key, or none.
    #[error("the peer does not accept this key")]
    Key(#[source] Error),
    /// The handshake failed for another reason; most often the keys differ and the peer does not say so.
    #[error("the TLS handshake failed (is the key the same on both ends?)")]
    Handshake(#[source] Error),
    /// The peer ended the session in good order.
    #[error("the peer closed the session")]
    Closed,
    /// The peer broke the protocol, or its bytes were tampered with.
    #[error("the TLS session failed")]
    Protocol(#[from] Error),
}

/// The key both ends share.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// The bytes of the key file, all of them.
    ///
    /// # Errors
    /// If there are too few or too many.
    pub fn new(bytes: Vec<u8>) -> Result<Self, TlsError> {
        if (MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(TlsError::KeyLength { length: bytes.len() })
        }
    }

    fn psk(&self) -> Result<Psk, Error> {
        let mut builder = Psk::builder()?;
        builder.set_identity(IDENTITY)?.set_secret(&self.0)?.set_hmac(PskHmac::SHA256)?;
        builder.build()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// One end of a session. Give it what comes from the network ([`Self::receive`]), send what it wants sent
/// ([`Self::take_outgoing`]).
#[derive(Debug)]
pub struct Session {
    // Dropped before the pipe it holds a pointer to.
    connection: Connection,
    pipe: SharedPipe,
    is_established: bool,
    /// Plaintext on its way out of the library.
    chunk: Box<[u8]>,
}

impl Session {
    /// The end that connected. Has something to send at once.
    ///
    /// # Errors
    /// If the library has no memory.
    pub fn client(key: &Key) -> Result<Self, TlsError> {
        let mut session = Self::new(Mode::Client, key)?;
        session.negotiate()?;
        Ok(session)
    }

    /// The end that was connected to.
    ///
    /// # Errors
    /// If the library has no memory.
    pub fn server(key: &Key) -> Result<Self, TlsError> {
        Self::new(Mode::Server, key)
    }

    fn new(mode: Mode, key: &Key) -> Result<Self, TlsError> {
        let pipe = SharedPipe::default();
        let mut connection = Connection::new(mode);
        connection
            .set_config(config()?)?
            // Otherwise the library sleeps for seconds after an error; we drop the connection and that is that.
            .set_blinding(Blinding::SelfService)?;
        attach(&mut connection, &pipe)?;
        connection.append_psk(&key.psk()?)?;
        let chunk = vec![0; CHUNK_BYTES].into_boxed_slice();
        Ok(Self { connection, pipe, is_established: false, chunk })
    }

    /// Whether both ends have proved that they know the key.
    pub fn is_established(&self) -> bool {
        self.is_established
    }

    /// Takes ciphertext from the network, and appends what it holds to `plaintext`. After an error nothing more will
    /// come; there may be an alert to send all the same.
    ///
    /// # Errors
    /// If the peer does not know the key, breaks the protocol or has closed the session.
    pub fn receive(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), TlsError> {
        self.pipe.borrow_mut().put(ciphertext);
        if !self.is_established {
            self.negotiate()?;
        }
        if !self.is_established {
            return Ok(());
        }
        loop {
            match self.connection.poll_recv(&mut self.chunk) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(TlsError::Closed),
                Poll::Ready(Ok(n)) => plaintext.extend_from_slice(&self.chunk[..n]),
                Poll::Ready(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Puts `plaintext` in records of its own, which [`Self::take_outgoing`] then has.
    ///
    /// # Errors
    /// If the session is not established or has failed.
    pub fn send(&mut self, mut plaintext: &[u8]) -> Result<(), TlsError> {
        while !plaintext.is_empty() {
            match self.connection.poll_send(plaintext) {
                Poll::Ready(Ok(n)) => plaintext = &plaintext[n..],
                Poll::Ready(Err(error)) => return Err(error.into()),
                // The pipe always has room.
                Poll::Pending => return Err(TlsError::Closed),
            }
        }
        Ok(())
    }

    /// Tells the peer that nothing more will come.
    pub fn close(&mut self) {
        // What matters is that the alert is in the pipe; whether the peer answers does not.
        let _ = self.connection.poll_shutdown_send();
    }

    /// What is to be sent to the peer.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pipe.borrow_mut().outgoing)
    }

    fn negotiate(&mut self) -> Result<(), TlsError> {
        match self.connection.poll_negotiate() {
            Poll::Pending => Ok(()),
            Poll::Ready(Err(error)) => Err(self.refusal(error)),
            Poll::Ready(Ok(_)) => {
                let has_key = self.connection.negotiated_psk_identity_length().is_ok_and(|length| length > 0);
                let is_tls13 = self.connection.actual_protocol_version()? == Version::TLS13;
                if !has_key || !is_tls13 {
                    return Err(TlsError::Closed);
                }
                self.is_established = true;
                Ok(())
            }
        }
    }

    /// Why a handshake failed, by what the peer said last.
    fn refusal(&self, error: Error) -> TlsError {
        /// Source: RFC 8446, section 6.2.
        const HANDSHAKE_FAILURE: u8 = 40;
        const ILLEGAL_PARAMETER: u8 = 47;
        const DECRYPT_ERROR: u8 = 51;
        const INSUFFICIENT_SECURITY: u8 = 71;
        const UNKNOWN_PSK_IDENTITY: u8 = 115;
        let alert = self.connection.alert();
        let is_refusal = alert.is_some_and(|alert| {
            [HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, DECRYPT_ERROR, INSUFFICIENT_SECURITY, UNKNOWN_PSK_IDENTITY]
                .contains(&alert)
        });
        if is_refusal { TlsError::Key(error) } else { TlsError::Handshake(error) }
    }
}

fn config() -> Result<Config, Error> {
    let mut builder = Builder::new();
    builder.with_system_certs(false)?.set_security_policy(&DEFAULT_TLS13)?;
    builder.build()
}
