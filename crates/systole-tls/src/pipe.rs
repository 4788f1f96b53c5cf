//! What stands between the TLS library and the network: two buffers that the library reads from and writes to.

#![expect(unsafe_code, reason = "the library calls back through C")]

use s2n_tls::{connection::Connection, error::Error};
use std::{
    cell::RefCell,
    ffi::{c_int, c_void},
    rc::Rc,
};

/// Ciphertext on its way in and out.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub incoming: Vec<u8>,
    /// How much of `incoming` the library has taken.
    pub taken: usize,
    pub outgoing: Vec<u8>,
}

/// A pipe shared with the library's callbacks.
pub(crate) type SharedPipe = Rc<RefCell<Pipe>>;

impl Pipe {
    pub(crate) fn put(&mut self, ciphertext: &[u8]) {
        self.incoming.drain(..self.taken);
        self.taken = 0;
        self.incoming.extend_from_slice(ciphertext);
    }

    /// How many bytes the library has not taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.incoming.len() - self.taken
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let n = buffer.len().min(self.waiting());
        buffer[..n].copy_from_slice(&self.incoming[self.taken..self.taken + n]);
        self.taken += n;
        n
    }
}

/// Makes `connection` read from and write to `pipe`, which has to live at least as long.
pub(crate) fn attach(connection: &mut Connection, pipe: &SharedPipe) -> Result<(), Error> {
    let context = Rc::as_ptr(pipe).cast_mut().cast::<c_void>();
    connection.set_receive_callback(Some(receive))?.set_send_callback(Some(send))?;
    // SAFETY: the callbacks below take the context for what it is, a `RefCell<Pipe>`, and use it by shared reference
    // only; the session keeps its `Rc` until after the connection is dropped.
    unsafe {
        connection.set_receive_context(context)?.set_send_context(context)?;
    }
    Ok(())
}

/// As read(2): -1 with `EWOULDBLOCK` when there is nothing.
unsafe extern "C" fn receive(context: *mut c_void, buffer: *mut u8, length: u32) -> c_int {
    // SAFETY: `attach` gave a pointer to a `RefCell<Pipe>` that lives, and the library is not given it on two threads.
    let pipe = unsafe { &*context.cast::<RefCell<Pipe>>() };
    // SAFETY: the library asks for at most `length` bytes into a buffer of its own; it lets nobody else at it meanwhile.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, length as usize) };
    match pipe.borrow_mut().take(buffer) {
        0 => would_block(),
        n => c_int::try_from(n).unwrap_or(c_int::MAX),
    }
}

/// As write(2); there is always room, what is sent being bounded by the caller.
unsafe extern "C" fn send(context: *mut c_void, buffer: *const u8, length: u32) -> c_int {
    // SAFETY: as in `receive`.
    let pipe = unsafe { &*context.cast::<RefCell<Pipe>>() };
    // SAFETY: the library hands over `length` readable bytes for the time of the call.
    let buffer = unsafe { std::slice::from_raw_parts(buffer, length as usize) };
    pipe.borrow_mut().outgoing.extend_from_slice(buffer);
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

fn would_block() -> c_int {
    errno::set_errno(errno::Errno(EWOULDBLOCK));
    -1
}

/// Of Linux on every architecture Rust has.
const EWOULDBLOCK: i32 = 11;
