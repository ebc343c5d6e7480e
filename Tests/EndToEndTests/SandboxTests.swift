import AsyncHTTPClient
import Crypto
import Foundation
import Glibc
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoSQLite
import HongbaoTesting
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

/// Withdrawals over real HTTP, against the built `hongbao-dev sandbox` (WD-3, M9).
@Suite(.serialized, .timeLimit(.minutes(15))) struct SandboxTests {
    private static let book = BookID(campaign: 7, phase: .live)
    private static let scene = SceneID(book: book, number: 1)
    private static let secret = SymmetricKey(data: Array("hongbao-sandbox".utf8))
    private static let people: UInt64 = 30

    private static let now: @Sendable () -> Timestamp = {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }

    private static func makeStore(_ folder: TemporaryFolder) async throws -> SQLiteStore {
        let store = try SQLiteStore(folder: folder.path)
        let funding = Funding(pool: PoolID(scene), total: try #require(Amount(fen: 1_000_000)), revision: 1)
        _ = try await store.transact(Footprint(funding: [funding])) { $0.fund(funding, now: now()) }
        let transfers = try (1...people).map { person in
            let order = OrderNumber(person: PersonID(person), scene: scene, rain: RainID(1), awardType: 1, stage: 0)
            return Transfer(
                id: TransferID(order),
                debit: .budget(of: scene),
                credit: .person(PersonID(person), in: book),
                amount: try #require(Amount(fen: 500)),
                at: now(),
                postedAt: now()
            )
        }
        let outcomes = try await store.transact(Footprint(posting: transfers)) { books in
            transfers.map { books.ledger.post($0) }
        }
        #expect(outcomes.allSatisfy { $0 == .posted })
        return store
    }

    private static func payouts(
        _ store: SQLiteStore,
        _ base: String,
        _ mechanisms: PayoutPolicy.Mechanisms
    ) -> Payouts {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        var policy = PayoutPolicy()
        policy.mechanisms = mechanisms
        policy.backoffFirstMilliseconds = 100
        policy.backoffLongestMilliseconds = 1_000
        policy.sweepIntervalSeconds = 1
        policy.batchMax = 4
        var surroundings = Payouts.Surroundings(WallClock(now: now))
        surroundings.tickInterval = .milliseconds(20)
        surroundings.channelDeadline = .milliseconds(1_500)
        let channel = HTTPPayoutChannel(
            .payouts,
            client: SignedClient(client: .shared, key: secret, deadlineMilliseconds: 1_000, now: now),
            base: base,
            logger: logger
        )
        return Payouts(
            OutsideSystem.payouts.rawValue,
            store: store,
            rows: .payouts,
            calls: OutsideCalls(channel) { PayoutOrder($0) },
            policy: policy,
            seed: 1,
            digestKey: secret,
            surroundings: surroundings,
            alarms: Alarms(logger: logger),
            logger: logger
        )
    }

    private static func withdrawAll(_ store: SQLiteStore, _ payouts: Payouts) async throws {
        let withdrawals = Withdrawals(
            Shards(store),
            postNow: { (_, _) throws(StoreError) in },
            promised: { payouts.promised($0) }
        )
        for person in 1...people {
            let key = try #require(WithdrawalKey(person: PersonID(person), book: book, id: "w1"))
            let amount = try #require(Amount(fen: 100 + Int64(person)))
            let answer = await withdrawals.request(key, amount: amount, now: now(), isOpen: { _, _ in true })
            guard case .accepted = answer else {
                Issue.record("\(answer)")
                return
            }
        }
    }

    private static func withdrawals(_ store: SQLiteStore) async throws -> [Withdrawal] {
        try await store.read { (snapshot) throws(StoreError) in try snapshot.withdrawals(after: nil, limit: 1_000) }
    }

    /// Asks again and again: another process needs real time.
    private static func until(_ what: String, _ isSo: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(90)
        while try await !isSo() {
            try #require(ContinuousClock.now < end, "it never came: \(what)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private static func get(_ url: String) async throws -> String {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
        return String(buffer: try await response.body.collect(upTo: 1 << 20))
    }

    /// The daily files of today and, in case of midnight, yesterday, against the ledger: order by order.
    private static func checkDailyFile(_ base: String, _ store: SQLiteStore) async throws {
        var rows: [String: String] = [:]
        for day in [Date(), Date(timeIntervalSinceNow: -86_400)] {
            let text = day.formatted(.iso8601.year().month().day())
            for line in try await get("\(base)/daily-file?date=\(text)").split(separator: "\n").dropFirst() {
                let words = line.split(separator: ",").map(String.init)
                try #require(words.count == 5)
                #expect(rows.updateValue("\(words[1]) \(words[2]) \(words[3])", forKey: words[0]) == nil)
            }
        }
        let withdrawals = try await withdrawals(store)
        #expect(rows.count == withdrawals.count)
        for withdrawal in withdrawals {
            let expected = "\(withdrawal.key.person.rawValue) \(withdrawal.amount.fen) \(withdrawal.state)"
            #expect(rows[withdrawal.payoutOrder] == expected)
        }
        let paid = withdrawals.filter { $0.state == .paid }.reduce(0) { $0 + $1.amount.fen }
        let account = try await store.read { (snapshot) throws(StoreError) in
            try snapshot.account(.payouts(of: book))
        }
        #expect(account.credits.fen == paid)
        #expect(try await get("\(base)/payouts").contains("\"processing\":0,"))
    }

    /// Lost replies, lost callbacks, hangs and failures; then the channel itself is killed and started again.
    @Test func everyWithdrawalEndsThoughTheChannelIsKilled() async throws {
        let folder = try TemporaryFolder()
        let store = try await Self.makeStore(folder)
        let arguments = [
            "--data", folder.file("sandbox.log"), "--delay", "300", "--distribution", "exponential", "--failures",
            "200",
            "--lost-replies", "300", "--hangs", "100", "--lost-callbacks", "1000", "--seed", "5",
        ]
        let first = try await BuiltProgram("hongbao-dev", ["sandbox", "--port", "0"] + arguments)
        let base = first.firstLine
        let port = try #require(base.split(separator: ":").last)
        let payouts = Self.payouts(store, base, .all)
        try await runningUntilKilled([payouts]) {
            try await Self.withdrawAll(store, payouts)
            try await Self.until("some are final") {
                try await Self.withdrawals(store).count { $0.state != .pending } >= 5
            }
            first.kill(SIGKILL)
            #expect(try await first.exitCode() == -SIGKILL)
            let second = try await BuiltProgram("hongbao-dev", ["sandbox", "--port", "\(port)"] + arguments)
            try await Self.until("all are final") {
                try await Self.withdrawals(store).allSatisfy { $0.state != .pending }
            }
            try await Self.checkDailyFile(base, store)
            second.kill(SIGTERM)
            #expect(try await second.exitCode() == 0)
        }
        let states = try await Self.withdrawals(store).map(\.state)
        #expect(states.contains(.paid) && states.contains(.failed))
        try await store.close()
    }

    /// With queries and sweeps off, the sandbox's signed callbacks alone bring all to their end; some come thrice.
    @Test func signedCallbacksAlone() async throws {
        let folder = try TemporaryFolder()
        let store = try await Self.makeStore(folder)
        let target = Mutex<Payouts?>(nil)
        let door = CallbackGuard(key: Self.secret)
        let verdicts = Mutex<[CallbackVerdict]>([])
        let router = Router()
        router.post("v1/callbacks/payouts") { request, _ -> HTTPResponse.Status in
            let body = Array(try await request.body.collect(upTo: 65_536).readableBytesView)
            let verdict = door.check(request.headers, body: body, now: Self.now())
            verdicts.withLock { $0.append(verdict) }
            let order = try PayoutMessages.readCallback(body).order
            target.withLock { $0 }?.callback(order: order)
            return .noContent
        }
        try await withLoopbackServer(router) { address in
            let sandbox = try await BuiltProgram(
                "hongbao-dev",
                [
                    "sandbox", "--port", "0", "--data", folder.file("sandbox.log"), "--delay", "100", "--duplicates",
                    "500",
                    "--callback", address,
                ]
            )
            let payouts = Self.payouts(store, sandbox.firstLine, .callback)
            target.withLock { $0 = payouts }
            try await runningUntilKilled([payouts]) {
                try await Self.withdrawAll(store, payouts)
                try await Self.until("all are final") {
                    try await Self.withdrawals(store).allSatisfy { $0.state == .paid }
                }
            }
            try await Self.checkDailyFile(sandbox.firstLine, store)
            #expect(verdicts.withLock { $0.count } >= Int(Self.people))
            #expect(verdicts.withLock { $0.allSatisfy { $0 == .accepted } })
            sandbox.kill(SIGTERM)
            #expect(try await sandbox.exitCode() == 0)
        }
        try await store.close()
    }

    @Test func settingsAreStrictAndUnsignedRequestsAreRefused() async throws {
        let folder = try TemporaryFolder()
        let sandbox = try await BuiltProgram(
            "hongbao-dev",
            ["sandbox", "--port", "0", "--data", folder.file("sandbox.log")]
        )
        func send(_ method: String, _ path: String, _ body: String) async throws -> UInt {
            var request = HTTPClientRequest(url: sandbox.firstLine + path)
            request.method = .init(rawValue: method)
            request.body = .bytes(ByteBuffer(string: body))
            return try await HTTPClient.shared.execute(request, timeout: .seconds(10)).status.code
        }
        #expect(try await send("PUT", "/settings", #"{"delay":5,"failures":1000,"distribution":"uniform"}"#) == 200)
        for bad in [
            #"{"failures":1001}"#, #"{"delay":-1}"#, #"{"colour":1}"#, #"{"delay":1.5}"#, "{", #"{"distribution":"x"}"#,
        ] {
            #expect(try await send("PUT", "/settings", bad) == 400, "\(bad)")
        }
        let settings = try await Self.get(sandbox.firstLine + "/settings")
        #expect(settings.contains(#""delay":5,"distribution":"uniform","failures":1000"#))
        #expect(try await send("POST", "/payouts", #"{"orders":[]}"#) == 401)
        #expect(try await send("POST", "/payouts/query", #"{"orders":[]}"#) == 401)
        for date in ["", "2022-13-01", "2022-1-1", "2022-02-30", "x"] {
            #expect(try await send("GET", "/daily-file?date=\(date)", "") == 400, "\(date)")
        }
        sandbox.kill(SIGTERM)
        #expect(try await sandbox.exitCode() == 0)
    }
}
