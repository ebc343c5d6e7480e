import Glibc

/// Begins this program anew with hashing that is the same each time, unless it is already.
///
/// Dictionaries are seeded by their address otherwise, so that whoever walks through one does so in another order in
/// each run; a seed should replay even if somebody did that by mistake.
func insistOnDeterministicHashing() {
    let name = "SWIFT_DETERMINISTIC_HASHING"
    guard getenv(name) == nil, setenv(name, "1", 1) == 0 else { return }
    // Comes back only if it fails, and then everything but the order of walks is as it should be.
    execv("/proc/self/exe", CommandLine.unsafeArgv)
}
