//! Stories of the whole house: the real programs, on loopback, on every kind of store and both databases.

#[path = "faults.rs"]
mod faults;
mod peers;
mod road;
mod stage;
