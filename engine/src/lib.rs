//! The engine of densebots.
#![deny(unsafe_code)]

pub mod limits;
pub mod net;
mod sys;
pub mod time;
pub mod timers;
