import HongbaoCore
import HongbaoEngine

/// What one transaction has made durable.
struct Commit: Sendable {
    var accounts: [Account] = []
    var transfers: [Transfer] = []
    var holds: [Hold] = []
    var withdrawals: [Withdrawal] = []
    var budgets: [Budget] = []
    var leases: [Lease] = []
    var mints: [MintRecord] = []
    var batches: [LoggedBatch] = []
    var epochs: [EpochRecord] = []
    var packets: [RedPacket] = []
    var claims: [Claim] = []
    var refunds: [Refund] = []
    var subsidies: [Subsidy] = []
    var rewards: [GivenReward] = []
    var identities: [Identity] = []
    var merges: [Merge] = []
    var pendingMerges: [PendingMerge] = []
}

extension Commit: CustomStringConvertible {
    /// What changed, not how accounts stand.
    var description: String {
        var parts = batches.map { "batch \($0.sequence) with \($0.total.fen) fen" }
        parts += transfers.map { "transfer \($0.id.order.map { "\($0)" } ?? "\($0.id.low)") of \($0.amount.fen) fen" }
        parts += holds.map { "hold \($0.id.low) of \($0.amount.fen) fen \($0.state)" }
        parts += withdrawals.map { "withdrawal \($0.payoutOrder) \($0.state), asked \($0.attempts) times" }
        parts += packets.map { "packet \($0.id.rawValue) \($0.state), \($0.claimedCount) shares claimed" }
        parts += claims.map { "claim \($0.transferOrder) of \($0.share.fen) fen \($0.state)" }
        parts += refunds.map { "refund \($0.refundOrder) of \($0.amount.fen) fen \($0.state)" }
        parts += subsidies.map { "subsidy \($0.order) \($0.packet.map { "used by packet \($0.rawValue)" } ?? "given")" }
        parts += rewards.map { "reward \($0.order) of template \($0.template.number) \($0.state)" }
        parts += identities.map { "user \($0.key.bits >> 112) is person \($0.person.rawValue)" }
        parts += pendingMerges.map { "person \($0.source.rawValue) waits for \($0.waiting) mints to be merged" }
        parts += merges.map { "person \($0.source.rawValue) is merged into \($0.target.rawValue)" }
        parts += leases.map { "lease of pool \($0.id.pool.rawValue): \($0.issued.fen) of \($0.allotted.fen)" }
        parts += epochs.map { "epoch \($0.epoch) of mint \($0.mint.rawValue)\($0.isRevoked ? " revoked" : "")" }
        parts += mints.map { "mint \($0.id.rawValue) posted to \($0.postedSequence) of \($0.lastSequence)" }
        return parts.isEmpty ? "nothing" : parts.joined(separator: ", ")
    }
}

/// The rows of a store, and what its schema refuses: a simulated database.
struct Tables: Sendable {
    private(set) var accounts: [AccountID: Account] = [:]
    private(set) var transfers: [TransferID: Transfer] = [:]
    private(set) var holds: [TransferID: Hold] = [:]
    private(set) var withdrawals: [WithdrawalKey: Withdrawal] = [:]
    private(set) var budgets: [PoolID: Budget] = [:]
    private(set) var leases: [LeaseID: Lease] = [:]
    private(set) var mints: [MintID: MintRecord] = [:]
    private(set) var epochs: [MintEpoch: EpochRecord] = [:]
    private(set) var log: [MintID: [LoggedBatch]] = [:]
    private(set) var packets: [RedPacketID: RedPacket] = [:]
    private(set) var sent: [SendKey: RedPacketID] = [:]
    private(set) var claims: [ClaimKey: Claim] = [:]
    /// Of each packet, in order of number.
    private(set) var refunds: [RedPacketID: [Refund]] = [:]
    private(set) var subsidies: [OrderNumber: Subsidy] = [:]
    private(set) var rewards: [OrderNumber: GivenReward] = [:]
    private(set) var identities: [UserKey: Identity] = [:]
    private(set) var merges: [PersonID: Merge] = [:]
    private(set) var pendingMerges: [PersonID: PendingMerge] = [:]
    private(set) var mergedOrders: [OrderNumber: MergedOrder] = [:]
    /// Of each packet, by position.
    private(set) var claimants: [RedPacketID: [PersonID]] = [:]
    /// Of each person, in order of ID.
    private(set) var transfersOfPerson: [PersonID: [TransferID]] = [:]

    // MARK: The log

    static let overdrawn = "M6: more is issued than allotted"

    /// `Store.append`: the same refusals as every store's, see there.
    mutating func append(_ group: AppendGroup) throws(StoreError) -> Commit {
        guard let first = group.batches.first, let last = group.batches.last else {
            guard group.issued.isEmpty else { throw StoreError(.corrupt, "grants without a batch") }
            return Commit()
        }
        try group.checkWhole()
        guard group.batches.allSatisfy({ (1...BatchHeader.countMax).contains($0.count) }) else {
            throw StoreError(.corrupt, "a batch of no size that there is")
        }
        guard let mint = mints[group.mint], mint.epoch <= group.epoch else {
            throw StoreError(.fenced, "another process has a newer epoch")
        }
        guard mint.epoch == group.epoch, first.sequence == mint.lastSequence + 1 else {
            throw StoreError(.corrupt, "M5: batch \(first.sequence) doesn't follow \(mint.lastSequence)")
        }
        var commit = Commit()
        for (pool, amount) in group.issued.sorted(by: { $0.key < $1.key }) {
            guard let lease = leases[LeaseID(pool: pool, mint: group.mint)], lease.epoch == group.epoch,
                let issued = lease.issued.adding(amount)
            else { throw StoreError(.fenced, "there is no such lease") }
            guard issued <= lease.allotted else { throw StoreError(.fenced, Self.overdrawn) }
            commit.leases.append(
                Lease(
                    id: lease.id,
                    epoch: lease.epoch,
                    allotted: lease.allotted,
                    issued: issued,
                    expiresAt: lease.expiresAt
                )
            )
        }
        commit.batches = group.batches
        commit.mints = [mint.reaching(last.sequence)]
        for lease in commit.leases { leases[lease.id] = lease }
        for mint in commit.mints { mints[mint.id] = mint }
        log[group.mint, default: []] += group.batches
        return commit
    }

    // MARK: The books

    func load(_ footprint: Footprint) -> Books {
        Books(
            ledger: Ledger(
                accounts: footprint.accounts.map { accounts[$0] ?? Account(id: $0) },
                transfers: footprint.transfers.compactMap { transfers[$0] },
                holds: footprint.holds.compactMap { holds[$0] }
            ),
            withdrawals: footprint.withdrawals.compactMap { withdrawals[$0] },
            budgets: footprint.budgets.compactMap { budgets[$0] },
            leases: leases.values.filter { footprint.budgets.contains($0.id.pool) },
            mints: footprint.mints.compactMap { mints[$0] },
            packets: footprint.packets.compactMap { packets[$0] }
                + footprint.sends.compactMap { sent[$0].flatMap { packets[$0] } },
            claims: footprint.claims.compactMap { claims[$0] },
            refunds: Set(footprint.refunds).flatMap { refunds[$0] ?? [] },
            subsidies: footprint.subsidies.compactMap { subsidies[$0] },
            rewards: footprint.rewards.compactMap { rewards[$0] },
            identities: identities(in: footprint),
            merges: footprint.persons.compactMap { merges[$0] },
            pendingMerges: footprint.pendingMerges.compactMap { pendingMerges[$0] },
            mergedOrders: mergedOrders.values.filter { footprint.mergedOrders.contains($0.order.person) }
        )
    }

    /// Writes what a decision changed, or nothing when the schema refuses any of it.
    mutating func save(_ books: Books) throws(StoreError) -> Commit {
        var commit = Commit()
        commit.accounts = books.ledger.changedAccounts
        commit.transfers = books.ledger.newTransfers
        commit.holds = books.ledger.changedHolds.sorted { $0.id < $1.id }
        commit.withdrawals = books.changedWithdrawals.compactMap { books.withdrawal($0) }
            .sorted { $0.order(before: $1.key) }
        commit.budgets = books.changedBudgets.compactMap { books.budget($0) }
        commit.leases = books.changedLeases.compactMap { books.lease($0) }
        commit.mints = books.changedMints.compactMap { books.mint($0) }
        commit.epochs = books.newEpochs
        commit.packets = (books.newPackets + books.changedPackets).sorted { $0.id < $1.id }
        commit.claims = books.newClaims + books.changedClaims.sorted { $0.transferID < $1.transferID }
        commit.refunds = books.changedRefunds.sorted { $0.id < $1.id } + books.newRefunds
        commit.subsidies = books.newSubsidies + books.changedSubsidies.sorted { $0.order < $1.order }
        commit.rewards = books.newRewards + books.changedRewards.sorted { $0.id < $1.id }
        commit.identities = books.changedIdentities
        commit.merges = books.newMerges
        commit.pendingMerges = books.changedPendingMerges
        if let why = refusal(of: commit) ?? refusal(ofIdentities: commit) { throw StoreError(.corrupt, why) }
        for row in commit.accounts { accounts[row.id] = row }
        for row in commit.holds { holds[row.id] = row }
        for row in commit.withdrawals { withdrawals[row.key] = row }
        for row in commit.budgets { budgets[row.pool] = row }
        for row in commit.leases { leases[row.id] = row }
        for row in commit.mints { mints[row.id] = row }
        for row in commit.transfers {
            transfers[row.id] = row
            let place = transfersOfPerson[row.id.person]?.firstIndex { row.id < $0 }
            let list = transfersOfPerson[row.id.person] ?? []
            transfersOfPerson[row.id.person, default: []].insert(row.id, at: place ?? list.count)
        }
        for row in commit.epochs { epochs[MintEpoch(mint: row.mint, epoch: row.epoch)] = row }
        for row in commit.packets {
            packets[row.id] = row
            sent[row.key] = row.id
        }
        for row in commit.claims where claims.updateValue(row, forKey: row.key) == nil {
            claimants[row.key.packet, default: []].append(row.key.person)
        }
        for row in commit.refunds {
            let place = refunds[row.packet]?.firstIndex { $0.number == row.number }
            if let place { refunds[row.packet]?[place] = row } else { refunds[row.packet, default: []].append(row) }
        }
        for row in commit.subsidies { subsidies[row.order] = row }
        for row in commit.rewards { rewards[row.id] = row }
        for row in commit.identities { identities[row.key] = row }
        for row in commit.merges { merges[row.source] = row }
        for row in commit.pendingMerges { pendingMerges[row.source] = row }
        for source in books.endedPendingMerges { pendingMerges[source] = nil }
        for row in books.newMergedOrders { mergedOrders[row.order] = row }
        for key in books.revokedEpochs { epochs[key] = epochs[key]?.revoked }
        return commit
    }

    /// The constraints of a real store's schema.
    private func refusal(of commit: Commit) -> String? {
        for row in commit.accounts where !row.id.kind.mayBeOverdrawn && row.available < 0 { return "M2: an overdraft" }
        for row in commit.transfers {
            if transfers[row.id] != nil { return "M3: a second transfer under one number" }
            if row.amount == .zero || row.debit == row.credit { return "M1: a transfer that moves nothing" }
            guard let order = row.id.order else { continue }
            let isTheirs = row.credit.owner == order.person.rawValue && [.person, .subsidies].contains(row.credit.kind)
            if !isTheirs { return "M3: a grant to another person than its number names" }
            if row.debit.kind == .budget, row.debit != .budget(of: order.scene) {
                return "M4: a grant out of another scene's budget"
            }
        }
        for row in commit.holds {
            if let before = holds[row.id], before.state != .pending, before.state != row.state {
                return "M10: a final hold changes"
            }
        }
        for row in commit.withdrawals {
            if let before = withdrawals[row.key], before.state != .pending, before.state != row.state {
                return "M10: a final withdrawal changes"
            }
        }
        for row in commit.budgets where row.allotted > row.total { return "M6: more is allotted than there is" }
        for row in commit.leases where row.issued > row.allotted { return "M6: more is issued than allotted" }
        return refusal(ofPackets: commit)
    }

    private func refusal(ofPackets commit: Commit) -> String? {
        for row in commit.packets {
            if let owner = sent[row.key], owner != row.id { return "M14: a second packet under one key" }
            if row.claimed > row.split.amount || row.claimedCount > row.split.count { return "M7: too much is claimed" }
            if row.transferred > row.claimed { return "M8: more is transferred than was claimed" }
            guard let before = packets[row.id] else { continue }
            if before.state.isFinal && before.state != row.state { return "M10: a final packet changes" }
            if row.claimedCount < before.claimedCount { return "M7: a claim is taken back" }
        }
        for row in commit.claims {
            guard let before = claims[row.key] else {
                let next = claimants[row.key.packet]?.count ?? 0
                let isPublished = packets[row.key.packet]?.state == .published
                if row.position < next || !isPublished { return "M7: the packet has no such share to claim" }
                continue
            }
            if before.position != row.position || before.state == .done { return "M10: a claim changes" }
        }
        for row in commit.subsidies {
            guard let before = subsidies[row.order] else { continue }
            if before.isUsed || row.packet == nil { return "SU-4: a subsidy that is used changes" }
        }
        var promised: Set<OrderNumber> = []
        for row in commit.rewards {
            if !promised.insert(row.id).inserted { return "M3: a second reward under one number" }
            guard let before = rewards[row.id] else {
                if row.state != .promised { return "M10: a reward that was never promised" }
                continue
            }
            if before.template != row.template || before.at != row.at { return "M15: what was promised changes" }
            let isForward =
                before.state == row.state || before.state == .promised && row.state != .redeemed
                || before.state == .given && row.state == .redeemed
            if !isForward { return "M10: a reward goes back" }
            if before.state == .redeemed { return "M10: a reward is used twice" }
        }
        return refusal(ofRefunds: commit.refunds)
    }

    private func refusal(ofRefunds rows: [Refund]) -> String? {
        var refunds = refunds
        for row in rows {
            let before = refunds[row.packet] ?? []
            guard let place = before.firstIndex(where: { $0.number == row.number }) else {
                if before.contains(where: { $0.state != .failed }) { return "M7: a second refund" }
                if row.number != before.count + 1 { return "M7: the packet has no such refund" }
                refunds[row.packet, default: []].append(row)
                continue
            }
            if before[place].state != .pending { return "M10: a final refund changes" }
            refunds[row.packet]?[place] = row
        }
        return nil
    }
}

/// Answers questions on the rows as they are at one moment.
struct TableSnapshot: StoreSnapshot {
    let tables: Tables

    func account(_ id: AccountID) -> Account { tables.accounts[id] ?? Account(id: id) }
    func transfers(_ ids: [TransferID]) -> [Transfer] { ids.compactMap { tables.transfers[$0] } }

    func transfers(of person: PersonID, in book: BookID) -> [Transfer] {
        (tables.transfersOfPerson[person] ?? []).filter { $0.book == book && $0.packet == nil }
            .compactMap { tables.transfers[$0] }
    }

    func withdrawals(of person: PersonID, in book: BookID) -> [Withdrawal] {
        tables.withdrawals.values.filter { $0.key.person == person && $0.key.book == book }
            .sorted { $0.serial < $1.serial }
    }

    func withdrawal(_ key: WithdrawalKey) -> Withdrawal? { tables.withdrawals[key] }

    func withdrawals(toCheckIn times: ClosedRange<Timestamp>, limit: Int) -> [Withdrawal] {
        let due = tables.withdrawals.values.filter { $0.state == .pending && times.contains($0.nextCheckAt) }
        return Array(due.sorted { ($0.nextCheckAt, $0.transferID) < ($1.nextCheckAt, $1.transferID) }.prefix(limit))
    }

    func mints() -> [MintRecord] { tables.mints.values.sorted { $0.id < $1.id } }
    func epochs() -> [EpochRecord] { tables.epochs.values.sorted { ($0.mint, $0.epoch) < ($1.mint, $1.epoch) } }

    func budgets() -> [(Budget, [Lease])] {
        tables.budgets.values.sorted { $0.pool < $1.pool }.map { budget in
            (budget, tables.leases.values.filter { $0.id.pool == budget.pool }.sorted { $0.id < $1.id })
        }
    }

    func batches(of mint: MintID, after sequence: UInt64, limit: Int) -> [LoggedBatch] {
        let log = tables.log[mint] ?? []
        return Array(log.dropFirst(Int(clamping: sequence)).prefix(limit))
    }

    func accounts(after id: AccountID?, limit: Int) -> [Account] {
        page(of: tables.accounts.values, by: \.id, after: id, limit)
    }

    func transfers(after id: TransferID?, limit: Int) -> [Transfer] {
        page(of: tables.transfers.values, by: \.id, after: id, limit)
    }

    func holds(after id: TransferID?, limit: Int) -> [Hold] {
        page(of: tables.holds.values, by: \.id, after: id, limit)
    }

    func withdrawals(after key: WithdrawalKey?, limit: Int) -> [Withdrawal] {
        let all = tables.withdrawals.values.sorted { $0.order(before: $1.key) }
        return Array(all.filter { row in key.map { $0.order(before: row.key) } ?? true }.prefix(limit))
    }

    func packets(after id: RedPacketID?, limit: Int) -> [RedPacket] {
        page(of: tables.packets.values, by: \.id, after: id, limit)
    }

    func packet(_ id: RedPacketID) -> RedPacket? { tables.packets[id] }
    func packet(_ key: SendKey) -> RedPacket? { tables.sent[key].flatMap { tables.packets[$0] } }

    func packets(toCheckIn times: ClosedRange<Timestamp>, limit: Int) -> [RedPacket] {
        packets(in: times, limit) { !$0.state.isFinal && $0.state != .paying }
    }

    func packets(toPayIn times: ClosedRange<Timestamp>, limit: Int) -> [RedPacket] {
        packets(in: times, limit) { $0.state == .paying }
    }

    private func packets(
        in times: ClosedRange<Timestamp>,
        _ limit: Int,
        _ isMeant: (RedPacket) -> Bool
    ) -> [RedPacket] {
        let due = tables.packets.values.filter { isMeant($0) && times.contains($0.nextCheckAt) }
        return Array(due.sorted { ($0.nextCheckAt, $0.id) < ($1.nextCheckAt, $1.id) }.prefix(limit))
    }

    func refunds(of packet: RedPacketID) -> [Refund] { tables.refunds[packet] ?? [] }

    func refunds(toCheckIn times: ClosedRange<Timestamp>, limit: Int) -> [Refund] {
        let due = tables.refunds.values.joined().filter { $0.state == .pending && times.contains($0.nextCheckAt) }
        return Array(due.sorted { ($0.nextCheckAt, $0.id) < ($1.nextCheckAt, $1.id) }.prefix(limit))
    }

    func subsidies(after order: OrderNumber?, limit: Int) -> [Subsidy] {
        page(of: tables.subsidies.values, by: \.order, after: order, limit)
    }

    func subsidies(of person: PersonID, in book: BookID) -> [Subsidy] {
        tables.subsidies.values.filter { $0.order.person == person && $0.order.book == book }
            .sorted { $0.order < $1.order }
    }

    func claims(_ keys: [ClaimKey]) -> [Claim] { keys.compactMap { tables.claims[$0] } }

    func claims(of packet: RedPacketID, from position: Int, limit: Int) -> [Claim] {
        (tables.claimants[packet] ?? []).dropFirst(position).prefix(limit)
            .compactMap { tables.claims[ClaimKey(packet: packet, person: $0)] }
    }

    func claims(of person: PersonID, in book: BookID) -> [Claim] {
        tables.claims.values.filter { $0.key.person == person && $0.book == book }
            .sorted { $0.transferID < $1.transferID }
    }

    func rewards(_ orders: [OrderNumber]) -> [GivenReward] { orders.compactMap { tables.rewards[$0] } }

    func rewards(of person: PersonID, in book: BookID) -> [GivenReward] {
        tables.rewards.values.filter { $0.id.person == person && $0.id.book == book }.sorted { $0.id < $1.id }
    }

    func rewards(after order: OrderNumber?, limit: Int) -> [GivenReward] {
        page(of: tables.rewards.values, by: \.id, after: order, limit)
    }

    func rewards(of kind: RewardKind, toGiveIn times: ClosedRange<Timestamp>, limit: Int) -> [GivenReward] {
        let due = tables.rewards.values.filter {
            $0.kind == kind && $0.state == .promised && times.contains($0.nextCheckAt)
        }
        return Array(due.sorted { ($0.nextCheckAt, $0.id) < ($1.nextCheckAt, $1.id) }.prefix(limit))
    }

    func claims(of kind: RedPacketKind, toTransferIn times: ClosedRange<Timestamp>, limit: Int) -> [Claim] {
        let due = tables.claims.values.filter {
            $0.kind == kind && $0.state == .pending && times.contains($0.nextCheckAt)
        }
        return Array(due.sorted { ($0.nextCheckAt, $0.transferID) < ($1.nextCheckAt, $1.transferID) }.prefix(limit))
    }

    private func page<Row, Key: Comparable>(
        of rows: some Collection<Row>,
        by key: (Row) -> Key,
        after last: Key?,
        _ limit: Int
    ) -> [Row] {
        let sorted = rows.sorted { key($0) < key($1) }
        return Array(sorted.filter { row in last.map { $0 < key(row) } ?? true }.prefix(limit))
    }
}

extension WithdrawalKey {
    fileprivate func order(before other: Self) -> Bool {
        (person, book, id) < (other.person, other.book, other.id)
    }
}

extension Withdrawal {
    fileprivate func order(before other: WithdrawalKey) -> Bool { key.order(before: other) }
}

extension EpochRecord {
    fileprivate var revoked: Self {
        Self(mint: mint, epoch: epoch, certificate: certificate, wrappedDataKey: wrappedDataKey, isRevoked: true)
    }
}
