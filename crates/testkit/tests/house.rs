//! Stories of the whole house: the real programs, on loopback, on every kind of store and both databases.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod attack;
mod bench;
mod cards;
mod care;
mod contract;
mod enumeration;
mod est;
mod faults;
mod files;
mod foreign;
mod foreign_ground;
mod left_behind;
mod messages;
mod operator;
mod others;
mod paths;
mod peers;
mod pkits;
mod road;
mod service;
mod shortages;
mod stage;
mod successor;
mod token;
