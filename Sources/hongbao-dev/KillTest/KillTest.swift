import AsyncHTTPClient
import Crypto
import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Synchronization

/// Kills the real server with SIGKILL at random moments while clients load it over HTTP, starts it again on the same
/// data, and holds in the end that the ledger has exactly what the clients were told (GR-3, GR-5, M3 to M5).
struct KillTest: Sendable {
    struct Options: Sendable {
        /// The `hongbao` program.
        var program: String
        /// An empty folder for the server's data and its logs.
        var folder: String
        var campaignFile = "campaigns/spring-festival-2022.yaml"
        var kills = 50
        var seed: UInt64 = 1
        /// The longest that a server may live after it's ready.
        var livesMilliseconds = 250
        /// One in so many rounds is killed while it starts.
        var earlyKillsEvery = 8
        /// The data are audited after each so many kills, as the crash left them.
        var auditsEvery = 10
    }

    struct Report: Sendable {
        var kills = 0
        /// Of these, before the server was ready.
        var earlyKills = 0
        var sent = 0
        var acknowledged = 0
        var replayed = 0
        /// Booked, though the answer was lost with the server.
        var untold = 0
        var booked = 0
        var audits = 0
        /// From the start of a process to its first line, in order of size.
        var readyTimes: [Duration] = []
        var breachCount = 0
        var breaches: [String] = []

        var medianReady: Duration { readyTimes.isEmpty ? .zero : readyTimes[readyTimes.count / 2] }
        var longestReady: Duration { readyTimes.last ?? .zero }
    }

    let options: Options
    /// Called after each kill with how many there were and what is acknowledged.
    var onKill: @Sendable (_ kills: Int, _ acknowledged: Int) -> Void = { _, _ in }

    static let campaign = "spring-festival-2022"
    static let serviceKey = "kill-test"
    /// The setting that lets `serviceKey` in.
    static var serviceKeySetting: String {
        let digest = SHA256.hash(data: Array(serviceKey.utf8)).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        return "kill-test:\(digest.joined()):grant+read"
    }
    private static let forms: [GrantCaller.Form] = [
        .batches(100), .batches(40), .batches(7), .single, .single, .single,
    ]

    private var dataFolder: String { "\(options.folder)/data" }

    func run() async throws -> Report {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: Self.clientConfiguration)
        do {
            let report = try await run(client)
            try await client.shutdown()
            return report
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    private static var clientConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        // Nobody comes back at a port whose server was killed.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    private func run(_ client: HTTPClient) async throws -> Report {
        var random = Seeded(seed: options.seed)
        var report = Report()
        let book = GrantBook(scene: try Self.rainScene(options.campaignFile))
        while report.kills < options.kills {
            let isEarly = report.kills % options.earlyKillsEvery == options.earlyKillsEvery - 1
            if isEarly {
                try await killWhileStarting(report.readyTimes.last ?? .milliseconds(500), &random)
                report.earlyKills += 1
            } else {
                report.readyTimes.append(try await loadAndKill(client, book, &random))
            }
            report.kills += 1
            onKill(report.kills, book.counts.acknowledged)
            if report.kills.isMultiple(of: options.auditsEvery) {
                try await audit(book, "after kill \(report.kills)")
                report.audits += 1
            }
        }
        try await settle(client, book, &report, &random)
        try await audit(book, "at the end")
        report.audits += 1
        let booked = try await Self.bookedGrants(dataFolder)
        report.booked = booked.count
        report.untold = book.compare(with: booked)
        let counts = book.counts
        report.sent = counts.sent
        report.acknowledged = counts.acknowledged
        report.replayed = counts.replayed
        report.breachCount = counts.breaches
        report.breaches = book.breaches
        report.readyTimes.sort()
        return report
    }

    /// The scene that all grants are made in.
    static func rainScene(_ campaignFile: String) throws -> SceneID {
        guard case .loaded(let campaign, _) = try CampaignFile.load(path: campaignFile).reading,
            let scene = campaign.phase(.live)?.scenes.first(where: { $0.key == "rain" })
        else { throw KillTestFault("\(campaignFile): has no live scene `rain`") }
        return scene.id
    }

    // MARK: One life of a server

    private func start() throws -> StartedProgram {
        try StartedProgram(
            options.program,
            [
                "serve", "--data", dataFolder, "--port", "0", "--campaign", options.campaignFile, "--rehearse",
            ],
            environment: ["HONGBAO_SERVICE_KEYS": Self.serviceKeySetting, "HONGBAO_LOG_LEVEL": "warning"],
            errorFile: "\(options.folder)/server.log"
        )
    }

    /// A crash while the one before it is being recovered from.
    private func killWhileStarting(_ usual: Duration, _ random: inout Seeded) async throws {
        let server = try start()
        try await Task.sleep(for: usual * Double.random(in: 0..<1, using: &random))
        server.kill(SIGKILL)
        try await expectKilled(server)
    }

    /// - Returns: how long it took to be ready.
    private func loadAndKill(
        _ client: HTTPClient,
        _ book: GrantBook,
        _ random: inout Seeded
    ) async throws -> Duration {
        let began = ContinuousClock.now
        let server = try start()
        let address = try await server.firstLine()
        let ready = ContinuousClock.now - began
        let life = Duration.milliseconds(Int.random(in: 0...options.livesMilliseconds, using: &random))
        let caller = caller(client, address, book)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for form in Self.forms {
                var own = Seeded(seed: random.next())
                group.addTask { try await send(form, caller, &own) }
            }
            try await Task.sleep(for: life)
            server.kill(SIGKILL)
            try await group.waitForAll()
        }
        try await expectKilled(server)
        return ready
    }

    private func caller(_ client: HTTPClient, _ address: String, _ book: GrantBook) -> GrantCaller {
        GrantCaller(client: client, base: address, serviceKey: Self.serviceKey, campaign: Self.campaign, book: book)
    }

    /// Sends until the connection breaks.
    private func send(_ form: GrantCaller.Form, _ caller: GrantCaller, _ random: inout Seeded) async throws {
        while !Task.isCancelled {
            let count: Int
            switch form {
            case .batches(let most): count = Int.random(in: 1...most, using: &random)
            case .single: count = 1
            }
            do {
                try await caller.send(caller.book.take(count, &random), as: form)
            } catch is GrantCaller.Unanswered {
                return
            }
        }
    }

    private func expectKilled(_ server: StartedProgram) async throws {
        let code = try await server.exitCode()
        guard code == -SIGKILL else {
            throw KillTestFault("the server ended by itself with \(code): \(server.errors.suffix(2000))")
        }
    }

    // MARK: The end

    /// The last life: some of both kinds are sent again, everything is posted, and the server ends as it should.
    private func settle(
        _ client: HTTPClient,
        _ book: GrantBook,
        _ report: inout Report,
        _ random: inout Seeded
    ) async throws {
        let began = ContinuousClock.now
        let server = try start()
        let address = try await server.firstLine()
        report.readyTimes.append(ContinuousClock.now - began)
        let caller = caller(client, address, book)
        let unanswered = book.unanswered()
        let again = unanswered.prefix(unanswered.count / 2) + book.sample(400, &random)
        for start in stride(from: 0, to: again.count, by: 100) {
            let part = again[start..<min(start + 100, again.count)]
            try await caller.send(Array(part), as: start.isMultiple(of: 200) ? .batches(100) : .single)
        }
        let end = ContinuousClock.now + .seconds(60)
        while try await caller.backlog() > 0 {
            guard ContinuousClock.now < end else {
                book.breach("the backlog isn't posted after 60 s")
                break
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        server.kill(SIGTERM)
        let code = try await server.exitCode()
        guard code == 0 else {
            throw KillTestFault("SIGTERM: the server ended with \(code): \(server.errors.suffix(2000))")
        }
    }

    private func audit(_ book: GrantBook, _ when: String) async throws {
        let (code, output, errors) = try await StartedProgram.run(options.program, ["audit", "--data", dataFolder])
        if code != 0 { book.breach("audit \(when) exits with \(code):\n\(output)\(errors)") }
    }

    /// All grants in the ledger of a data folder.
    static func bookedGrants(_ dataFolder: String) async throws -> [OrderNumber: Int64] {
        let store = try SQLiteStore(folder: dataFolder, access: .readOnly)
        let booked = try await store.read { (snapshot) throws(StoreError) in
            var booked: [OrderNumber: Int64] = [:]
            var last: TransferID?
            while true {
                let page = try snapshot.transfers(after: last, limit: 4096)
                for transfer in page {
                    if let order = transfer.id.order { booked[order] = transfer.amount.fen }
                }
                guard let end = page.last else { return booked }
                last = end.id
            }
        }
        try await store.close()
        return booked
    }
}

/// Why a kill test can't go on.
struct KillTestFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
