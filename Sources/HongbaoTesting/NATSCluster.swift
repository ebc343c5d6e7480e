import Foundation
import Glibc
import Synchronization

/// Real servers of NATS with JetStream on loopback, with ports and folders of their own. They end with this object, and
/// with this process, however that ends.
package final class NATSCluster: Sendable {
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    private struct Place: Sendable {
        let port: Int
        let routePort: Int
        let monitorPort: Int
    }

    private struct Running: Sendable {
        let program: StartedProgram
        let watchdog: StartedProgram
    }

    private let places: [Place]
    private let folder: TemporaryFolder
    private let running: Mutex<[Int: Running]>

    package var count: Int { places.count }

    /// `nats://127.0.0.1:…,127.0.0.1:…`
    package var address: String { "nats://\(places.map { "127.0.0.1:\($0.port)" }.joined(separator: ","))" }

    private let options: [String]

    /// Starts them, and waits until each can be talked to.
    ///
    /// - Parameter options: what each `nats-server` is started with, in addition.
    package init(count: Int = 3, _ options: [String] = []) async throws {
        self.options = options
        folder = try TemporaryFolder()
        var places: [Place] = []
        for _ in 0..<count {
            places.append(
                Place(
                    port: try freePort(),
                    routePort: try freePort(),
                    monitorPort: try freePort()
                )
            )
        }
        self.places = places
        running = Mutex([:])
        try await startAll()
    }

    package func startAll() async throws {
        for index in places.indices where running.withLock({ $0[index] }) == nil { try start(index) }
        for index in places.indices { try await untilReady(index) }
    }

    /// Starts one, again on its files.
    package func start(_ index: Int) throws {
        let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map { "\($0)/nats-server" }
        let installed = folders.first(where: FileManager.default.isExecutableFile)
        guard let path = installed ?? RedisProcess.find("nats-server") else {
            throw Fault(description: "nats-server isn't here: scripts/install test, or Debian's package nats-server")
        }
        let place = places[index]
        var arguments = [
            "--addr", "127.0.0.1", "--port", "\(place.port)", "--http_port", "\(place.monitorPort)",
            "--name", "n\(index)", "--jetstream", "--store_dir", folder.file("n\(index)"),
        ]
        if places.count > 1 {
            let routes = places.map { "nats://127.0.0.1:\($0.routePort)" }.joined(separator: ",")
            arguments += ["--cluster_name", "hongbao", "--cluster", "nats://127.0.0.1:\(place.routePort)"]
            arguments += ["--routes", routes]
        }
        let program = try StartedProgram(path, arguments + options, errorFile: folder.file("log\(index)"))
        // This process may be killed, too.
        let watchdog = try StartedProgram(
            "/bin/sh",
            [
                "-c", "while kill -0 $0 && kill -0 $1; do sleep 1; done; kill -0 $0 || kill -9 $1",
                "\(getpid())", "\(program.pid)",
            ]
        )
        running.withLock { $0[index] = Running(program: program, watchdog: watchdog) }
    }

    private func untilReady(_ index: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while await get("/healthz", of: index)?.contains("200 OK") != true {
            let hasEnded = running.withLock { $0[index]?.program.codeIfEnded } != nil
            guard !hasEnded, ContinuousClock.now < deadline else {
                let log = (FileManager.default.contents(atPath: folder.file("log\(index)")) ?? Data()).suffix(1_500)
                throw Fault(description: "nats-server isn't ready: \(String(decoding: log, as: UTF8.self))")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Ends one at once, and waits for its end.
    package func kill(_ index: Int) async throws {
        guard let running = running.withLock({ $0.removeValue(forKey: index) }) else { return }
        running.program.kill(SIGKILL)
        _ = try await running.program.exitCode()
    }

    package func killAll() async throws {
        for index in places.indices { try await kill(index) }
    }

    /// They have lost everything. Only when none runs.
    package func removeFiles() throws {
        for index in places.indices { try FileManager.default.removeItem(atPath: folder.file("n\(index)")) }
    }

    package func signal(_ signal: Int32, _ index: Int) { running.withLock { $0[index] }?.program.kill(signal) }

    /// Which leads the stream of that name; `nil` when there's none at present.
    package func leader(of stream: String = "HONGBAO") async -> Int? {
        for index in places.indices where running.withLock({ $0[index] }) != nil {
            guard let text = await get("/jsz?streams=true", of: index),
                let start = text.firstRange(of: "\"stream_detail\""),
                let name = text[start.upperBound...].firstRange(of: "\"name\": \"\(stream)\""),
                let leader = text[name.upperBound...].firstRange(of: "\"leader\": \"n"),
                let number = Int(text[leader.upperBound...].prefix(1))
            else { continue }
            return number
        }
        return nil
    }

    /// What its monitor answers.
    private func get(_ path: String, of index: Int) async -> String? {
        let port = places[index].monitorPort
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: Self.get(path, port: port)) }
        }
    }

    private static func get(_ path: String, port: Int) -> String? {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        let request = Array("GET \(path) HTTP/1.0\r\n\r\n".utf8)
        guard code == 0, send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            return nil
        }
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &part, part.count, 0)
            guard count > 0 else { break }
            answer += part.prefix(count)
        }
        return String(decoding: answer, as: UTF8.self)
    }
}
