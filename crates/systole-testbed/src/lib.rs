//! systole-testbed.
