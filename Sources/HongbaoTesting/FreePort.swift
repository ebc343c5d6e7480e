import Foundation

/// A TCP port of loopback that nobody listens on. It's below those that the system gives to clients, so a server that
/// ends can begin there again.
package func freePort() throws -> Int {
    for _ in 0..<100 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        let port = UInt16.random(in: 10_000..<30_000)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isFree = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 }
        }
        if isFree { return Int(port) }
    }
    throw NoFreePort()
}

private struct NoFreePort: Error, CustomStringConvertible {
    let description = "no free port"
}
