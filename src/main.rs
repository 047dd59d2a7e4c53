//! The `vitrina` command.

fn main() {}
