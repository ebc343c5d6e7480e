import Foundation
import Glibc
import Synchronization

/// A TCP port of loopback that nobody listens on, and that no other test gets as long as this process lives. It's below
/// those that the system gives to clients, so a server that ends can begin there again.
package func freePort() throws -> Int {
    for _ in 0..<100 {
        let port = Int.random(in: 10_000..<30_000)
        if isFree(port), PortRegister.shared.take(port) { return port }
    }
    throw NoFreePort()
}

private func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 }
    }
}

/// Which ports the tests of this machine have been given: a locked byte for each, in a file that they share.
private final class PortRegister: Sendable {
    static let shared = PortRegister()

    private let file: Int32
    private let taken = Mutex<Set<Int>>([])

    private init() {
        let path = FileManager.default.temporaryDirectory.appending(path: "hongbao-ports").path
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    }

    /// `false` when another test has it, of this process or of another one.
    func take(_ port: Int) -> Bool {
        guard taken.withLock({ $0.insert(port).inserted }) else { return false }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = off_t(port)
        lock.l_len = 1
        // Where there is no such file each process by itself has to do.
        return file < 0 || fcntl(file, Self.lockOfDescription, &lock) == 0
    }

    /// `F_OFD_SETLK`: held by the open file, so until the process ends, and not by its children.
    private static let lockOfDescription: Int32 = 37
}

private struct NoFreePort: Error, CustomStringConvertible {
    let description = "no free port"
}
