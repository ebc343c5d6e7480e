import Glibc
import HongbaoEngine
import Synchronization

/// The right to write into a data folder, held by one process at a time and given back when the process ends, however
/// it ends.
final class FolderLock: Sendable {
    static let fileName = "lock"

    private let descriptor: Mutex<Int32?>

    init(folder: String) throws(StoreError) {
        let path = "\(folder)/\(Self.fileName)"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0 else {
            let reason = String(cString: strerror(errno))
            throw StoreError(.unavailable, "can't write in the data folder \(folder): \(reason)")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.processNamed(in: file)
            close(file)
            throw StoreError(.unavailable, "\(folder) is in use by another hongbao process\(holder)")
        }
        // For people only: the lock itself is the kernel's.
        let number = "\(getpid())\n"
        _ = ftruncate(file, 0)
        _ = pwrite(file, number, number.utf8.count, 0)
        descriptor = Mutex(file)
    }

    deinit { release() }

    func release() {
        descriptor.withLock { descriptor in
            if let file = descriptor {
                // Closing alone wouldn't do: a child that was forked and hasn't executed its program holds it, too.
                flock(file, LOCK_UN)
                close(file)
            }
            descriptor = nil
        }
    }

    private static func processNamed(in file: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(file, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(0, count)).prefix { (0x30...0x39).contains($0) }
        return digits.isEmpty ? "" : " (\(String(decoding: digits, as: UTF8.self)))"
    }
}
