/// The rows that a decision may touch, known before it runs.
package struct Footprint: Sendable {
    package var accounts: [AccountID] = []
    package var transfers: [TransferID] = []
    /// A hint that none of `transfers` is there yet: a store may let the decision run without looking, as long as it
    /// notices when it was wrong, undoes everything and lets it run again with them.
    package var transfersAreProbablyNew = false
    package var holds: [TransferID] = []
    package var withdrawals: [WithdrawalKey] = []
    /// Pools whose row and all of whose leases are loaded.
    package var budgets: [PoolID] = []
    package var mints: [MintID] = []
    package var packets: [RedPacketID] = []
    /// Red packets by what their senders call them.
    package var sends: [SendKey] = []
    package var claims: [ClaimKey] = []
    /// Packets all of whose refunds are loaded.
    package var refunds: [RedPacketID] = []
    package var subsidies: [OrderNumber] = []
    /// Grants whose coupon or pendant is loaded, if it's there.
    package var rewards: [OrderNumber] = []
    package var users: [UserKey] = []
    /// Phones all of whose users are loaded.
    package var phones: [PhoneKey] = []
    /// Persons all of whose users are loaded, and the merge into another, if there is one.
    package var persons: [PersonID] = []
    /// Persons who are to be merged into another; `persons` or `users` must name somebody, too.
    package var pendingMerges: [PersonID] = []
    /// Persons all of whose orders that were laid open are loaded.
    package var mergedOrders: [PersonID] = []

    package init() {}

    /// The rows that posting these transfers touches.
    package init(posting transfers: [Transfer]) {
        self.transfers = transfers.map(\.id)
        // Transfers in order of key have neighbours with the same accounts; others are named twice, and loaded twice.
        var debits: [AccountID] = []
        for transfer in transfers {
            if transfer.debit != debits.last { debits.append(transfer.debit) }
            if transfer.credit != accounts.last { accounts.append(transfer.credit) }
        }
        accounts += Set(debits)
    }

    /// The rows that bringing budgets to what their files say touches.
    package init(funding fundings: [Funding]) {
        budgets = fundings.map(\.pool)
        transfers = fundings.compactMap(\.transferID)
        let scenes = fundings.compactMap(\.pool.scene)
        accounts = scenes.map { .budget(of: $0) }
        accounts += Set(scenes.map(\.book)).sorted { $0.rawValue < $1.rawValue }.map { .treasury(of: $0) }
    }

    /// The rows that a withdrawal touches. `serial` is that of an existing withdrawal.
    package init(withdrawal key: WithdrawalKey, serial: UInt32?) {
        accounts = [.person(key.person, in: key.book), .payouts(of: key.book)]
        withdrawals = [key]
        if let serial {
            let id = TransferID(person: key.person, book: key.book, serial: serial)
            holds = [id]
            transfers = [id]
        }
    }
}

/// A holder of minting keys, and how far its log has come.
package struct MintRecord: Hashable, Sendable {
    package let id: MintID
    /// Fencing: only the holder of the newest epoch may append to the log.
    package internal(set) var epoch: UInt32
    /// The last sequence in the log; sequences have no gap.
    package internal(set) var lastSequence: UInt64
    /// Everything up to this sequence is posted.
    package internal(set) var postedSequence: UInt64
    /// Among how many mints everybody is divided, of which this is one; see `Division`.
    package internal(set) var mints: Int
    /// `nil` when nobody has it: a process by itself, or one that has given it up.
    package internal(set) var holder: MintHolder?
    /// What was granted up to this sequence is in the log of the first mint, which was the only one then (DP-1): all
    /// mints go on from there, each for its part of the people. 0 for those that began as several.
    package let commonSequence: UInt64

    package init(
        id: MintID,
        epoch: UInt32,
        lastSequence: UInt64,
        postedSequence: UInt64,
        mints: Int = 1,
        holder: MintHolder? = nil,
        commonSequence: UInt64 = 0
    ) {
        self.id = id
        self.epoch = epoch
        self.lastSequence = lastSequence
        self.postedSequence = postedSequence
        self.mints = mints
        self.holder = holder
        self.commonSequence = commonSequence
    }

    /// The sequence that its own log begins behind.
    package var start: UInt64 { id == .first ? 0 : commonSequence }

    /// The same with a log that goes up to `sequence`.
    package func reaching(_ sequence: UInt64) -> MintRecord {
        var record = self
        record.lastSequence = sequence
        return record
    }
}

/// The node of a cluster that has a mint, as the others see it.
package struct MintHolder: Hashable, Sendable {
    package static let addressBytesMax = 255

    /// Where it answers, such as `http://10.0.0.7:8080`.
    package let address: String
    /// Grows while it lives. Others measure how long it hasn't grown with a stopwatch of their own, so that no clocks
    /// are compared.
    package internal(set) var beats: UInt32
    /// The node that has fewer mints and asks for this one.
    package internal(set) var wantedBy: String?

    package init(address: String, beats: UInt32 = 0, wantedBy: String? = nil) {
        self.address = address
        self.beats = beats
        self.wantedBy = wantedBy
    }
}

/// A key epoch as the store keeps it: what verifiers and readers need, and nothing that can mint.
package struct EpochRecord: Hashable, Sendable {
    package let mint: MintID
    package let epoch: UInt32
    /// The certificate's canonical bytes and the root key's signature over them.
    package let certificate: [UInt8]
    /// The data key, wrapped for the wallet role.
    package let wrappedDataKey: [UInt8]
    package let isRevoked: Bool

    package init(mint: MintID, epoch: UInt32, certificate: [UInt8], wrappedDataKey: [UInt8], isRevoked: Bool) {
        self.mint = mint
        self.epoch = epoch
        self.certificate = certificate
        self.wrappedDataKey = wrappedDataKey
        self.isRevoked = isRevoked
    }

    /// There is one of each number, seldom two: the bytes needn't be hashed.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(mint)
        hasher.combine(epoch)
    }
}

/// The working set of one decision: loaded by a store, changed by pure rules, written back whole or not at all.
package struct Books: Sendable {
    package var ledger: Ledger
    private var withdrawals: [WithdrawalKey: Withdrawal]
    private var budgets: [PoolID: Budget]
    private var leases: [LeaseID: Lease]
    private var mints: [MintID: MintRecord]
    private var packets: [RedPacketID: RedPacket] = [:]
    private var sent: [SendKey: RedPacketID] = [:]
    private var claims: [ClaimKey: Claim] = [:]
    /// In order of number.
    private var refunds: [RedPacketID: [Refund]] = [:]
    private var subsidies: [OrderNumber: Subsidy] = [:]
    private var rewards: [OrderNumber: GivenReward] = [:]

    package private(set) var changedWithdrawals: Set<WithdrawalKey> = []
    package private(set) var changedBudgets: Set<PoolID> = []
    package private(set) var changedLeases: Set<LeaseID> = []
    package private(set) var changedMints: Set<MintID> = []
    package private(set) var newEpochs: [EpochRecord] = []
    package private(set) var revokedEpochs: [MintEpoch] = []
    private var newPacketIDs: Set<RedPacketID> = []
    private var changedPacketIDs: Set<RedPacketID> = []
    /// In the order in which they were made.
    package private(set) var newClaims: [Claim] = []
    private var changedClaimKeys: Set<ClaimKey> = []
    /// How many refunds of a packet were loaded; those after them are new.
    private var loadedRefunds: [RedPacketID: Int] = [:]
    private var changedRefundsByPacket: [RedPacketID: Set<UInt32>] = [:]
    package private(set) var newSubsidies: [Subsidy] = []
    private var changedSubsidyOrders: Set<OrderNumber> = []
    package private(set) var newRewards: [GivenReward] = []
    private var changedRewardOrders: Set<OrderNumber> = []
    private var identities: [UserKey: Identity] = [:]
    private var merges: [PersonID: Merge] = [:]
    private var changedUsers: Set<UserKey> = []
    package private(set) var newMerges: [Merge] = []
    private var pendingMerges: [PersonID: PendingMerge] = [:]
    private var changedPendingMergeSources: Set<PersonID> = []
    /// In the order in which they ended.
    package private(set) var endedPendingMerges: [PersonID] = []
    private var mergedOrders: Set<OrderNumber> = []
    package private(set) var newMergedOrders: [MergedOrder] = []

    package init(
        ledger: Ledger = Ledger(),
        withdrawals: [Withdrawal] = [],
        budgets: [Budget] = [],
        leases: [Lease] = [],
        mints: [MintRecord] = [],
        packets: [RedPacket] = [],
        claims: [Claim] = [],
        refunds: [Refund] = [],
        subsidies: [Subsidy] = [],
        rewards: [GivenReward] = [],
        identities: [Identity] = [],
        merges: [Merge] = [],
        pendingMerges: [PendingMerge] = [],
        mergedOrders: [MergedOrder] = []
    ) {
        self.ledger = ledger
        self.withdrawals = Dictionary(withdrawals.map { ($0.key, $0) }) { _, last in last }
        self.budgets = Dictionary(budgets.map { ($0.pool, $0) }) { _, last in last }
        self.leases = Dictionary(leases.map { ($0.id, $0) }) { _, last in last }
        self.mints = Dictionary(mints.map { ($0.id, $0) }) { _, last in last }
        for packet in packets {
            self.packets[packet.id] = packet
            sent[packet.key] = packet.id
        }
        self.claims.reserveCapacity(claims.count)
        for claim in claims { self.claims[claim.key] = claim }
        for refund in refunds.sorted(by: { $0.number < $1.number })
        where self.refunds[refund.packet]?.last?.number != refund.number {
            self.refunds[refund.packet, default: []].append(refund)
            loadedRefunds[refund.packet, default: 0] += 1
        }
        for subsidy in subsidies { self.subsidies[subsidy.order] = subsidy }
        for reward in rewards { self.rewards[reward.id] = reward }
        for identity in identities { self.identities[identity.key] = identity }
        for merge in merges { self.merges[merge.source] = merge }
        for merge in pendingMerges { self.pendingMerges[merge.source] = merge }
        self.mergedOrders = Set(mergedOrders.map(\.order))
    }

    package func withdrawal(_ key: WithdrawalKey) -> Withdrawal? { withdrawals[key] }
    package func budget(_ pool: PoolID) -> Budget? { budgets[pool] }
    package func lease(_ id: LeaseID) -> Lease? { leases[id] }
    package func leases(of pool: PoolID) -> [Lease] {
        leases.values.filter { $0.id.pool == pool }.sorted { $0.id < $1.id }
    }
    package func mint(_ id: MintID) -> MintRecord? { mints[id] }
    package func packet(_ id: RedPacketID) -> RedPacket? { packets[id] }
    package func packet(_ key: SendKey) -> RedPacket? { sent[key].flatMap { packets[$0] } }
    package func claim(_ key: ClaimKey) -> Claim? { claims[key] }
    package func subsidy(_ order: OrderNumber) -> Subsidy? { subsidies[order] }
    package func reward(_ order: OrderNumber) -> GivenReward? { rewards[order] }
    package func identity(_ key: UserKey) -> Identity? { identities[key] }
    package func identities(on phone: PhoneKey) -> [Identity] {
        identities.values.filter { $0.phone == phone }.sorted { $0.key < $1.key }
    }
    package func identities(of person: PersonID) -> [Identity] {
        identities.values.filter { $0.person == person }.sorted { $0.key < $1.key }
    }
    package func merge(of person: PersonID) -> Merge? { merges[person] }
    package func pendingMerge(of source: PersonID) -> PendingMerge? { pendingMerges[source] }
    /// New ones too, and those that have ended since they were changed.
    package var changedPendingMerges: [PendingMerge] {
        changedPendingMergeSources.sorted().compactMap { pendingMerges[$0] }
    }
    /// New ones too.
    package var changedIdentities: [Identity] { changedUsers.sorted().compactMap { identities[$0] } }

    /// All that were ever promised for a packet, in order of number.
    package func refunds(of packet: RedPacketID) -> [Refund] { refunds[packet] ?? [] }

    package var newPackets: [RedPacket] { newPacketIDs.compactMap { packets[$0] } }
    package var changedPackets: [RedPacket] { changedPacketIDs.compactMap { packets[$0] } }
    package var changedClaims: [Claim] { changedClaimKeys.compactMap { claims[$0] } }
    package var newRefunds: [Refund] {
        refunds.values.flatMap { $0.dropFirst(loadedRefunds[$0[0].packet] ?? 0) }.sorted { $0.id < $1.id }
    }
    /// Of those that were loaded.
    package var changedRefunds: [Refund] {
        changedRefundsByPacket.flatMap { packet, numbers in
            refunds(of: packet).prefix(loadedRefunds[packet] ?? 0).filter { numbers.contains($0.number) }
        }
    }
    package var changedSubsidies: [Subsidy] { changedSubsidyOrders.compactMap { subsidies[$0] } }
    /// Of those that were loaded.
    package var changedRewards: [GivenReward] { changedRewardOrders.compactMap { rewards[$0] } }

    mutating func put(_ withdrawal: Withdrawal) {
        withdrawals[withdrawal.key] = withdrawal
        changedWithdrawals.insert(withdrawal.key)
    }
    mutating func put(_ budget: Budget) {
        budgets[budget.pool] = budget
        changedBudgets.insert(budget.pool)
    }
    mutating func put(_ lease: Lease) {
        leases[lease.id] = lease
        changedLeases.insert(lease.id)
    }
    mutating func put(_ mint: MintRecord) {
        mints[mint.id] = mint
        changedMints.insert(mint.id)
    }

    mutating func put(_ packet: RedPacket) {
        if packets.updateValue(packet, forKey: packet.id) == nil {
            sent[packet.key] = packet.id
            newPacketIDs.insert(packet.id)
        } else if !newPacketIDs.contains(packet.id) {
            changedPacketIDs.insert(packet.id)
        }
    }
    mutating func add(_ claim: Claim) {
        claims[claim.key] = claim
        newClaims.append(claim)
    }
    /// Makes room for so many that will be added.
    mutating func reserveClaims(_ count: Int) {
        claims.reserveCapacity(claims.count + count)
        newClaims.reserveCapacity(count)
    }
    /// A claim that was loaded and goes on.
    mutating func put(_ claim: Claim) {
        claims[claim.key] = claim
        changedClaimKeys.insert(claim.key)
    }

    mutating func put(_ identity: Identity) {
        identities[identity.key] = identity
        changedUsers.insert(identity.key)
    }
    mutating func add(_ merge: Merge) {
        merges[merge.source] = merge
        newMerges.append(merge)
    }
    mutating func put(_ merge: PendingMerge) {
        pendingMerges[merge.source] = merge
        changedPendingMergeSources.insert(merge.source)
    }
    mutating func end(_ merge: PendingMerge) { endedPendingMerges.append(merge.source) }
    /// Doing it again changes nothing.
    mutating func layOpen(_ order: MergedOrder) {
        if mergedOrders.insert(order.order).inserted { newMergedOrders.append(order) }
    }

    mutating func add(_ refund: Refund) { refunds[refund.packet, default: []].append(refund) }
    mutating func put(_ refund: Refund) {
        guard let index = refunds[refund.packet]?.firstIndex(where: { $0.number == refund.number }) else {
            preconditionFailure("a refund outside the footprint")
        }
        refunds[refund.packet]?[index] = refund
        changedRefundsByPacket[refund.packet, default: []].insert(refund.number)
    }
    mutating func add(_ subsidy: Subsidy) { newSubsidies.append(subsidy) }
    /// A subsidy that was loaded and goes on.
    mutating func put(_ subsidy: Subsidy) {
        subsidies[subsidy.order] = subsidy
        changedSubsidyOrders.insert(subsidy.order)
    }
    mutating func add(_ reward: GivenReward) {
        rewards[reward.id] = reward
        newRewards.append(reward)
    }
    /// A reward that was loaded and goes on.
    mutating func put(_ reward: GivenReward) {
        rewards[reward.id] = reward
        changedRewardOrders.insert(reward.id)
    }

    /// Takes a new epoch for a mint, so that whoever held the one before is fenced off (design, "Slots").
    ///
    /// - Parameters:
    ///   - division: what the mint is part of, if it's new.
    ///   - address: of the node that has it from now on.
    package mutating func openEpoch(
        of mint: MintID,
        _ record: EpochRecord,
        in division: Division = .whole,
        at address: String? = nil
    ) -> MintRecord {
        var state =
            mints[mint]
            ?? MintRecord(id: mint, epoch: 0, lastSequence: 0, postedSequence: 0, mints: division.mints)
        precondition(record.mint == mint && record.epoch > state.epoch)
        state.epoch = record.epoch
        if state.holder?.address != address { state.holder = address.map { MintHolder(address: $0) } }
        put(state)
        newEpochs.append(record)
        return state
    }

    /// Lets the other mints of a division begin where the log of the first one, which was alone until now, ends (DP-1).
    ///
    /// - Precondition: the first one's row is loaded, and there is none of the others.
    package mutating func divide() {
        guard let first = mints[.first] else { preconditionFailure("a mint outside the footprint") }
        for mint in Division(mints: first.mints).all.dropFirst() {
            precondition(mints[mint] == nil)
            let start = first.commonSequence
            put(
                MintRecord(
                    id: mint,
                    epoch: 0,
                    lastSequence: start,
                    postedSequence: start,
                    mints: first.mints,
                    commonSequence: start
                )
            )
        }
    }

    /// A sign of life of a mint's holder. Answers `false`, and changes nothing, when the mint isn't its own any more.
    package mutating func beat(_ mint: MintID, by address: String) -> Bool {
        guard var state = mints[mint], state.holder?.address == address else { return false }
        state.holder?.beats &+= 1
        put(state)
        return true
    }

    /// A node with fewer mints asks for this one.
    package mutating func want(_ mint: MintID, by address: String) {
        guard var state = mints[mint], state.holder != nil else { return }
        state.holder?.wantedBy = address
        put(state)
    }

    /// Gives a mint up: to the node that wants it, or for others to take at once.
    package mutating func leave(_ mint: MintID, by address: String) {
        guard var state = mints[mint], let holder = state.holder, holder.address == address else { return }
        state.holder = holder.wantedBy.map { MintHolder(address: $0) }
        put(state)
    }

    /// Refuses the tokens of an epoch from now on (TK-3): whoever holds its key must not be able to issue any more.
    package mutating func revoke(_ epoch: MintEpoch) { revokedEpochs.append(epoch) }

    /// Notes that everything of a mint up to `sequence` is in the ledger.
    package mutating func advancePosted(of mint: MintID, to sequence: UInt64) {
        guard var state = mints[mint] else { preconditionFailure("a mint outside the footprint") }
        guard sequence > state.postedSequence else { return }
        precondition(sequence <= state.lastSequence)
        state.postedSequence = sequence
        put(state)
    }
}
