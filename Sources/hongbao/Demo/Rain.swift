import AsyncHTTPClient
import Crypto
import Foundation
import HongbaoProto
import HongbaoServer
import Synchronization

/// One red packet rain from start to audit: what `hongbao demo` plays.
struct Rain: Sendable {
    struct Options: Sendable {
        let people: Int
        let seconds: Int
        let rate: Int
        let campaign: String
        let data: String?
        let port: Int
        let endsAfterAudit: Bool
    }

    let options: Options

    private static let batchSize = 100
    private static let campaignKey = "spring-festival-2022"
    /// The order rule of the scene `rain`: so many rewards can one person get.
    private static let ordersPerPerson = 20 * 2 * 10
    private static let stagesPerRain = 20

    /// What the client knows: every person's acknowledged grants, to be compared with what the wallets show.
    struct Person: Sendable {
        let id: UInt64
        let app: String
        let jwt: String
    }

    /// - Returns: whether everything that was checked holds.
    func play() async throws -> Bool {
        let process = ProcessInfo.processInfo.processIdentifier
        let folder = options.data ?? NSTemporaryDirectory() + "hongbao-demo-\(process)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer {
            if options.data == nil {
                do {
                    try FileManager.default.removeItem(atPath: folder)
                } catch {
                    say("can't remove \(folder): \(error)")
                }
            }
        }
        let servers = try Servers(options: options, folder: folder)
        defer { servers.stop() }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: Self.clientConfiguration)
        let api = DemoClient(
            client: client,
            base: servers.address,
            serviceKey: servers.serviceKey,
            campaign: Self.campaignKey
        )
        do {
            let isSound = try await play(api, servers)
            try await client.shutdown()
            return isSound
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    private static var clientConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        // Who has paid at the cashier is sent back to its page.
        configuration.redirectConfiguration = .disallow
        return configuration
    }

    private func play(_ api: DemoClient, _ servers: Servers) async throws -> Bool {
        say("server   \(servers.address)  (data in \(servers.dataFolder))")
        say("outside  \(servers.sandboxAddress)  (the sandbox: delays, failures, lost and doubled callbacks)")
        for system in ["payments", "transfers"] {
            try await api.keepFromFailing(system, at: servers.sandboxAddress)
        }
        let people = try await gather(api)
        say("people   \(people.count) on \(Set(people.map(\.app)).count) apps")

        let ledger = Acknowledged(count: people.count)
        try await rain(api, people, ledger)
        let isShown = try await compareWallets(api, people, ledger)
        let isPaid = try await withdraw(api, people)
        let packets = PacketPlay(
            api: api,
            people: people,
            campaign: Self.campaignKey,
            granted: { ledger.note(1, $0) },
            say: { say($0) }
        )
        let arePacketsSound = try await packets.play()
        let evening = NewYearPlay(
            api: api,
            campaign: Self.campaignKey,
            granted: { ledger.noteOthers($0) },
            say: { say($0) }
        )
        let isEveningSound = try await evening.play()
        try await drain(api)
        let audit = try ChildProcess.run(Self.program, ["audit", "--data", servers.dataFolder])
        say("")
        say(audit.output.trimmingCharacters(in: .whitespacesAndNewlines))
        let isConfirmed = try confirm(servers, ledger)
        let isSound = isShown && isPaid && arePacketsSound && isEveningSound && isConfirmed && audit.code == 0
        say(isSound ? "everything holds" : "something does not hold: see above")
        if !options.endsAfterAudit, let person = people.first {
            say("")
            say("wallet   \(servers.address)/wallet?campaign=\(Self.campaignKey)#jwt=\(person.jwt)")
            say("Ctrl-C ends the demo")
            await Interrupt.wait()
        }
        return isSound
    }

    // MARK: People

    private func gather(_ api: DemoClient) async throws -> [Person] {
        let apps = try await api.apps()
        return try await concurrently(options.people, width: 64) { index in
            let app = apps[index % apps.count]
            let (id, jwt) = try await api.logIn(app: app, user: "demo-\(index)")
            return Person(id: id, app: app, jwt: jwt)
        }
    }

    // MARK: Rain

    /// Grants in batches, as the campaign's back-ends send them; meanwhile some people look at their wallets.
    private func rain(_ api: DemoClient, _ people: [Person], _ ledger: Acknowledged) async throws {
        let began = ContinuousClock.now
        let end = began + .seconds(options.seconds)
        let next = Turns()
        let batchCount = (people.count * Self.ordersPerPerson + Self.batchSize - 1) / Self.batchSize
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    while ContinuousClock.now < end {
                        let index = next.take()
                        guard index < batchCount else { return }
                        if options.rate > 0 {
                            let due = began + .seconds(Double(index * Self.batchSize) / Double(options.rate))
                            try await Task.sleep(until: min(due, end))
                            if due >= end { return }
                        }
                        try await grant(index, api, people, ledger)
                    }
                }
            }
            group.addTask {
                while ContinuousClock.now < end, next.taken < batchCount {
                    guard let person = people.randomElement() else { return }
                    _ = try await api.wallet(person.jwt)
                    ledger.noteShown()
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
            group.addTask {
                while ContinuousClock.now < end, next.taken < batchCount {
                    try await Task.sleep(for: .seconds(1))
                    try await report(api, ledger, since: began)
                }
            }
            try await group.waitForAll()
        }
        let elapsed = (ContinuousClock.now - began) / .seconds(1)
        say(
            "rained   \(ledger.count) grants in \(String(format: "%.1f", elapsed)) s: "
                + "\(Int(Double(ledger.count) / elapsed)) a second, \(AuditText.yuan(Int128(ledger.total)))"
        )
    }

    /// Batch `index` of the rain: 100 people in turn, each time with the next order number of their rule.
    private func grant(_ index: Int, _ api: DemoClient, _ people: [Person], _ ledger: Acknowledged) async throws {
        var batch = WireGrantBatch()
        var owners: [Int] = []
        for position in index * Self.batchSize..<(index + 1) * Self.batchSize {
            let (round, owner) = position.quotientAndRemainder(dividingBy: people.count)
            guard round < Self.ordersPerPerson else { break }
            var request = WireGrantRequest()
            request.campaign = Self.campaignKey
            request.scene = "rain"
            request.rain = UInt32(round / Self.stagesPerRain + 1)
            request.awardType = UInt32(round % Self.stagesPerRain / 10 + 1)
            request.stage = UInt32(round % 10)
            request.person = people[owner].id
            request.app = people[owner].app
            request.amount = Int64(1 + (position &* 7919) % 200)
            batch.grants.append(request)
            owners.append(owner)
        }
        try acknowledge(try await api.grant(batch), batch, owners, ledger)
        // One batch in fifty is sent twice, as after a lost reply: it must change nothing.
        if index % 50 == 0 {
            for result in try await api.grant(batch).results where !result.replayed {
                throw StartFault("order \(result.order) was granted twice")
            }
        }
    }

    private func acknowledge(
        _ answer: WireGrantBatchResult,
        _ batch: WireGrantBatch,
        _ owners: [Int],
        _ ledger: Acknowledged
    ) throws {
        guard answer.results.count == batch.grants.count else { throw StartFault("a batch was answered in part") }
        for (position, result) in answer.results.enumerated() {
            if result.hasError {
                guard result.error.retryable else { throw StartFault("refused: \(result.error.code)") }
                ledger.noteRefused()
                continue
            }
            ledger.note(owners[position], batch.grants[position].amount)
        }
    }

    private func report(_ api: DemoClient, _ ledger: Acknowledged, since began: ContinuousClock.Instant) async throws {
        let metrics = try await api.metrics()
        let seconds = max(1, Int((ContinuousClock.now - began) / .seconds(1)))
        let posted = metrics["hongbao_postings_total"] ?? 0
        let backlog = metrics["hongbao_backlog_grants"] ?? 0
        let drain = backlog / max(1, posted / Double(seconds))
        say(
            "\(pad(seconds, 3)) s  granted \(pad(ledger.count, 9))  shown \(pad(ledger.shown, 6))  "
                + "posted \(pad(Int(posted), 9))  backlog \(pad(Int(backlog), 8))  "
                + "drains in \(String(format: "%.1f", drain)) s"
        )
    }

    // MARK: Wallets

    /// Every wallet must show what its owner was promised, posted or not (TK-6).
    private func compareWallets(_ api: DemoClient, _ people: [Person], _ ledger: Acknowledged) async throws -> Bool {
        let wrong = try await concurrently(people.count, width: 64) { index in
            let wallet = try await api.wallet(people[index].jwt)
            ledger.noteShown()
            return wallet.isComplete && wallet.income == ledger.amount(of: index) && wallet.balance == wallet.income
        }.count { !$0 }
        say(wrong == 0 ? "wallets  all \(people.count) show what was granted" : "wallets  \(wrong) show something else")
        return wrong == 0
    }

    /// People take their money out: some all of it, some half.
    private func withdraw(_ api: DemoClient, _ people: [Person]) async throws -> Bool {
        let count = min(people.count, 500)
        let states = try await concurrently(count, width: 32) { index in
            let person = people[index * people.count / count]
            let balance = try await api.wallet(person.jwt).balance
            let amount = index.isMultiple(of: 2) ? balance : balance / 2
            guard amount > 0 else { return "paid" }
            try await api.withdraw(person.jwt, id: "demo-\(index)", amount: amount)
            for attempt in 0..<300 {
                let state = try await api.withdrawalState(person.jwt, id: "demo-\(index)")
                if state != "pending" { return state }
                try await Task.sleep(for: .milliseconds(attempt < 10 ? 100 : 500))
            }
            return "pending"
        }
        let paid = states.count { $0 == "paid" }
        let failed = states.count { $0 == "failed" }
        let pending = states.count { $0 == "pending" }
        say("withdrew \(paid) paid, \(failed) failed and given back, \(pending) pending")
        return pending == 0
    }

    private func drain(_ api: DemoClient) async throws {
        let began = ContinuousClock.now
        while let backlog = try await api.metrics()["hongbao_backlog_grants"], backlog > 0 {
            say("posting  \(Int(backlog)) to go")
            try await Task.sleep(for: .seconds(1))
        }
        say("drained  in \(String(format: "%.1f", (ContinuousClock.now - began) / .seconds(1))) s")
    }

    /// The audit's sums must be those that the clients were told.
    private func confirm(_ servers: Servers, _ ledger: Acknowledged) throws -> Bool {
        let audit = try ChildProcess.run(Self.program, ["audit", "--data", servers.dataFolder, "--json"])
        guard let report = try JSONSerialization.jsonObject(with: Data(audit.output.utf8)) as? [String: Any],
            let totals = report["totals"] as? [String: Any]
        else { throw StartFault("hongbao audit --json: \(audit.output)") }
        let posted = (totals["grantsPosted"] as? NSNumber)?.intValue ?? -1
        let fen = (totals["postedFen"] as? NSNumber)?.int64Value ?? -1
        let agrees = posted == ledger.count && fen == ledger.total
        say(
            "clients  were told of \(ledger.count) grants, \(AuditText.yuan(Int128(ledger.total))): "
                + (agrees ? "the same" : "NOT the same")
        )
        return agrees
    }

    // MARK: Small things

    static var program: String { CommandLine.arguments[0].contains("/") ? CommandLine.arguments[0] : "/proc/self/exe" }

    private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    private func pad(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// The clients' own books: what the server has acknowledged to them.
private final class Acknowledged: Sendable {
    private struct Sums {
        var amounts: [Int64]
        var count = 0
        var total: Int64 = 0
        var shown = 0
        var refused = 0
    }

    private let sums: Mutex<Sums>

    init(count: Int) { sums = Mutex(Sums(amounts: Array(repeating: 0, count: count))) }

    func note(_ owner: Int, _ amount: Int64) {
        sums.withLock { sums in
            sums.amounts[owner] += amount
            sums.count += 1
            sums.total += amount
        }
    }
    /// Granted to somebody who isn't among those in the rain.
    func noteOthers(_ amount: Int64) {
        sums.withLock { sums in
            sums.count += 1
            sums.total += amount
        }
    }
    func noteShown() { sums.withLock { $0.shown += 1 } }
    func noteRefused() { sums.withLock { $0.refused += 1 } }
    func amount(of owner: Int) -> Int64 { sums.withLock { $0.amounts[owner] } }
    var count: Int { sums.withLock { $0.count } }
    var total: Int64 { sums.withLock { $0.total } }
    var shown: Int { sums.withLock { $0.shown } }
}
