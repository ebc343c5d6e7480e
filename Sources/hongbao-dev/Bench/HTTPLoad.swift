import Foundation
import Synchronization

/// Sends requests over keep-alive connections and counts the answers.
///
/// Blocking sockets on a few threads of its own: it shares the cores with the server that it measures, so it must cost
/// little. Each connection has one request under way; a thread goes round its connections, reading one answer and
/// sending the next request, so all of them stay busy as long as answers come about in order.
struct HTTPLoad: Sendable {
    let port: UInt16
    let threads: Int
    let connectionsPerThread: Int
    /// The least that the body of a good answer has, in bytes.
    let bodyBytesMin: Int
    /// Writes the next request over the old one, which is empty at first.
    let prepare: @Sendable (inout [UInt8]) -> Void

    /// Answers a second.
    func rate(seconds: Double) async throws -> Double {
        let outcome = Outcome(threads: threads)
        let began = ContinuousClock.now
        let end = began + .seconds(seconds)
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            for _ in 0..<threads {
                Thread {
                    let result = Result { try self.work(until: end) }
                    if outcome.add(result) { done.resume() }
                }.start()
            }
        }
        return Double(try outcome.answers()) / began.duration(to: .now).inSeconds
    }

    private final class Outcome: Sendable {
        private struct State {
            var running: Int
            var answers = 0
            var fault: (any Error)?
        }

        private let state: Mutex<State>

        init(threads: Int) { state = Mutex(State(running: threads)) }

        /// Answers whether this was the last thread.
        func add(_ result: Result<Int, any Error>) -> Bool {
            state.withLock { state in
                switch result {
                case .success(let count): state.answers += count
                case .failure(let fault): state.fault = fault
                }
                state.running -= 1
                return state.running == 0
            }
        }

        func answers() throws -> Int {
            try state.withLock { state in
                if let fault = state.fault { throw fault }
                return state.answers
            }
        }
    }

    private func work(until end: ContinuousClock.Instant) throws -> Int {
        let connections = try (0..<connectionsPerThread).map { _ in try Connection(port: port) }
        defer { for connection in connections { connection.close() } }
        var requests = [[UInt8]](repeating: [], count: connections.count)
        var scratch = [UInt8](repeating: 0, count: 256 << 10)
        for (index, connection) in connections.enumerated() {
            prepare(&requests[index])
            try connection.send(requests[index])
        }
        var answers = 0
        while ContinuousClock.now < end {
            for (index, connection) in connections.enumerated() {
                try connection.receive(&scratch, bodyBytesMin: bodyBytesMin)
                answers += 1
                prepare(&requests[index])
                try connection.send(requests[index])
            }
        }
        for connection in connections {
            try connection.receive(&scratch, bodyBytesMin: bodyBytesMin)
            answers += 1
        }
        return answers
    }
}

/// One blocking connection to loopback.
struct Connection {
    private let socket: Int32

    init(port: UInt16) throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw BenchFault("no socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(socket, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw BenchFault("can't connect: errno \(errno)") }
        var on: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    func close() { _ = Foundation.close(socket) }

    func send(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Foundation.send(
                    socket,
                    UnsafeRawBufferPointer(rebasing: bytes[sent...]).baseAddress,
                    bytes.count - sent,
                    Int32(MSG_NOSIGNAL)
                )
                guard count > 0 else { throw BenchFault("can't send: errno \(errno)") }
                sent += count
            }
        }
    }

    /// Reads one answer and answers its body's place in `scratch`, as far as it fitted there.
    @discardableResult
    func receive(_ scratch: inout [UInt8], bodyBytesMin: Int) throws -> Range<Int> {
        var filled = 0
        var head: (status: Int, end: Int, length: Int)?
        while head == nil {
            let from = filled
            let count = scratch.withUnsafeMutableBytes {
                recv(socket, $0.baseAddress.map { $0 + from }, $0.count - from, 0)
            }
            guard count > 0 else { throw BenchFault("the server closed the connection: errno \(errno)") }
            filled += count
            head = Self.head(scratch[..<filled])
        }
        guard let head else { throw BenchFault("an answer without a head") }
        guard head.status == 200, head.length >= bodyBytesMin else {
            throw BenchFault("answered \(head.status): \(String(decoding: scratch[..<filled], as: UTF8.self))")
        }
        var missing = head.end + head.length - filled
        while missing > 0 {
            // What doesn't fit is read over the rest: only its length counts.
            let from = min(filled, scratch.count - (64 << 10))
            let count = scratch.withUnsafeMutableBytes {
                recv(socket, $0.baseAddress.map { $0 + from }, $0.count - from, 0)
            }
            guard count > 0 else { throw BenchFault("the server closed the connection: errno \(errno)") }
            missing -= count
            filled += count
        }
        return head.end..<min(head.end + head.length, scratch.count)
    }

    private static let lengthName = Array("content-length: ".utf8)

    /// Status, where the body begins, and its length; `nil` when the head isn't complete.
    private static func head(_ bytes: ArraySlice<UInt8>) -> (status: Int, end: Int, length: Int)? {
        var length: Int?
        var lineStart = 0
        var index = 0
        while index + 1 < bytes.count {
            guard bytes[index] == 13, bytes[index + 1] == 10 else {
                index += 1
                continue
            }
            if index == lineStart {
                guard let length, bytes.count > 12 else { return nil }
                return (bytes[9..<12].reduce(0) { $0 * 10 + Int($1) - 48 }, index + 2, length)
            }
            if let value = value(of: bytes[lineStart..<index]) { length = value }
            index += 2
            lineStart = index
        }
        return nil
    }

    private static func value(of line: ArraySlice<UInt8>) -> Int? {
        guard line.count > lengthName.count, zip(line, lengthName).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) else {
            return nil
        }
        return line.dropFirst(lengthName.count).reduce(0) { $0 * 10 + Int($1) - 48 }
    }
}
