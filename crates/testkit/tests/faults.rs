//! Faults that the house must survive.
