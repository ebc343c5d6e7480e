import Foundation
import HongbaoTesting

/// A disk that fails on demand under one process: a library, loaded before libc, through which SQLite's writes and
/// syncs go.
///
/// A failing sync is the hardest fault there is: what was written may be on the disk or not, and nobody can tell.
final class FailingDisk: Sendable {
    enum Fault: String, Sendable, CaseIterable {
        /// Writes fail with EIO.
        case writesFail = "wi"
        /// Writes fail with ENOSPC.
        case full = "wn"
        /// Syncs fail with EIO, after writes that worked.
        case syncsFail = "si"
    }

    private let library: String
    private let control: String
    private let failures: String

    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/types.h>
        #include <unistd.h>

        /* The error number for a call of this kind, or 0. */
        static int fault(char kind) {
            char text[2];
            int saved = errno;
            int file = open(getenv("HONGBAO_DISK_FAULT"), O_RDONLY | O_CLOEXEC);
            if (file < 0) { errno = saved; return 0; }
            ssize_t count = read(file, text, 2);
            close(file);
            if (count != 2 || text[0] != kind) { errno = saved; return 0; }
            /* A byte for each failure, so that the run knows that there were some. */
            file = open(getenv("HONGBAO_DISK_FAILURES"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            if (file >= 0) {
                count = write(file, text, 1);
                close(file);
            }
            return text[1] == 'n' ? ENOSPC : EIO;
        }

        ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
            static ssize_t (*real)(int, const void *, size_t, off64_t);
            int number = fault('w');
            if (number) { errno = number; return -1; }
            if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
            return real(file, bytes, count, offset);
        }

        int fdatasync(int file) {
            static int (*real)(int);
            int number = fault('s');
            if (number) { errno = number; return -1; }
            if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
            return real(file);
        }

        int fsync(int file) {
            static int (*real)(int);
            int number = fault('s');
            if (number) { errno = number; return -1; }
            if (!real) real = dlsym(RTLD_NEXT, "fsync");
            return real(file);
        }
        """

    /// - Parameter folder: where the library and its control file are put.
    init(folder: String) async throws {
        control = "\(folder)/disk-fault"
        failures = "\(folder)/disk-failures"
        library = try await PreloadedLibrary.compile(Self.source, as: "failing-disk", in: folder)
    }

    /// For the process whose disk it is.
    var environment: [String: String] {
        ["LD_PRELOAD": library, "HONGBAO_DISK_FAULT": control, "HONGBAO_DISK_FAILURES": failures]
    }

    /// From now on the disk fails like this; `nil`: it works.
    func set(_ fault: Fault?) throws {
        // Renamed into place, so that nobody reads half of it.
        try Data((fault?.rawValue ?? "--").utf8).write(to: URL(filePath: control), options: .atomic)
    }

    /// How many calls have failed.
    var failureCount: Int { FileManager.default.contents(atPath: failures)?.count ?? 0 }
}
