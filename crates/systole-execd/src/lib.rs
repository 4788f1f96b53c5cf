//! systole-execd.
