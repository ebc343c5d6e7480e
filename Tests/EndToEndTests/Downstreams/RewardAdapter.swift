import AsyncHTTPClient
import Crypto
import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import Logging
import NIOCore
import NIOHTTP1
import Testing

/// An adapter of downstreams, as the contract's tests know it. A new adapter is a case here, and passes all of them.
enum RewardAdapter: String, CaseIterable, Sendable {
    /// Of kinds without a downstream.
    case own
    case http

    /// Those with a system behind them, which may be slow, wrong or gone.
    static let outside: [RewardAdapter] = allCases.filter(\.hasOutside)

    private var hasOutside: Bool { self != .own }

    /// An adapter that reaches the downstream of a kind at an address: the sandbox's, or somebody's who talks nonsense.
    func channel(
        _ kind: RewardKind,
        at base: String,
        deadline: Int64 = 30_000,
        secret: String = "hongbao-sandbox"
    ) -> any RewardChannel {
        switch self {
        case .own: return OwnRewards()
        case .http:
            let client = SignedClient(
                client: .shared,
                key: SymmetricKey(data: Array(secret.utf8)),
                deadlineMilliseconds: deadline
            ) { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            return HTTPRewardChannel(kind, client: client, base: base, logger: logger)
        }
    }
}

/// The built sandbox with its downstreams, of which a test takes one.
struct RewardBench: Sendable {
    let adapter: RewardAdapter
    let kind: RewardKind
    let program: BuiltProgram
    private let folder: TemporaryFolder

    init(_ adapter: RewardAdapter, _ kind: RewardKind = .tea, options: [String] = []) async throws {
        self.adapter = adapter
        self.kind = kind
        folder = try TemporaryFolder()
        program = try await Self.start(folder, port: "0", options)
    }

    private static func start(_ folder: TemporaryFolder, port: String, _ options: [String]) async throws -> BuiltProgram
    {
        try await BuiltProgram(
            "hongbao-dev",
            ["sandbox", "--port", port, "--data", folder.file("journal.log")] + options
        )
    }

    private init(restarting bench: RewardBench) async throws {
        adapter = bench.adapter
        kind = bench.kind
        folder = bench.folder
        let port = try #require(bench.program.firstLine.split(separator: ":").last)
        program = try await Self.start(folder, port: String(port), [])
    }

    /// Killed with SIGKILL, and started again on its journal at the same port.
    func restarted() async throws -> RewardBench {
        program.kill(SIGKILL)
        #expect(try await program.exitCode() == -SIGKILL)
        return try await RewardBench(restarting: self)
    }

    func base(_ kind: RewardKind) -> String { "\(program.firstLine)/downstreams/\(kind.rawValue)" }

    func channel(_ kind: RewardKind? = nil, deadline: Int64 = 30_000, secret: String = "hongbao-sandbox")
        -> any RewardChannel
    {
        let kind = kind ?? self.kind
        return adapter.channel(kind, at: base(kind), deadline: deadline, secret: secret)
    }

    /// Has the downstream take on habits, in the form of the sandbox's settings.
    func behave(_ habits: String) async throws {
        var request = HTTPClientRequest(url: "\(program.firstLine)/settings/downstreams/\(kind.rawValue)")
        request.method = .PUT
        request.body = .bytes(ByteBuffer(string: habits))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 16))
        let isTaken = response.status == .ok
        try #require(isTaken, "\(text)")
    }

    /// What the downstream has given, by its own word; `nil` when there is nobody to ask.
    func given(_ kind: RewardKind? = nil) async throws -> [RewardOrder]? {
        if adapter == .own { return nil }
        let lines = try await get("/downstreams/\((kind ?? self.kind).rawValue)/given").split(separator: "\n")
        return try lines.dropFirst().map { line in
            let words = line.split(separator: ",").map(String.init)
            try #require(words.count == 4)
            return RewardOrder(
                order: words[0],
                person: PersonID(try #require(UInt64(words[1]))),
                template: TemplateID(try #require(UInt32(words[2])))
            )
        }
    }

    /// What the downstream of an adapter that has one has given.
    func gifts() async throws -> [RewardOrder] { try #require(try await given()) }

    func get(_ path: String) async throws -> String {
        let request = HTTPClientRequest(url: program.firstLine + path)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let isTaken = response.status == .ok
        try #require(isTaken)
        return String(buffer: try await response.body.collect(upTo: 16 << 20))
    }

    func end() async throws {
        program.kill(SIGTERM)
        #expect(try await program.exitCode() == 0)
    }

    /// Order numbers as grants have them, of persons from `first` on.
    static func orders(_ count: Int, from first: UInt64 = 1, template: UInt32 = 1_966_981) -> [RewardOrder] {
        (0..<UInt64(count)).map { index in
            let person = PersonID(first + index)
            let scene = SceneID(book: BookID(campaign: 7, phase: .live), number: 3)
            let order = OrderNumber(person: person, scene: scene, rain: RainID(1), awardType: 1, stage: 0)
            return RewardOrder(order: "\(order)", person: person, template: TemplateID(template))
        }
    }
}

extension RewardReport {
    static func fault(_ kind: RewardFault.Kind, _ code: RewardCode) -> RewardReport {
        .failed(RewardFault(kind, code))
    }

    var isGranted: Bool { self == .granted }
}
