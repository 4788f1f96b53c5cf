//! systoled.
