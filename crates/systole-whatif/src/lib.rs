//! systole-whatif.
