//! systole-scheduler.
