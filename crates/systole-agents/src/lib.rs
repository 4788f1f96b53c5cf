//! systole-agents.
