import AsyncHTTPClient
import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import NIOCore
import NIOHTTP1

/// Measures how long a server takes from its start until it's ready, on data with many orders, as kill -9 leaves them.
struct RestartTime: Sendable {
    struct Options: Sendable {
        /// The `hongbao` program.
        var program: String
        /// An empty folder.
        var folder: String
        var campaignFile = "campaigns/spring-festival-2022.yaml"
        var orders = 1_000_000
        /// How many of the orders aren't posted when the process is killed.
        var unposted = 10_000
        /// Grants in one call: how full the batches of the log are.
        var callSize = 1_000
        var repetitions = 5
    }

    struct Report: Sendable {
        let fileBytes: Int
        let logBytes: Int
        let batches: UInt64
        /// Each in order of size.
        let readyTimes: [Duration]
        /// Of all cores together, for the same starts: depends less on who else uses them.
        let processorTimes: [Duration]
    }

    let options: Options
    var progress: @Sendable (String) -> Void = { _ in }

    private static let files = ["hongbao.sqlite", "hongbao.sqlite-wal", "keyring"]

    func run() async throws -> Report {
        let image = "\(options.folder)/image"
        try FileManager.default.createDirectory(atPath: image, withIntermediateDirectories: true)
        let batches = try await fill(image)
        func size(_ name: String) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(image)/\(name)")
            return (attributes[.size] as? NSNumber)?.intValue ?? 0
        }
        var times: [(ready: Duration, processor: Duration)] = []
        for number in 1...options.repetitions {
            times.append(try await start(on: image, number))
            progress("start \(number): ready after \(times[number - 1].ready.milliseconds) ms")
        }
        return Report(
            fileBytes: try size(Self.files[0]),
            logBytes: try size(Self.files[1]),
            batches: batches,
            readyTimes: times.map(\.ready).sorted(),
            processorTimes: times.map(\.processor).sorted()
        )
    }

    /// Grants all orders through a real engine, and copies its files while it's idle and open: what SIGKILL would
    /// leave, with what SQLite's log has not moved into the file yet.
    ///
    /// - Returns: how many batches the log has.
    private func fill(_ image: String) async throws -> UInt64 {
        let data = "\(options.folder)/filled"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        let keyring = Keyring()
        try keyring.create(path: "\(data)/keyring")
        let bench = try Bench(
            repetitions: 1,
            seconds: 1,
            only: "",
            parent: options.folder,
            campaignFile: options.campaignFile
        )
        let options = options
        let progress = progress
        let batches = try await bench.withEngine(folder: data, keyring: keyring) { engine in
            let source = GrantSource(people: max(1, options.orders / 5))
            let posted = options.orders - options.unposted
            try await Self.grant(posted, of: source, options, engine, progress)
            try await engine.granting.waitUntilPosted()
            engine.poster.setPaused(true)
            try await Self.grant(options.unposted, of: source, options, engine, progress)
            for name in Self.files {
                try FileManager.default.copyItem(atPath: "\(data)/\(name)", toPath: "\(image)/\(name)")
            }
            return try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.mints().reduce(0) { $0 + $1.lastSequence }
            }
        }
        try FileManager.default.removeItem(atPath: data)
        return batches
    }

    private static func grant(
        _ count: Int,
        of source: GrantSource,
        _ options: Options,
        _ engine: Engine,
        _ progress: @Sendable (String) -> Void
    ) async throws {
        var rest = count
        var isSaid = 0
        while rest > 0 {
            // Several calls at a time, as servers have them; one after another would be a sync for each.
            rest -= try await withThrowingTaskGroup(of: Int.self) { group in
                var left = rest
                for _ in 0..<32 where left > 0 {
                    let size = min(options.callSize, left)
                    left -= size
                    group.addTask { try await engine.granting.grantAll(source.next(size)) }
                }
                return try await group.reduce(0, +)
            }
            if source.taken / 250_000 > isSaid {
                isSaid = source.taken / 250_000
                progress("\(source.taken) orders granted")
            }
        }
    }

    /// Starts the real server on a copy of the image, asks until it says that it's ready, and kills it.
    private func start(on image: String, _ number: Int) async throws -> (ready: Duration, processor: Duration) {
        let data = "\(options.folder)/start-\(number)"
        try FileManager.default.copyItem(atPath: image, toPath: data)
        let began = ContinuousClock.now
        let server = try StartedProgram(
            options.program,
            ["serve", "--data", data, "--port", "0", "--campaign", options.campaignFile, "--rehearse"]
        )
        let address = try await server.firstLine()
        while try await !isReady(address) { try await Task.sleep(for: .milliseconds(1)) }
        let time = ContinuousClock.now - began
        let processor = try Self.processorTime(of: server.pid)
        guard server.errors.contains(#""orders":"\#(options.orders)""#) else {
            throw KillTestFault("the server didn't recover \(options.orders) orders: \(server.errors.suffix(2000))")
        }
        server.kill(SIGKILL)
        _ = try await server.exitCode()
        try FileManager.default.removeItem(atPath: data)
        return (time, processor)
    }

    /// What a process has used so far, to the hundredth of a second.
    private static func processorTime(of pid: Int32) throws -> Duration {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // After the name in parentheses: state is field 3, user and system time are fields 14 and 15.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Int64(fields[12]), let system = Int64(fields[13]) else {
            throw KillTestFault("an odd /proc/\(pid)/stat: \(text)")
        }
        return .milliseconds((user + system) * 1000 / Int64(sysconf(Int32(_SC_CLK_TCK))))
    }

    private func isReady(_ address: String) async throws -> Bool {
        let request = HTTPClientRequest(url: "\(address)/readyz")
        return try await HTTPClient.shared.execute(request, timeout: .seconds(10)).status == .ok
    }
}

extension Duration {
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
