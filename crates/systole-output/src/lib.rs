//! systole-output.
