import Foundation
import HongbaoCore
import HongbaoEngine
import Synchronization

/// Stands in for what brings shares to people's change, and isn't what is measured: lets everybody wait, as a system
/// that hangs does, or says at once that all is paid.
final class BenchTransfers: PayoutChannel {
    private let answers: Atomic<Bool>

    init(answers: Bool) { self.answers = Atomic(answers) }

    /// From now on everything is paid at once, also what waits.
    func answer() { answers.store(true, ordering: .relaxed) }

    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] {
        await isAnswering() ? orders.map { .paid($0.amount) } : orders.map { _ in .unreachable }
    }

    func query(_ orders: [String]) async -> [PayoutReport] {
        await isAnswering() ? orders.map { _ in .processing } : orders.map { _ in .unreachable }
    }

    /// Answers `false` when the caller's patience has ended.
    private func isAnswering() async -> Bool {
        while !answers.load(ordering: .relaxed) {
            do {
                try await Task.sleep(for: .milliseconds(50))
            } catch {
                return false
            }
        }
        return true
    }
}

/// A system outside that takes connections on loopback and never answers.
final class SilentListener {
    let url: String
    private let socket: Int32

    init() throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw BenchFault("no socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socket, pointer, length) == 0 && listen(socket, 128) == 0
                    && getsockname(socket, pointer, &length) == 0
            }
        }
        guard result else { throw BenchFault("can't listen: errno \(errno)") }
        url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }

    /// Whoever waits for an answer is told that there is none.
    func close() { _ = Foundation.close(socket) }
}
