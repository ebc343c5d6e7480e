import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Red packets on a real store, without the rest of the engine.
struct PacketRig: Sendable {
    static let book = BookID(campaign: 7, phase: .live)
    static let scene = SceneID(book: book, number: 3)

    let folder: TemporaryFolder
    let store: SQLiteStore
    let keyring = Keyring()
    let clock = TestClock()

    static func run(_ body: (PacketRig) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let rig = PacketRig(folder: folder, store: try await SQLiteStore.reopened(folder: folder.path))
        try await rig.fund()
        try await body(rig)
        #expect(try await LedgerCheck.read(rig.store).breaches == [])
        let report = try await Audit.run(rig.store, keyring: rig.keyring)
        // Subsidies are accepted by the log, which isn't here: M4 belongs to `PacketAuditTests`.
        let breached = report.checks.filter { $0.breachCount > 0 && $0.invariant != "M4" }
        #expect(breached.isEmpty, "\(breached.flatMap(\.breaches))")
        try await rig.store.close()
    }

    private func fund() async throws {
        let total = try #require(Amount(fen: 1_000_000))
        let funding = Funding(pool: PoolID(Self.scene), kind: .subsidy, total: total, revision: 1)
        let now = clock.now
        _ = try await store.transact(Footprint(funding: [funding])) { $0.fund(funding, now: now) }
    }

    /// Posts a subsidy, as the poster does with what the log has.
    func grant(_ order: OrderNumber, _ amount: Amount) async throws {
        let transfer = Transfer(
            id: TransferID(order),
            debit: .budget(of: order.scene),
            credit: .subsidies(of: order.person, in: order.book),
            amount: amount,
            at: clock.now,
            postedAt: clock.now
        )
        let outcome = try await store.transact(Footprint(posting: [transfer])) { $0.grant(transfer) }
        #expect(outcome == .posted)
    }

    var wallClock: WallClock {
        let clock = clock
        return WallClock { clock.now }
    }

    var till: Till { Till(store, wallClock) }

    /// One instance: what it remembers is its own.
    func packets(
        on store: (any Store)? = nil,
        _ configuration: Packets.Configuration = Packets.Configuration()
    ) -> Packets {
        Packets(
            Shards(store ?? self.store),
            clock: wallClock,
            vault: SeedVault(keyring),
            configuration: configuration
        )
    }

    func sweeps(refundPromised: @escaping @Sendable (Refund) -> Void = { _ in }) -> PacketSweeps {
        PacketSweeps(Shards(store), clock: wallClock, refundPromised: refundPromised, logger: .silent)
    }

    static func draft(
        _ kind: RedPacketKind,
        _ split: Split,
        scope: RecipientScope = .everyone,
        id: String = "p",
        sender: UInt64 = 9
    ) throws -> RedPacketDraft {
        RedPacketDraft(
            key: try #require(SendKey(sender: PersonID(sender), book: book, id: id)),
            kind: kind,
            split: split,
            scope: scope,
            cover: try #require(RedPacket.Cover(greeting: "恭喜发财"))
        )
    }

    static func subsidy(_ number: UInt16 = 1, of person: UInt64 = 9) -> OrderNumber {
        OrderNumber(person: PersonID(person), scene: scene, rain: RainID(number), awardType: 1, stage: 0)
    }

    /// Sends a packet, and pays for it, either way.
    func open(
        _ packets: Packets,
        _ kind: RedPacketKind,
        _ split: Split,
        scope: RecipientScope = .everyone,
        id: String = "p"
    ) async throws -> RedPacket {
        let draft = try Self.draft(kind, split, scope: scope, id: id)
        switch kind {
        case .b2c:
            try await grant(Self.subsidy(), split.amount)
            guard case .sent(let packet) = await packets.send(draft, by: Self.subsidy()) else {
                throw Unexpected("not sent")
            }
            return packet
        case .c2c:
            guard case .sent(let packet) = await packets.send(draft) else { throw Unexpected("not sent") }
            return try await till.pay(for: packet)
        }
    }

    func packet(_ id: RedPacketID) async throws -> RedPacket {
        try #require(try await store.read { (snapshot) throws(StoreError) in try snapshot.packet(id) })
    }

    /// Everybody in the store, and that the shares are the packet's own and add up (M7).
    func expectClaims(of id: RedPacketID, count: Int, fen: Int64) async throws {
        let claims = try await store.read { (snapshot) throws(StoreError) in
            try snapshot.claims(of: id, from: 0, limit: 1_000_000)
        }
        #expect(claims.count == count && claims.reduce(0) { $0 + $1.share.fen } == fen)
        #expect(claims.map(\.position) == Array(0..<count))
        #expect(Set(claims.map(\.key.person)).count == count)
    }
}
