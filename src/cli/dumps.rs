//! Dumps: the memory of this program holds passwords, and is neither written to a core file nor shown to other programs of its account.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Keeps the memory of this process to itself, its environment included; root may look all the same.
pub(super) fn forbid() {
    // A kernel that knows no such thing runs the program as well.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_not_dumped() {
        forbid();
        assert_eq!(rustix::process::dumpable_behavior().ok(), Some(DumpableBehavior::NotDumpable));
    }
}
