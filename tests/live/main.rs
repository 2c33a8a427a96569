//! Real commands on a real kernel. One module per concern:
//!
//! - [`seeds`]: the five tests that the project began with.
//! - [`journal`], [`journal_entries`], [`journal_outages`]: alerts read back from a real journald, well and unwell.
//! - [`health`]: the sensor about itself.
//! - [`lineage`]: attempts to leave the watched tree or to overfill it.
//! - [`accounting`]: numbered acts, counted.
//! - [`load`]: as much as the machine can.
//! - [`acts`]: ways to open, rename, connect and exec that hooks miss if they are naive.
//! - [`removals`]: files taken away, and packages that erase themselves.
//! - [`quiet`], [`signal`]: honest packages.
//! - [`attacks`]: what real attacks did.
//! - [`refusals`], [`captures`], [`rules`], [`outputs`], [`signals`], [`names`]: bad input.
//! - [`verbs`]: the verbs beside `run`.
//! - [`daemon`], [`daemon_restart`]: what systemd starts.
//! - [`daemon_run`]: `run` without privileges, for which the daemon watches.
//! - [`steps`]: steps of CI jobs.
//! - [`daemon_store`]: the daemon's disk full, read-only, damaged.
//! - [`allow`]: alerts that the user silences.
//! - [`registries`]: where packages may be fetched from.
//! - [`ways_out`]: every way to reach an address. [`listens`]: to be reached. [`dns`], [`destinations`], [`resolvers`], [`real_names`]: the names of addresses.
//! - [`container`]: an install inside a container.

mod accounting;
mod acts;
mod allow;
mod attacks;
mod captures;
mod container;
mod daemon;
mod daemon_restart;
mod daemon_run;
mod daemon_store;
mod destinations;
mod dns;
mod health;
mod journal;
mod journal_entries;
mod journal_outages;
mod lineage;
mod listens;
mod load;
mod names;
mod outputs;
mod quiet;
mod raised;
mod real_names;
mod refusals;
mod registries;
mod removals;
mod resolvers;
mod rules;
mod seeds;
mod signal;
mod signals;
mod startup;
mod steps;
mod verbs;
mod ways_out;
