package import HongbaoCore
import Metrics

/// What a sender is told, in order of precedence.
package enum SendAnswer: Hashable, Sendable {
    /// The same ID came before with the same content, and stands as given (M14).
    case replayed(RedPacket)
    /// The same ID came before with other content.
    case conflict
    /// The subsidy isn't one that pays for this packet: another person's or phase's (SU-5), or of another amount.
    case subsidyMismatch
    /// Nobody was given this subsidy, as far as ledger, token list and the tokens sent along say.
    case subsidyUnknown
    /// The subsidy has paid for another packet (SU-4).
    case subsidyUsed
    case sent(RedPacket)
    /// Nothing is known to have happened. The same request can be repeated safely.
    case unavailable(StoreError)
}

/// A red packet as one person sees it.
package struct PacketView: Hashable, Sendable {
    package let packet: RedPacket
    /// What this person has claimed.
    package let mine: Claim?
    /// The secret of the shares, once none can be claimed any more (RP-10).
    package let seed: SplitSeed?
}

/// Some claims of a packet in the order of claims (RP-3). `packet.luckiest` says which is the luckiest so far.
package struct ClaimPage: Hashable, Sendable {
    package let packet: RedPacket
    package let claims: [Claim]
    /// The position to go on from, when there is more.
    package let next: Int?
    /// The secret of the shares, once none can be claimed any more (RP-10).
    package let seed: SplitSeed?
}

/// Red packets: sending, publishing, claiming, looking (RP-2, RP-3).
///
/// What must happen later without anybody asking is `PacketSweeps`' work.
package struct Packets: Sendable {
    package struct Configuration: Sendable {
        package var lanes = ClaimLanes.Limits()
        package var sweeps = PacketSweeps.Configuration()
        package var lifeSeconds = RedPacket.lifeSeconds
        /// How long a packet waits for its sender to go to the cashier.
        package var payWithinSeconds: Int64 = 30 * 60
        /// What persons are to a sender; by default nobody is anything.
        package var relate: ClaimLanes.Relate = { _, persons in persons.map { _ in [] } }
        package var draws = Draws.system

        package init() {}
    }

    /// Where the ID and the seed of a packet come from.
    package struct Draws: Sendable {
        package var id: @Sendable () -> RedPacketID
        package var seed: @Sendable () -> SplitSeed

        /// From the system. IDs can't be guessed, and fit 63 bits so that every store sorts them as numbers.
        package static let system = Draws(
            id: { RedPacketID(UInt64.random(in: 1...UInt64(Int64.max))) },
            seed: { SplitSeed() }
        )

        package init(id: @escaping @Sendable () -> RedPacketID, seed: @escaping @Sendable () -> SplitSeed) {
            self.id = id
            self.seed = seed
        }
    }

    /// Puts a subsidy into the ledger that isn't in it yet; the bytes are tokens that may prove it.
    package typealias PostSubsidy = @Sendable (OrderNumber, [[UInt8]]) async throws(StoreError) -> Void

    let shards: Shards
    /// The database of this engine's mint.
    let own: Int
    let aliases: KnownAliases
    let clock: WallClock
    private let postSubsidy: PostSubsidy
    private let vault: SeedVault
    private let configuration: Configuration
    package let lanes: ClaimLanes
    /// Is told of claims whose transfer is another system's, right after they're durable.
    private let promised: @Sendable (Claim) -> Void
    private let sends = SendMetrics()

    package init(
        _ shards: Shards,
        mint: MintID = .first,
        clock: WallClock,
        vault: SeedVault,
        aliases: KnownAliases = KnownAliases(),
        postSubsidy: @escaping PostSubsidy = { _, _ in },
        configuration: Configuration = Configuration(),
        promised: @escaping @Sendable (Claim) -> Void = { _ in }
    ) {
        self.shards = shards
        own = shards.index(of: mint)
        self.aliases = aliases
        self.clock = clock
        self.postSubsidy = postSubsidy
        self.vault = vault
        self.configuration = configuration
        self.promised = promised
        lanes = ClaimLanes(
            Claiming(shards, clock: clock, vault: vault),
            relate: configuration.relate,
            limits: configuration.lanes
        )
    }

    // MARK: Sending

    /// Makes a packet. One with a subsidy uses it up, both or neither (SU-4); one without waits for its payment.
    /// Repeating it is safe.
    ///
    /// The subsidy is posted first, if it isn't yet, and nothing else is (SU-2).
    ///
    /// - Parameter tokens: what may prove the subsidy when the server's own list has lost it.
    package func send(
        _ draft: RedPacketDraft,
        by subsidy: OrderNumber? = nil,
        tokens: [[UInt8]] = []
    ) async -> SendAnswer {
        do throws(StoreError) {
            let name = draft.key.sender
            try await begin(name)
            defer { aliases.end(name) }
            let (draft, place) = try await named(draft, subsidy)
            // Another person's is refused by its number alone (SU-5).
            if let subsidy, subsidy.person == draft.key.sender, subsidy.book == draft.key.book {
                try await postSubsidy(subsidy, tokens)
            }
            // An ID that another packet has is as unlikely as guessing one; then another one is drawn.
            while true {
                if let answer = try await attempt(draft, subsidy, at: place) {
                    sends.count(answer, of: draft.kind)
                    return answer
                }
            }
        } catch {
            sends.count(.unavailable(error), of: draft.kind)
            return .unavailable(error)
        }
    }

    /// `nil` when the ID that was drawn is taken.
    private func attempt(
        _ draft: RedPacketDraft,
        _ subsidy: OrderNumber?,
        at place: Int
    ) async throws(StoreError) -> SendAnswer? {
        let id = draw(at: place)
        let now = clock.now()
        let seal = vault.seal(configuration.draws.seed(), draft.split, of: id)
        let payBy = now.advanced(bySeconds: configuration.payWithinSeconds)
        let packet = RedPacket(id: id, draft, seal: seal, createdAt: now, nextCheckAt: payBy)
        let footprint =
            subsidy.map { Footprint(sending: packet, by: $0, at: now) } ?? Footprint(sending: draft.key, as: id)
        let lifeSeconds = configuration.lifeSeconds
        let decide: @Sendable (inout Books) -> SendAnswer? = { books in
            // Both or neither: what is refused leaves no packet behind.
            var attempted = books
            switch attempted.send(draft, as: id, seal: seal, now: now, nextCheckAt: payBy) {
            case .replayed(let earlier):
                // The same ID with another subsidy is other content.
                return subsidy == nil || earlier.subsidy == subsidy ? .replayed(earlier) : .conflict
            case .conflict: return .conflict
            case .idTaken: return nil
            case .created(let created):
                guard let subsidy else {
                    books = attempted
                    return .sent(created)
                }
                let answer = SendAnswer(attempted.publish(id, by: subsidy, now: now, lifeSeconds: lifeSeconds))
                if case .sent = answer { books = attempted }
                return answer
            }
        }
        // Sending is idempotent by the key.
        let (answer, isRepeated) = try await shards.stores[place].transactOnceMore(footprint, decide)
        if isRepeated, case .replayed(let earlier) = answer, earlier.id == id { return .sent(earlier) }
        return answer
    }

    /// An ID of a packet in the database that has what pays for it.
    private func draw(at place: Int) -> RedPacketID {
        while true {
            let id = configuration.draws.id()
            if shards.index(of: id) == place { return id }
        }
    }

    // MARK: Claiming and looking

    package func claim(_ id: RedPacketID, by person: PersonID) async -> ClaimAnswer {
        let answer = await claimUnderOneName(id, by: person)
        // Nobody waits for the transfer (RP-9).
        if case .decided(.claimed(let claim, _)) = answer, claim.isOpen { promised(claim) }
        return answer
    }

    /// `nil` when there is no such packet.
    package func look(_ id: RedPacketID, as person: PersonID?) async throws(StoreError) -> PacketView? {
        let names = person.map { aliases.all($0) } ?? []
        let (packet, mine) = try await shards.store(of: id).read { (snapshot) throws(StoreError) in
            let mine = try snapshot.claims(names.map { ClaimKey(packet: id, person: $0) })
            return (try snapshot.packet(id), mine.first)
        }
        guard let packet else { return nil }
        let showsSeed = packet.state.isOver || Mutant.isOn(.showsSeedEarly) && packet.state.isFunded
        return PacketView(packet: packet, mine: mine, seed: showsSeed ? try vault.open(packet) : nil)
    }

    /// Claims from a position on; `nil` when there is no such packet.
    package func claims(
        of id: RedPacketID,
        from position: Int = 0,
        limit: Int
    ) async throws(StoreError) -> ClaimPage? {
        precondition(limit > 0)
        let found = try await shards.store(of: id).read { (snapshot) throws(StoreError) in
            guard let packet = try snapshot.packet(id) else { return nil as (RedPacket, [Claim])? }
            return (packet, try snapshot.claims(of: id, from: max(0, position), limit: limit))
        }
        guard let (packet, claims) = found else { return nil }
        let next = claims.last.map { $0.position + 1 }
        let hasMore = next.map { $0 < packet.claimedCount } ?? false
        return ClaimPage(
            packet: packet,
            claims: claims,
            next: hasMore ? next : nil,
            seed: packet.state.isOver ? try vault.open(packet) : nil
        )
    }
}

/// Metric handles of sends, made once. No label names a person or a packet.
private struct SendMetrics: Sendable {
    private static let outcomes = [
        "sent", "replayed", "order_conflict", "subsidy_mismatch", "subsidy_unknown", "subsidy_used", "unavailable",
    ]
    private let counters: [RedPacketKind: [String: Counter]]

    init() {
        var counters: [RedPacketKind: [String: Counter]] = [:]
        for kind in RedPacketKind.allCases {
            for outcome in Self.outcomes {
                let dimensions = [("kind", kind.name), ("outcome", outcome)]
                counters[kind, default: [:]][outcome] = Counter(label: "hongbao_sends_total", dimensions: dimensions)
            }
        }
        self.counters = counters
    }

    func count(_ answer: SendAnswer, of kind: RedPacketKind) { counters[kind]?[Self.outcome(answer)]?.increment() }

    private static func outcome(_ answer: SendAnswer) -> String {
        switch answer {
        case .sent: "sent"
        case .replayed: "replayed"
        case .conflict: "order_conflict"
        case .subsidyMismatch: "subsidy_mismatch"
        case .subsidyUnknown: "subsidy_unknown"
        case .subsidyUsed: "subsidy_used"
        case .unavailable: "unavailable"
        }
    }
}

extension SendAnswer {
    /// What came of paying with a subsidy.
    fileprivate init(_ outcome: PublishOutcome) {
        switch outcome {
        case .published(let packet): self = .sent(packet)
        case .alreadyPublished(let packet): self = .replayed(packet)
        case .fundingMismatch, .illegal, .unknown: self = .subsidyMismatch
        case .fundingUnknown: self = .subsidyUnknown
        case .fundingUsed: self = .subsidyUsed
        case .insufficientFunds: self = .unavailable(StoreError(.corrupt, "a subsidy whose money isn't there"))
        }
    }
}
