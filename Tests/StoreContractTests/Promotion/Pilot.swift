import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Testing

/// A server by itself with everything that a pilot can have, and what its callers and people were told.
struct Pilot: Sendable {
    /// What a person saw, without what posting changes.
    struct Shown: Hashable, Sendable {
        let balance: Int64
        let income: Amount
        let entries: [StatementEntry]
        let subsidies: [OrderNumber]
        let rewards: [OrderNumber]
    }

    static let book = BookID(campaign: 7, phase: .live)
    static let phone = "13800000000"

    let rig: EngineRig
    private(set) var grants: [(request: GrantRequest, answer: Granted)] = []
    private(set) var wallets: [PersonID: Shown] = [:]
    /// Former names, and who they are.
    private(set) var names: [PersonID: PersonID] = [:]
    /// The running total.
    private(set) var given: TotalReading?

    /// - Parameter unposted: how many grants are in the log alone when it ends.
    static func made(unposted: Int = 40) async throws -> Pilot {
        let coupons = TestCoupons(25, reserveBasisPoints: 1_000, backup: 5, blessing: "福")
        var rig = try EngineRig([.forTests(subsidies: 1_000_000, coupons: coupons)])
        // Small groups and often another epoch: much to be read.
        rig.configuration.granting.limits.batchSizeMax = 4
        rig.configuration.granting.leaseDivisor = 64
        rig.channels = Channels(payouts: HalfChannel())
        var pilot = Pilot(rig: rig)
        try await pilot.play()
        try await pilot.grow()
        try await pilot.stop(unposted)
        return pilot
    }

    private init(rig: EngineRig) { self.rig = rig }

    /// Grants of each kind, withdrawals.
    private mutating func play() async throws {
        let grants = try await rig.run { engine in
            var requests: [GrantRequest] = []
            for person in 1...40 as ClosedRange<UInt64> {
                requests.append(.forTests(person: person, amount: Int64(100 + person)))
                requests.append(.forTests(person: person, amount: nil, scene: "tea"))
                requests.append(.forTests(person: person, amount: 1_000, scene: "rain-subsidy"))
            }
            let grants = try await Self.grant(requests, engine)
            try await engine.drain()
            for person in 1...10 as ClosedRange<UInt64> { try await Self.withdraw(person, engine) }
            return grants
        }
        self.grants += grants
    }

    private static func withdraw(_ person: UInt64, _ engine: Engine) async throws {
        let key = try #require(WithdrawalKey(person: PersonID(person), book: book, id: "w-1"))
        let amount = try #require(Amount(fen: person.isMultiple(of: 2) ? HalfChannel.paid : 40))
        let answer = await engine.withdrawals.request(key, amount: amount, now: engine.clock.now()) { _, _ in true }
        guard case .accepted = answer else { throw Odd("\(answer)") }
        guard amount.fen == HalfChannel.paid else { return }
        func isPaid() async throws -> Bool {
            try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.withdrawal(key)?.state == .paid
            }
        }
        while try await !isPaid() { try await Task.sleep(for: .milliseconds(1)) }
    }

    /// Red packets of both kinds, and a merge of two who have both earned.
    private mutating func grow() async throws {
        let (grants, names) = try await rig.run { engine in
            let a = try await Self.login("douyin", "a", nil, engine)
            let b = try await Self.login("toutiao", "b", Self.phone, engine)
            var grants = try await Self.grant(
                [
                    .forTests(person: a.rawValue, amount: 70), .forTests(person: b.rawValue, rain: 2, amount: 80),
                    .forTests(person: a.rawValue, rain: 3, amount: nil, scene: "tea"),
                ],
                engine
            )
            let bound = await engine.identities.bind(Self.user("douyin", "a", Self.phone), joining: .ifAlone)
            guard case .person(b, isNew: false, merged: a) = bound else { throw Odd("\(bound)") }
            // Asked for under the former name, given to who that is now.
            grants += try await Self.grant([.forTests(person: a.rawValue, rain: 4, amount: 90)], engine)
            try await Self.sendPackets(engine)
            try await engine.drain()
            return (grants, [a: b])
        }
        self.grants += grants
        self.names = names
    }

    private static func sendPackets(_ engine: Engine) async throws {
        let subsidy = OrderNumber(
            person: PersonID(3),
            scene: SceneID(book: book, number: 3),
            rain: RainID(1),
            awardType: 1,
            stage: 0
        )
        func draft(_ kind: RedPacketKind, _ id: String) throws -> RedPacketDraft {
            RedPacketDraft(
                key: try #require(SendKey(sender: PersonID(3), book: book, id: id)),
                kind: kind,
                split: .of(1_000, 5),
                scope: .everyone,
                cover: try #require(RedPacket.Cover(greeting: "恭喜发财"))
            )
        }
        guard case .sent(let inside) = await engine.packets.send(try draft(.b2c, "b"), by: subsidy),
            case .sent(let unpaid) = await engine.packets.send(try draft(.c2c, "c"))
        else { throw Odd("not sent") }
        let paid = try await Till(engine.store, engine.clock).pay(for: unpaid)
        for packet in [inside, paid] {
            for person in [5, 6, 7] as [UInt64] { _ = await engine.packets.claim(packet.id, by: PersonID(person)) }
        }
    }

    /// A day later: what was left of the packets goes back; then some grants that are only in the log.
    private mutating func stop(_ unposted: Int) async throws {
        rig.clock.advance(seconds: 90_000)
        let people: [PersonID] = (1...40 as ClosedRange<UInt64>).map { PersonID($0) } + names.keys + names.values
        let (grants, wallets, given) = try await rig.runByHand { engine in
            await engine.packetSweeps.sweep()
            await engine.mergeSweeps.sweep()
            let requests = (0..<unposted).map { (number: Int) -> GrantRequest in
                let (person, rain) = (UInt64(number % 40 + 1), UInt16(100 + number / 40))
                return .forTests(person: person, rain: rain, amount: 11)
            }
            let grants = try await Self.grant(requests, engine)
            var wallets: [PersonID: Shown] = [:]
            for person in people { wallets[person] = try await Self.wallet(of: person, engine) }
            await engine.totals.flush()
            return (grants, wallets, engine.totals.total(of: Self.book).reading)
        }
        self.grants += grants
        self.wallets = wallets
        self.given = given
    }

    // MARK: Short cuts

    static func grant(
        _ requests: [GrantRequest],
        _ engine: Engine
    ) async throws -> [(request: GrantRequest, answer: Granted)] {
        var granted: [(request: GrantRequest, answer: Granted)] = []
        // Several calls, and so several batches.
        for start in stride(from: 0, to: requests.count, by: 7) {
            let some = Array(requests[start..<min(start + 7, requests.count)])
            for (request, answer) in zip(some, await engine.granting.grant(some)) {
                guard case .granted(let grant) = answer else { throw Odd("\(answer)") }
                granted.append((request, grant))
            }
        }
        return granted
    }

    static func wallet(of person: PersonID, _ engine: Engine) async throws -> Shown {
        let answer = await engine.wallets.read(person: person, campaign: "test")
        guard case .wallet(let reading) = answer, reading.missing.isEmpty else { throw Odd("\(answer)") }
        return Shown(
            balance: reading.view.balance,
            income: reading.view.income,
            entries: reading.view.page(after: nil, limit: 1_000).entries,
            subsidies: reading.subsidies.map(\.order),
            rewards: reading.rewards.map(\.order)
        )
    }

    static func user(_ family: String, _ user: String, _ phone: String?) -> Login {
        Login(family: family, user: user, phone: phone.flatMap { PhoneNumber(Array($0.utf8)) })
    }

    static func login(
        _ family: String,
        _ name: String,
        _ phone: String?,
        _ engine: Engine
    ) async throws -> PersonID {
        let answer = await engine.identities.resolve(user(family, name, phone))
        guard case .person(let person, _, _) = answer else { throw Odd("\(answer)") }
        return person
    }
}

/// A channel that pays some withdrawals at once, by their amount, and is at work on the others for ever.
private struct HalfChannel: PayoutChannel {
    static let paid: Int64 = 50

    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] {
        orders.map { $0.amount.fen == Self.paid ? .paid($0.amount) : .processing }
    }

    func query(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .processing } }
}

struct Odd: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
