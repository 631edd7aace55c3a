//! Foreign judges.
