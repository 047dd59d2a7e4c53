//! The gateway's answering service, over real HTTP and real databases.

mod deadline;
mod door;
mod doubt;
mod fresh;
mod printed;
mod program;
mod rules;
mod site;
mod storable;
mod threats;
mod winner;
mod wire;
