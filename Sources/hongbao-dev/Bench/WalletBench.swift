import Crypto
import Foundation
import GRDB
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoSQLite
import HongbaoServer

/// Wallets: the first page of the statement, of people with 20 posted grants and 3 that aren't posted.
struct WalletBench: Sendable {
    let bench: Bench

    static let people = 10_000
    static let posted = 20
    private static let unposted = 3
    private static let pageSize = 20
    static let callers = 16

    func run() async throws -> [Figure] {
        try await bench.withFolder { folder in
            let data = "\(folder)/data"
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
            let keyring = try Server.loadKeyring(folder: data, isNew: true)
            let inProcess = try await bench.withEngine(folder: data, keyring: keyring) { engine in
                try await Self.prepare(engine)
                return try await measureInProcess(engine, data)
            }
            return inProcess + (try await measureHTTP(data, keyring))
        }
    }

    static func prepare(_ engine: Engine) async throws {
        let source = GrantSource(people: people)
        for _ in 0..<people * posted / 1_000 { _ = try await engine.granting.grantAll(source.next(1_000)) }
        try await engine.granting.waitUntilPosted()
        engine.poster.setPaused(true)
        for _ in 0..<people * unposted / 1_000 { _ = try await engine.granting.grantAll(source.next(1_000)) }
    }

    static func book(_ engine: Engine) throws -> BookID {
        let campaign = engine.campaigns.current.campaign(GrantSource.campaign)
        guard let phase = campaign?.phaseShown(at: engine.clock.now()) else { throw BenchFault("no phase is open") }
        return phase.book
    }

    // MARK: In process

    private func measureInProcess(_ engine: Engine, _ data: String) async throws -> [Figure] {
        let turns = Turns()
        let plain = try PlainRows(folder: data)
        let book = try Self.book(engine)
        let rows = Figure(name: "rows alone, by GRDB's records", unit: "reads/s")
        let pages = Figure(name: "in process", unit: "reads/s", goal: 15_000, baseline: rows.name)
        return try await bench.measure([
            Measurement(pages) {
                try await bench.rate(callers: Self.callers) {
                    try await Self.readPage(engine, GrantSource.person(turns.take() % Self.people))
                    return 1
                }
            },
            Measurement(rows) {
                try await bench.rate(callers: Self.callers) {
                    try await plain.read(GrantSource.person(turns.take() % Self.people), book, count: Self.posted)
                    return 1
                }
            },
        ])
    }

    static func readPage(_ engine: Engine, _ person: PersonID) async throws {
        let answer = await engine.wallets.read(person: person, campaign: GrantSource.campaign)
        guard case .wallet(let reading) = answer, reading.missing.isEmpty else {
            throw BenchFault("no wallet: \(answer)")
        }
        let page = reading.view.page(after: nil, limit: pageSize)
        guard page.entries.count == pageSize, page.next != nil, reading.view.pending > .zero else {
            throw BenchFault("a page of \(page.entries.count) entries, \(reading.view.pending.fen) fen pending")
        }
    }

    /// The same rows of the ledger, in the same number, without tokens, merge, sorting and deadline.
    private final class PlainRows: Sendable {
        private let pool: DatabasePool

        private struct Row: Decodable, FetchableRecord {
            let person: Int64
            let part: Int64
            let amount: Int64
            let at: Int64
            let app: Int64
        }

        init(folder: String) throws {
            var configuration = GRDB.Configuration()
            configuration.readonly = true
            configuration.maximumReaderCount = 4
            pool = try DatabasePool(path: "\(folder)/\(SQLiteStore.fileName)", configuration: configuration)
        }

        func read(_ person: PersonID, _ book: BookID, count: Int) async throws {
            let first = Int64(book.rawValue) << 48
            let found = try await pool.read { database in
                try Row.fetchAll(
                    database,
                    sql: "SELECT person, part, amount, at, app FROM transfer WHERE person = ? AND part BETWEEN ? AND ?",
                    arguments: [Int64(bitPattern: person.rawValue), first, first | (1 << 48 - 1)]
                )
            }
            guard found.count == count else { throw BenchFault("\(found.count) rows instead of \(count)") }
        }
    }

    // MARK: Over HTTP

    /// The real server on the same data, posting so slowly that the tokens stay unposted.
    private func measureHTTP(_ data: String, _ keyring: Keyring) async throws -> [Figure] {
        let constant = Figure(name: "constant answer over HTTP", unit: "requests/s")
        let statement = Figure(name: "statement over HTTP", unit: "reads/s", goal: 15_000, baseline: constant.name)
        let balance = Figure(name: "balance over HTTP", unit: "reads/s", baseline: constant.name)
        let requests = try Self.requests(keyring)
        let server = try ServerProcess.hongbao(
            data: data,
            campaign: bench.campaignFile,
            serviceKey: "not-used",
            settings: ["HONGBAO_POSTING_RATE": "1"]
        )
        defer { server.stop() }
        let baseline = try ServerProcess.constant()
        defer { baseline.stop() }
        let constants = [Array("POST /v1/grants HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".utf8)]
        return try await bench.measure([
            Measurement(statement, value: { try await load(server.port, requests.statements, bodyBytesMin: 2_000) }),
            Measurement(balance, value: { try await load(server.port, requests.balances, bodyBytesMin: 100) }),
            Measurement(constant, value: { try await load(baseline.port, constants, bodyBytesMin: 100) }),
        ])
    }

    private func load(_ port: UInt16, _ requests: [[UInt8]], bodyBytesMin: Int) async throws -> Double {
        let turns = Turns()
        let load = HTTPLoad(port: port, threads: 2, connectionsPerThread: 32, bodyBytesMin: bodyBytesMin) {
            $0 = requests[turns.take() % requests.count]
        }
        return try await load.rate(seconds: bench.seconds)
    }

    /// Signed as the demo's account centre does.
    private static func requests(_ keyring: Keyring) throws -> (statements: [[UInt8]], balances: [[UInt8]]) {
        let accounts = try DemoAccounts(DemoConfiguration(seed: keyring.jwtSeed.withUnsafeBytes { Array($0) }))
        let now = WallClock.system.now()
        var statements: [[UInt8]] = []
        var balances: [[UInt8]] = []
        for index in 0..<people {
            let jwt = try accounts.token(for: GrantSource.person(index), app: GrantSource.app, at: now)
            let rest = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(jwt)\r\n\r\n"
            let campaign = "campaign=\(GrantSource.campaign)"
            statements.append(Array("GET /v1/wallet/statement?\(campaign)&limit=\(pageSize)\(rest)".utf8))
            balances.append(Array("GET /v1/wallet?\(campaign)\(rest)".utf8))
        }
        return (statements, balances)
    }
}
