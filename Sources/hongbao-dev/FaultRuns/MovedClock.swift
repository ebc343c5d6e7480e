import Foundation
import HongbaoCore
import HongbaoTesting
import Synchronization

/// A wall clock that can be moved under running processes, by Debian's libfaketime. Their other clocks stay, and so do
/// their timers: the library takes every absolute timer for one of the wall clock and moves it, too, by which those of
/// Swift's tasks, set by the monotonic clock, never went off.
final class MovedClock: Sendable {
    private let file: String
    private let libraries: String
    /// Seconds ahead of the real clock.
    private let offset = Mutex<Int64>(0)

    private static let timers = """
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <sys/timerfd.h>
        #include <unistd.h>

        int timerfd_settime(int timer, int flags, const struct itimerspec *new, struct itimerspec *old) {
            return (int)syscall(SYS_timerfd_settime, timer, flags, new, old);
        }

        int timerfd_gettime(int timer, struct itimerspec *now) {
            return (int)syscall(SYS_timerfd_gettime, timer, now);
        }
        """

    init(folder: String) async throws {
        file = "\(folder)/clock"
        let root = "/usr/lib"
        let triples = try FileManager.default.contentsOfDirectory(atPath: root)
        let found = triples.lazy.map { "\(root)/\($0)/faketime/libfaketimeMT.so.1" }
            .first { FileManager.default.fileExists(atPath: $0) }
        guard let found else { throw KillTestFault("libfaketime isn't installed: apt-get install faketime") }
        let timers = try await PreloadedLibrary.compile(Self.timers, as: "timers", in: folder)
        libraries = "\(timers):\(found)"
    }

    /// For the processes whose clock it is.
    var environment: [String: String] {
        [
            "LD_PRELOAD": libraries, "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        ]
    }

    /// Removes what the library leaves in shared memory when a process is killed.
    static func cleanUp(after processes: [Int32]) throws {
        for name in processes.flatMap({ ["faketime_shm_\($0)", "sem.faketime_sem_\($0)"] }) {
            let path = "/dev/shm/\(name)"
            if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
        }
    }

    var now: Timestamp { Timestamp.now.advanced(bySeconds: offset.withLock { $0 }) }

    func move(to instant: Timestamp) throws {
        try set((instant.milliseconds - Timestamp.now.milliseconds) / 1000)
    }

    func move(by seconds: Int64) throws { try set(offset.withLock { $0 } + seconds) }

    private func set(_ seconds: Int64) throws {
        // Renamed into place, so that nobody reads half of it.
        let text = seconds < 0 ? "\(seconds)" : "+\(seconds)"
        try Data("\(text)\n".utf8).write(to: URL(filePath: file), options: .atomic)
        offset.withLock { $0 = seconds }
    }
}
