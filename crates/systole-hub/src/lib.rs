//! systole-hub.
