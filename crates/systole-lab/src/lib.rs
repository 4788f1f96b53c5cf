//! systole-lab.
