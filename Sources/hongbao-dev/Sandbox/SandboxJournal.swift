import Foundation
import NIOPosix
import ServiceLifecycle
import Synchronization

/// An append-only file with one fsync for all lines that came together.
final class SandboxJournal: Service {
    private struct Pending {
        var bytes: [UInt8] = []
        var waiters: [CheckedContinuation<Void, any Error>] = []
        var isClosed = false
    }

    struct Closed: Error {}

    private let file: FileHandle
    private let pending = Mutex(Pending())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// Opens or creates the file and answers its text. A last line without an end, which a crash left, is cut off.
    static func open(_ path: String) throws -> (SandboxJournal, text: String) {
        if !FileManager.default.fileExists(atPath: path) {
            guard FileManager.default.createFile(atPath: path, contents: nil) else {
                throw CocoaError(.fileWriteUnknown)
            }
        }
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let data = try file.readToEnd() ?? Data()
        let whole = data.lastIndex(of: UInt8(ascii: "\n")).map { data.prefix(through: $0) } ?? Data()
        try file.truncate(atOffset: UInt64(whole.count))
        try file.seekToEnd()
        return (SandboxJournal(file), String(decoding: whole, as: UTF8.self))
    }

    private init(_ file: FileHandle) {
        self.file = file
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Queues lines. Call it under the lock that decided on them, so that they stand in that order.
    func append(_ lines: String) { pending.withLock { $0.bytes.append(contentsOf: lines.utf8) } }

    /// Returns when all that was appended before is on disk.
    func flush() async throws {
        try await withCheckedThrowingContinuation { continuation in
            let isClosed = pending.withLock {
                if !$0.isClosed { $0.waiters.append(continuation) }
                return $0.isClosed
            }
            if isClosed { continuation.resume(throwing: Closed()) } else { signal.yield() }
        }
    }

    /// Runs until graceful shutdown, and writes what is left.
    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() { await write() }
        pending.withLock { $0.isClosed = true }
        await write()
        try file.close()
    }

    private func write() async {
        let batch = pending.withLock { pending in
            defer { pending = Pending(isClosed: pending.isClosed) }
            return pending
        }
        do {
            if !batch.bytes.isEmpty {
                let file = file
                try await NIOThreadPool.singleton.runIfActive {
                    try file.write(contentsOf: Data(batch.bytes))
                    try file.synchronize()
                }
            }
            for waiter in batch.waiters { waiter.resume() }
        } catch {
            for waiter in batch.waiters { waiter.resume(throwing: error) }
        }
    }
}
