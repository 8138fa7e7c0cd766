//! egressctl: Istio's egress gateway in one binary.
//!
//! A *Call* meets a *Snapshot* and becomes a *Decision*; carrying it out gives an *Outcome*; rules turn Call and Outcome
//! into *Entries*. The modules stand in floors, and **a module may use only modules that stand earlier in this list**
//! (a test reads the paths). Floors 1 and 3 are pure: no file, socket, thread or clock.

// Floor 1, words: what can be said.
pub mod diagnostic;
pub mod expr;
pub mod resource;
pub mod manifest;

// Floor 2, memory: what was declared, counted and recorded, and who is who.
pub mod state;
pub mod metrics;
pub mod registry;
pub mod accesslog;
pub mod identity;

// Floor 3, judgement: what was asked, and what shall be done.
pub mod call;
pub mod policy;
pub mod routing;
pub mod snapshot;
pub mod decision;
pub mod analysis;

// Floor 4, wire: doing it.
pub mod upstream;
pub mod otlp;
pub mod proxy;
pub mod sandbox;

// Floor 5, doors: people and programs.
pub mod node;
pub mod cli;
