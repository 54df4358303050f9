//! What is shown: log and status.
