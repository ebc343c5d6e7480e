import Crypto
import HongbaoCore

/// One rule of the audit: how much was looked at, and what was found.
package struct AuditCheck: Sendable {
    /// The invariant, M1…M16.
    package let invariant: String
    package let title: String
    package fileprivate(set) var examined = 0
    package fileprivate(set) var breachCount = 0
    /// The first few breaches, without personal data.
    package fileprivate(set) var breaches: [String] = []

    /// The same of another database.
    fileprivate mutating func add(_ other: AuditCheck, of place: String) {
        examined += other.examined
        breachCount += other.breachCount
        breaches = Array((breaches + other.breaches.map { "\(place): \($0)" }).prefix(10))
    }

    mutating func expect(_ holds: Bool, _ breach: @autoclosure () -> String) {
        examined += 1
        guard !holds else { return }
        breachCount += 1
        if breaches.count < 10 { breaches.append(breach()) }
    }
}

package struct AuditReport: Sendable {
    package internal(set) var checks: [AuditCheck]
    package fileprivate(set) var totals: Totals

    /// Sums over everything, in fen, for people who compare them with what they know.
    package struct Totals: Hashable, Sendable {
        package var grantsAccepted = 0
        package var acceptedFen: Int128 = 0
        package var grantsPosted = 0
        package var postedFen: Int128 = 0
        package var withdrawalsPaid = 0
        package var paidFen: Int128 = 0
        package var heldFen: Int128 = 0
        package var subsidiesPosted = 0
        package var subsidiesFen: Int128 = 0
        package var subsidiesUsed = 0
        package var subsidiesUsedFen: Int128 = 0
        package var packetsSent = 0
        package var sentFen: Int128 = 0
        package var transferredFen: Int128 = 0
        package var refundedFen: Int128 = 0
        package var rewardsPosted = 0
        package var rewardsGiven = 0
        package var personsMerged = 0
        package var mergedFen: Int128 = 0
    }

    package var holds: Bool { checks.allSatisfy { $0.breachCount == 0 } }

    /// The same of another database. Both have the same checks.
    mutating func add(_ other: AuditReport, of place: String) {
        for index in checks.indices { checks[index].add(other.checks[index], of: place) }
        totals.add(other.totals)
    }
}

extension AuditReport.Totals {
    fileprivate mutating func add(_ other: Self) {
        grantsAccepted += other.grantsAccepted
        acceptedFen += other.acceptedFen
        grantsPosted += other.grantsPosted
        postedFen += other.postedFen
        withdrawalsPaid += other.withdrawalsPaid
        paidFen += other.paidFen
        heldFen += other.heldFen
        subsidiesPosted += other.subsidiesPosted
        subsidiesFen += other.subsidiesFen
        subsidiesUsed += other.subsidiesUsed
        subsidiesUsedFen += other.subsidiesUsedFen
        packetsSent += other.packetsSent
        sentFen += other.sentFen
        transferredFen += other.transferredFen
        refundedFen += other.refundedFen
        rewardsPosted += other.rewardsPosted
        rewardsGiven += other.rewardsGiven
        // Each of them knows all.
        personsMerged = max(personsMerged, other.personsMerged)
        mergedFen += other.mergedFen
    }
}

/// Proves the conservation rules on live data (RC-5), from one snapshot of each database.
///
/// It shares no state with the engine: it adds up the transfers, opens and verifies every batch of the log, and
/// compares.
package struct Audit {
    private let verifier: TokenVerifier
    private let reader: LogReader
    private static let page = 4096

    private var zeroSum = AuditCheck(invariant: "M1", title: "debits equal credits, accounts sum to zero")
    private var balances = AuditCheck(invariant: "M2", title: "balances are the sums of their entries, none negative")
    private var uniqueOrders = AuditCheck(invariant: "M3", title: "one grant for each order number, paid to its person")
    private var sameEverywhere = AuditCheck(invariant: "M4", title: "booked = token = accepted")
    private var allPosted = AuditCheck(invariant: "M5", title: "every grant before the log's watermark is posted")
    private var withinBudget = AuditCheck(invariant: "M6", title: "issued + leased + available = budget")
    private var payouts = AuditCheck(invariant: "M9", title: "withdrawals, holds and payouts agree")
    private var forward = AuditCheck(invariant: "M10", title: "final states are complete, middle ones are pending")
    private var oneBook = AuditCheck(invariant: "M13", title: "no money leaves its book")
    private var log = AuditCheck(invariant: "TK", title: "batches are signed, without gap, and add up")

    private var sums: [AccountID: (debits: Int128, credits: Int128, held: Int128)] = [:]
    /// Accepted and not yet seen in the ledger.
    private var accepted: [UInt128: (fen: Int64, mustBePosted: Bool)] = [:]
    private var issued: [LeaseID: Int128] = [:]
    private var issuedByEpoch: [MintEpoch: Int128] = [:]
    private var caps: [MintEpoch: Amount] = [:]
    private var holds: [TransferID: Hold] = [:]
    /// Transfers that are neither grants, fundings nor a red packet's, and so must be paid withdrawals.
    private var paidOut: [TransferID: Transfer] = [:]
    /// What each budget's account got from the treasury, less what it gave back.
    private var funded: [AccountID: Int128] = [:]
    /// What each scene gives.
    private var kinds: [PoolID: RewardKind] = [:]
    private var rewards = RewardAudit()
    private var packets: PacketAudit
    private var identities = IdentityAudit()
    private var totals = AuditReport.Totals()
    private var crossing = CrossingAudit.Found()

    private init(verifier: TokenVerifier, reader: LogReader, packets: PacketAudit) {
        self.verifier = verifier
        self.reader = reader
        self.packets = packets
    }

    /// What one database says, and what it has to do with the others.
    ///
    /// - Parameters:
    ///   - index: which of the databases it is.
    ///   - targets: into whom who was merged, where the database doesn't say so itself.
    static func read(
        _ rows: AuditedRows,
        _ index: Int,
        of shards: Shards,
        _ targets: [PersonID: PersonID]?,
        _ keyring: Keyring,
        _ signatures: VerifiedSignatures
    ) throws(StoreError) -> Part {
        var audit = Audit(
            verifier: TokenVerifier(root: keyring.rootPublicKey, signatures: signatures),
            reader: LogReader(wrappingKey: keyring.walletWrapping),
            packets: PacketAudit(keyring: keyring) { shards.index(of: $0) != index }
        )
        try audit.learnEpochs(rows)
        for (budget, leases) in try rows.budgets() {
            audit.kinds[budget.pool] = budget.kind
            audit.crossing.leases += leases
        }
        if let targets {
            audit.identities.learn(targets, &audit.totals)
        } else {
            audit.identities.learn(try rows.merges(), &audit.totals)
        }
        let mints = try rows.mints()
        for mint in mints { try audit.readLog(of: mint, common: mints.first?.commonSequence, rows) }
        audit.compareCaps()
        try audit.readTransfers(rows)
        try audit.rewards.read(rows, audit.kinds, &audit.totals)
        try audit.readHolds(rows)
        try audit.readWithdrawals(rows)
        try audit.readAccounts(rows)
        try audit.readBudgets(rows)
        try audit.identities.read(rows)
        try audit.packets.read(rows, &audit.forward, &audit.payouts, &audit.totals)
        audit.crossing.departed = audit.packets.departed
        return Part(report: audit.report, crossing: audit.crossing, identities: audit.identities)
    }

    /// What was found in one database.
    struct Part: Sendable {
        private(set) var report: AuditReport
        let crossing: CrossingAudit.Found
        private(set) var identities: IdentityAudit

        mutating func settle(_ merges: [Merge]) {
            identities.settle(merges)
            for place in report.checks.indices where report.checks[place].title == identities.check.title {
                report.checks[place] = identities.check
            }
        }
    }

    private var report: AuditReport {
        AuditReport(
            checks: [
                zeroSum, balances, uniqueOrders, sameEverywhere, allPosted, withinBudget, packets.conserved,
                packets.settled, payouts, forward, oneBook, packets.subsidies.check, rewards.check, packets.shares,
                identities.check, log,
            ],
            totals: totals
        )
    }

    private mutating func learnEpochs(_ rows: AuditedRows) throws(StoreError) {
        for epoch in try rows.epochs() {
            try reader.learn(epoch)
            guard let certificate = MintCertificate(epoch.certificate) else {
                log.expect(false, "the certificate of epoch \(epoch.epoch) can't be read")
                continue
            }
            caps[MintEpoch(mint: epoch.mint, epoch: epoch.epoch)] = certificate.cap
            let isCertified = verifier.admit(certificate) == .admitted
            log.expect(
                isCertified && certificate.mint == epoch.mint && certificate.epoch == epoch.epoch,
                "the certificate of mint \(epoch.mint.rawValue) epoch \(epoch.epoch) isn't the root's"
            )
        }
    }

    /// - Parameter common: up to where the log of the first mint is that of all.
    private mutating func readLog(
        of mint: MintRecord,
        common: UInt64?,
        _ rows: AuditedRows
    ) throws(StoreError) {
        var sequence = mint.start
        log.expect(
            mint.commonSequence == common,
            "mint \(mint.id.rawValue): its log begins behind \(mint.commonSequence), not behind \(common ?? 0)"
        )
        while true {
            let batches = try rows.batches(of: mint.id, after: sequence, limit: 256)
            guard let last = batches.last else { break }
            for batch in batches {
                log.expect(
                    batch.sequence == sequence + 1,
                    "mint \(mint.id.rawValue): \(batch.sequence) follows \(sequence)"
                )
                sequence = batch.sequence
                read(batch, isPosted: batch.sequence <= mint.postedSequence)
            }
            sequence = last.sequence
        }
        log.expect(
            sequence == mint.lastSequence,
            "mint \(mint.id.rawValue): the log ends at \(sequence), not at \(mint.lastSequence)"
        )
    }

    /// What a stolen minting key could be used for is bounded by its certificate.
    private mutating func compareCaps() {
        for (epoch, issued) in issuedByEpoch {
            withinBudget.expect(
                issued <= Int128(caps[epoch]?.fen ?? 0),
                "mint \(epoch.mint.rawValue) epoch \(epoch.epoch): \(issued) fen issued, above its certificate's cap"
            )
        }
    }

    private mutating func read(_ logged: LoggedBatch, isPosted: Bool) {
        let place = "mint \(logged.mint.rawValue) batch \(logged.sequence)"
        let opened: OpenedBatch
        do {
            opened = try reader.open(logged)
        } catch {
            log.expect(false, "\(place): \(error)")
            return
        }
        do {
            // Any token of the batch leads to the signed root, so one that verifies vouches for signature and tree.
            let token = try reader.tokens(logged)[0]
            guard case .valid = verifier.verify(token, now: logged.at) else {
                throw StoreError(.corrupt, "its signature doesn't verify")
            }
        } catch {
            log.expect(false, "\(place): \(error)")
        }
        let sum = opened.payloads.reduce(0) { $0 + Int128($1.amount.fen) }
        log.expect(
            opened.payloads.count == logged.count && sum == Int128(logged.total.fen),
            "\(place): its row differs from its grants"
        )
        issuedByEpoch[MintEpoch(mint: logged.mint, epoch: logged.epoch), default: 0] += Int128(logged.total.fen)
        for (payload, choice) in zip(opened.payloads, opened.choices) {
            totals.grantsAccepted += 1
            guard choice.isMoney else {
                let isNew = rewards.note(payload, choice, isPosted: isPosted)
                uniqueOrders.expect(isNew && payload.person.rawValue > 0, "\(place) repeats an order number")
                guard let template = choice.template(in: payload.book) else { continue }
                issued[LeaseID(pool: PoolID(template), mint: logged.mint), default: 0] += 1
                continue
            }
            let isNew = accepted.updateValue((payload.amount.fen, isPosted), forKey: payload.order.bits) == nil
            uniqueOrders.expect(isNew && payload.person.rawValue > 0, "\(place) repeats an order number")
            issued[LeaseID(pool: PoolID(payload.scene), mint: logged.mint), default: 0] += Int128(payload.amount.fen)
            totals.acceptedFen += Int128(payload.amount.fen)
        }
    }

    private mutating func readTransfers(_ rows: AuditedRows) throws(StoreError) {
        var last: TransferID?
        while true {
            let page = try rows.transfers(after: last, limit: Self.page)
            for transfer in page { read(transfer) }
            guard let end = page.last else { break }
            last = end.id
        }
        for grant in accepted.values where grant.mustBePosted {
            allPosted.expect(false, "a grant of \(grant.fen) fen before the watermark isn't in the ledger")
        }
    }

    private mutating func read(_ transfer: Transfer) {
        let amount = Int128(transfer.amount.fen)
        sums[transfer.debit, default: (0, 0, 0)].debits += amount
        sums[transfer.credit, default: (0, 0, 0)].credits += amount
        oneBook.expect(
            transfer.debit.book == transfer.credit.book && transfer.id.book == transfer.debit.book,
            "a transfer between books \(transfer.debit.book.rawValue) and \(transfer.credit.book.rawValue)"
        )
        if transfer.id.person.rawValue == 0 {
            if transfer.credit.kind == .budget { funded[transfer.credit, default: 0] += amount }
            if transfer.debit.kind == .budget { funded[transfer.debit, default: 0] -= amount }
            return
        }
        identities.note(transfer, &totals)
        if transfer.debit.isElsewhere { return crossing.arrived.append(transfer) }
        if PacketAudit.concerns(transfer) { packets.note(transfer) }
        guard let order = transfer.id.order else {
            let isOther = PacketAudit.concerns(transfer) || IdentityAudit.concerns(transfer)
            if !isOther { paidOut[transfer.id] = transfer }
            return
        }
        totals.grantsPosted += 1
        totals.postedFen += amount
        if transfer.credit.kind == .subsidies {
            packets.subsidies.note(transfer, order)
            totals.subsidiesPosted += 1
            totals.subsidiesFen += amount
        }
        let grant = accepted.removeValue(forKey: order.bits)
        if grant?.mustBePosted ?? false { allPosted.expect(true, "") }
        sameEverywhere.expect(
            grant?.fen == transfer.amount.fen && transfer.debit == .budget(of: order.scene)
                && transfer.credit == kinds[PoolID(order.scene)]?.account(of: order.person, in: order.book),
            "scene \(order.scene.rawValue): \(transfer.amount.fen) fen booked, "
                + "\(grant.map { "\($0.fen)" } ?? "nothing") accepted"
        )
    }

    private mutating func readHolds(_ rows: AuditedRows) throws(StoreError) {
        var last: TransferID?
        while true {
            let page = try rows.holds(after: last, limit: Self.page)
            for hold in page {
                holds[hold.id] = hold
                if hold.state == .pending {
                    sums[hold.debit, default: (0, 0, 0)].held += Int128(hold.amount.fen)
                    totals.heldFen += Int128(hold.amount.fen)
                }
            }
            guard let end = page.last else { break }
            last = end.id
        }
    }

    private mutating func readWithdrawals(_ rows: AuditedRows) throws(StoreError) {
        var last: WithdrawalKey?
        while true {
            let page = try rows.withdrawals(after: last, limit: Self.page)
            for withdrawal in page {
                let hold = holds.removeValue(forKey: withdrawal.transferID)
                let expected: Hold.State =
                    switch withdrawal.state {
                    case .pending: .pending
                    case .paid: .posted
                    case .failed: .voided
                    }
                payouts.expect(
                    hold?.state == expected && hold?.amount == withdrawal.amount,
                    "withdrawal serial \(withdrawal.serial): \(withdrawal.state), "
                        + "its hold is \(hold.map { "\($0.state)" } ?? "missing")"
                )
                let paid = paidOut.removeValue(forKey: withdrawal.transferID)
                payouts.expect(
                    withdrawal.state == .paid ? paid.map(withdrawal.isPaid) ?? false : paid == nil,
                    "withdrawal serial \(withdrawal.serial): \(withdrawal.state) with \(withdrawal.amount.fen) fen, "
                        + "\(paid?.amount.fen ?? 0) left the ledger"
                )
                forward.expect(
                    (withdrawal.state == .pending) == (withdrawal.finalAt == nil),
                    "withdrawal serial \(withdrawal.serial) is \(withdrawal.state), "
                        + "final at \(withdrawal.finalAt?.milliseconds ?? 0)"
                )
                if withdrawal.state == .paid {
                    totals.withdrawalsPaid += 1
                    totals.paidFen += Int128(withdrawal.amount.fen)
                }
            }
            guard let end = page.last else { break }
            last = end.key
        }
        payouts.expect(holds.isEmpty, "\(holds.count) holds without a withdrawal")
        payouts.expect(paidOut.isEmpty, "\(paidOut.count) transfers that no withdrawal asked for")
    }

    private mutating func readAccounts(_ rows: AuditedRows) throws(StoreError) {
        var last: AccountID?
        var debits = Int128(0)
        var credits = Int128(0)
        var books: [BookID: Int128] = [:]
        while true {
            let page = try rows.accounts(after: last, limit: Self.page)
            for account in page {
                let sum = sums.removeValue(forKey: account.id) ?? (0, 0, 0)
                identities.note(account)
                debits += Int128(account.debits.fen)
                credits += Int128(account.credits.fen)
                books[account.id.book, default: 0] += Int128(account.credits.fen) - Int128(account.debits.fen)
                balances.expect(
                    Int128(account.debits.fen) == sum.debits && Int128(account.credits.fen) == sum.credits
                        && Int128(account.held.fen) == sum.held
                        && (account.id.kind.mayBeOverdrawn || account.available >= 0),
                    "a \(account.id.kind) account of book \(account.id.book.rawValue): "
                        + "\(account.debits.fen)/\(account.credits.fen)/\(account.held.fen), "
                        + "its entries say \(sum.debits)/\(sum.credits)/\(sum.held)"
                )
            }
            guard let end = page.last else { break }
            last = end.id
        }
        balances.expect(sums.isEmpty, "\(sums.count) accounts have entries and no balance")
        zeroSum.expect(debits == credits, "debits \(debits), credits \(credits)")
        for (book, sum) in books { oneBook.expect(sum == 0, "book \(book.rawValue) has \(sum) fen of other books") }
    }

    private mutating func readBudgets(_ rows: AuditedRows) throws(StoreError) {
        for (budget, leases) in try rows.budgets() {
            var allotted = Int128(0)
            for lease in leases {
                allotted += Int128(lease.allotted.fen)
                let logged = issued.removeValue(forKey: lease.id) ?? 0
                withinBudget.expect(
                    Int128(lease.issued.fen) == logged && lease.issued <= lease.allotted,
                    "pool \(budget.pool.rawValue): lease says \(lease.issued.fen) issued, the log \(logged)"
                )
            }
            withinBudget.expect(
                allotted == Int128(budget.allotted.fen) && budget.allotted <= budget.total,
                "pool \(budget.pool.rawValue): leases add up to \(allotted), the budget says \(budget.allotted.fen)"
            )
            guard let scene = budget.pool.scene else { continue }
            let given = funded.removeValue(forKey: .budget(of: scene)) ?? 0
            withinBudget.expect(
                given == Int128(budget.total.fen),
                "scene \(scene.rawValue): a budget of \(budget.total.fen) was funded with \(given)"
            )
        }
        withinBudget.expect(funded.isEmpty, "\(funded.count) scenes were funded and have no budget")
        withinBudget.expect(issued.isEmpty, "grants out of \(issued.count) pools without a lease")
    }
}

extension Withdrawal {
    /// Whether a transfer is what this withdrawal asked for (M9).
    fileprivate func isPaid(by transfer: Transfer) -> Bool {
        transfer.amount == amount && transfer.debit == .person(key.person, in: key.book)
            && transfer.credit == .payouts(of: key.book)
    }
}
