//! systole-cluster.
