package import HongbaoCore
package import HongbaoEngine
import Synchronization

/// The use cases that the gateway puts on the wire: single verbs, so that a route takes just what it needs.
package struct GatewayServices: Sendable {
    package var campaigns: @Sendable () -> CampaignSet
    /// Answers in the order asked.
    package var grant: @Sendable ([GrantRequest]) async -> [GrantAnswer]
    package var findGrant: @Sendable (OrderNumber) async throws(StoreError) -> GrantView?
    package var wallet:
        @Sendable (_ person: PersonID, _ campaign: String, _ tokens: [[UInt8]]) async throws(StoreError) -> WalletAnswer
    package var budget: @Sendable (_ campaign: String, _ scene: String) async throws(StoreError) -> BudgetView?
    package var inventory: @Sendable (_ campaign: String, _ reward: String) async throws(StoreError) -> BudgetView?
    /// Uses a coupon, or puts a pendant on.
    package var redeem: @Sendable (OrderNumber) async throws(StoreError) -> RedeemOutcome
    /// `isOpen`: how the gate stands for this person now.
    package var requestWithdrawal:
        @Sendable (_ key: WithdrawalKey, _ amount: Amount, _ now: Timestamp, _ isOpen: Bool) async -> WithdrawalAnswer
    package var findWithdrawal: @Sendable (WithdrawalKey) async throws(StoreError) -> Withdrawal?
    package var packets: PacketServices
    /// A campaign's running total, as this node knows it.
    package var total: @Sendable (_ campaign: String) -> TotalAnswer
    package var identities: IdentityServices
    /// Where in the cluster it's to be done; `nil` for a process by itself, which does everything.
    package var place: (@Sendable (Concern) -> Placement)?
    /// Takes an authentic word of an outside system about an order; `false` when that's no order of ours.
    package var callback: @Sendable (_ system: OutsideSystem, _ order: String) -> Bool
    /// The same of a downstream about a reward's order.
    package var rewardCallback: @Sendable (_ kind: RewardKind, _ order: String) -> Bool
    package var readiness: Readiness
    package var metrics: PrometheusRegistry
    package var now: @Sendable () -> Timestamp

    package init(
        campaigns: @escaping @Sendable () -> CampaignSet,
        grant: @escaping @Sendable ([GrantRequest]) async -> [GrantAnswer],
        findGrant: @escaping @Sendable (OrderNumber) async throws(StoreError) -> GrantView?,
        wallet: @escaping @Sendable (PersonID, String, [[UInt8]]) async throws(StoreError) -> WalletAnswer,
        budget: @escaping @Sendable (String, String) async throws(StoreError) -> BudgetView?,
        inventory: @escaping @Sendable (String, String) async throws(StoreError) -> BudgetView?,
        redeem: @escaping @Sendable (OrderNumber) async throws(StoreError) -> RedeemOutcome,
        requestWithdrawal: @escaping @Sendable (WithdrawalKey, Amount, Timestamp, Bool) async -> WithdrawalAnswer,
        findWithdrawal: @escaping @Sendable (WithdrawalKey) async throws(StoreError) -> Withdrawal?,
        packets: PacketServices,
        total: @escaping @Sendable (String) -> TotalAnswer,
        identities: IdentityServices,
        place: (@Sendable (Concern) -> Placement)? = nil,
        callback: @escaping @Sendable (OutsideSystem, String) -> Bool,
        rewardCallback: @escaping @Sendable (RewardKind, String) -> Bool,
        readiness: Readiness,
        metrics: PrometheusRegistry,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.campaigns = campaigns
        self.grant = grant
        self.findGrant = findGrant
        self.wallet = wallet
        self.budget = budget
        self.inventory = inventory
        self.redeem = redeem
        self.requestWithdrawal = requestWithdrawal
        self.findWithdrawal = findWithdrawal
        self.packets = packets
        self.total = total
        self.identities = identities
        self.place = place
        self.callback = callback
        self.rewardCallback = rewardCallback
        self.readiness = readiness
        self.metrics = metrics
        self.now = now
    }
}

extension GatewayServices {
    package init(_ engine: Engine, readiness: Readiness, metrics: PrometheusRegistry) {
        self.init(Engines(engine), readiness: readiness, metrics: metrics, now: engine.clock.now)
    }

    /// What concerns a person is done by the engine that decides for them. When it isn't here, it's `unavailable`: the
    /// request was sent on the wrong way, and will find the right one.
    package init(
        _ engines: Engines,
        readiness: Readiness,
        metrics: PrometheusRegistry,
        now: @escaping @Sendable () -> Timestamp = WallClock.system.now
    ) {
        self.init(
            campaigns: { engines.campaigns },
            grant: { await engines.grant($0) },
            findGrant: { (order) throws(StoreError) in
                try await engines.deciding(for: order.person).granting.find(order)
            },
            wallet: { (person, campaign, tokens) throws(StoreError) in
                let engine = try engines.deciding(for: person)
                return await engine.wallets.read(person: person, campaign: campaign, tokens: tokens)
            },
            budget: { (campaign, scene) throws(StoreError) in
                try await engines.first().budgets.view(campaign: campaign, scene: scene)
            },
            inventory: { (campaign, reward) throws(StoreError) in
                try await engines.first().budgets.inventory(campaign: campaign, reward: reward)
            },
            redeem: { (order) throws(StoreError) in
                try await engines.deciding(for: order.person).rewards.redeem(order)
            },
            requestWithdrawal: { key, amount, now, isOpen in
                guard let engine = engines.engine(of: .person(key.person)) else { return .unavailable(Engines.notHere) }
                return await engine.withdrawals.request(key, amount: amount, now: now) { _, _ in isOpen }
            },
            findWithdrawal: { (key) throws(StoreError) in
                try await engines.deciding(for: key.person).withdrawals.find(key)
            },
            packets: PacketServices(engines),
            total: { engines.any?.totals.read(campaign: $0) ?? .unavailable },
            identities: IdentityServices(engines),
            callback: { system, order in engines.ofEachDatabase.count { $0.callback(system, order: order) } > 0 },
            rewardCallback: { kind, order in
                engines.ofEachDatabase.count { $0.outside.callback(kind, order: order) } > 0
            },
            readiness: readiness,
            metrics: metrics,
            now: now
        )
        if !engines.isAlone { place = { engines.place($0) } }
    }
}

extension Engines {
    fileprivate func deciding(for person: PersonID) throws(StoreError) -> Engine {
        guard let engine = engine(of: .person(person)) else { throw Self.notHere }
        return engine
    }

    fileprivate func first() throws(StoreError) -> Engine {
        guard let engine = any else { throw Self.notHere }
        return engine
    }

    /// The database alone is correct (RP-8), so any will do; this one has the packet's lane.
    fileprivate func turn(of packet: RedPacketID) throws(StoreError) -> Engine {
        guard let engine = engine(of: .packet(packet)) else { return try first() }
        return engine
    }
}

/// Who is who.
package struct IdentityServices: Sendable {
    /// The person of a user who logs in, made when nobody knows them.
    package var resolve: @Sendable (Login) async -> IdentityAnswer
    /// The same of a user who is known, and has a phone now.
    package var bind: @Sendable (Login, Joining) async -> IdentityAnswer
    /// Who it is that has this name: who they were merged into, if they were.
    package var person: @Sendable (PersonID) -> PersonID

    package init(
        resolve: @escaping @Sendable (Login) async -> IdentityAnswer,
        bind: @escaping @Sendable (Login, Joining) async -> IdentityAnswer,
        person: @escaping @Sendable (PersonID) -> PersonID
    ) {
        self.resolve = resolve
        self.bind = bind
        self.person = person
    }
}

extension IdentityServices {
    init(_ engines: Engines) {
        self.init(
            resolve: { await engines.any?.identities.resolve($0) ?? .unavailable(Engines.notHere) },
            bind: { await engines.any?.identities.bind($0, joining: $1) ?? .unavailable(Engines.notHere) },
            person: { engines.person($0) }
        )
    }
}

/// The use cases of red packets.
package struct PacketServices: Sendable {
    /// A subsidy as a sender names it.
    package struct Subsidy: Hashable, Sendable {
        package let order: OrderNumber
        /// The grant token that the sender holds of it, as far as it came along.
        package let token: [UInt8]?

        package init(order: OrderNumber, token: [UInt8]?) {
            self.order = order
            self.token = token
        }

        fileprivate var tokens: [[UInt8]] { token.map { [$0] } ?? [] }
    }

    /// What a subsidy is worth; `nil` when there is no such subsidy.
    package var subsidyAmount: @Sendable (Subsidy) async throws(StoreError) -> Amount?
    /// Without a subsidy the packet waits for its payment.
    package var send: @Sendable (RedPacketDraft, Subsidy?) async -> SendAnswer
    /// Asks the cashier for the address where the sender pays; `nil` when it can't be reached. Repeating it is safe.
    package var openPayment: @Sendable (RedPacket) async -> String?
    package var look: @Sendable (RedPacketID, PersonID) async throws(StoreError) -> PacketView?
    package var claim: @Sendable (RedPacketID, PersonID) async -> ClaimAnswer
    package var claims: @Sendable (_ of: RedPacketID, _ from: Int, _ limit: Int) async throws(StoreError) -> ClaimPage?

    package init(
        subsidyAmount: @escaping @Sendable (Subsidy) async throws(StoreError) -> Amount?,
        send: @escaping @Sendable (RedPacketDraft, Subsidy?) async -> SendAnswer,
        openPayment: @escaping @Sendable (RedPacket) async -> String?,
        look: @escaping @Sendable (RedPacketID, PersonID) async throws(StoreError) -> PacketView?,
        claim: @escaping @Sendable (RedPacketID, PersonID) async -> ClaimAnswer,
        claims: @escaping @Sendable (RedPacketID, Int, Int) async throws(StoreError) -> ClaimPage?
    ) {
        self.subsidyAmount = subsidyAmount
        self.send = send
        self.openPayment = openPayment
        self.look = look
        self.claim = claim
        self.claims = claims
    }
}

extension PacketServices {
    init(_ engines: Engines) {
        self.init(
            subsidyAmount: { (subsidy) throws(StoreError) in
                let engine = try engines.deciding(for: subsidy.order.person)
                return try await engine.wallets.subsidy(subsidy.order, tokens: subsidy.tokens)?.amount
            },
            send: { draft, subsidy in
                guard let engine = engines.engine(of: .person(draft.key.sender)) else {
                    return .unavailable(Engines.notHere)
                }
                return await engine.packets.send(draft, by: subsidy?.order, tokens: subsidy?.tokens ?? [])
            },
            openPayment: { packet in
                switch await engines.any?.payments.open(packet) {
                case .page(let url): url
                case .unavailable, nil: nil
                }
            },
            look: { (id, person) throws(StoreError) in try await engines.turn(of: id).packets.look(id, as: person) },
            claim: { id, person in
                do throws(StoreError) {
                    return try await engines.turn(of: id).packets.claim(id, by: person)
                } catch {
                    return .unavailable(error)
                }
            },
            claims: { (id, position, limit) throws(StoreError) in
                try await engines.turn(of: id).packets.claims(of: id, from: position, limit: limit)
            }
        )
    }
}

/// Whether this process takes grants: never while it drains, and otherwise if all checks hold.
package final class Readiness: Sendable {
    package struct Check: Sendable {
        /// Shown to people: no secrets, no fault's text.
        package let name: String
        package let holds: @Sendable () async -> Bool

        package init(_ name: String, holds: @escaping @Sendable () async -> Bool) {
            self.name = name
            self.holds = holds
        }
    }

    private let isDraining = Atomic<Bool>(false)
    private let checks: [Check]

    package init(checks: [Check] = []) { self.checks = checks }

    /// To be called first when the process is asked to end, so that no new requests are sent here.
    package func startDraining() { isDraining.store(true, ordering: .releasing) }

    package func results() async -> [(name: String, holds: Bool)] {
        var results = [(name: "accepting", holds: !isDraining.load(ordering: .acquiring))]
        for check in checks { results.append((check.name, await check.holds())) }
        return results
    }
}
