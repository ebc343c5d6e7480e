import HongbaoCore
import HongbaoEngine

/// The auditor's own books.
struct AuditState: Sendable {
    struct Sums: Sendable {
        var debits: Int64 = 0
        var credits: Int64 = 0
        var held: Int64 = 0
    }

    struct Acknowledged: Sendable {
        let amount: Int64
        let token: [UInt8]
    }

    struct Payment: Sendable {
        let person: PersonID
        let amount: Int64
        let willPay: Bool
    }

    /// Opens the log, to know what was accepted; it decides nothing.
    private let reader: LogReader
    private var accepted: [OrderNumber: GrantPayload] = [:]

    private let trace: (@Sendable (String) -> Void)?

    init(_ setup: Setup, trace: (@Sendable (String) -> Void)?) {
        reader = LogReader(wrappingKey: setup.keyring.walletWrapping)
        announcements = Announcements(setup.first)
        subsidies = SubsidyBooks(setup)
        rewards = RewardBooks(setup)
        self.trace = trace
    }

    var violations: [String] = []
    var history: UInt64 = 0xCBF2_9CE4_8422_2325
    private var sums: [AccountID: Sums] = [:]
    var transfers: [TransferID: Transfer] = [:]
    private var holds: [TransferID: Hold] = [:]
    var withdrawals: [WithdrawalKey: (amount: Int64, state: Withdrawal.State, serial: UInt32)] = [:]
    private var budgets: [PoolID: Budget] = [:]
    private var leases: [LeaseID: Lease] = [:]
    private var mints: [MintID: MintRecord] = [:]
    private var logged: Int64 = 0
    /// What each budget's account got from the treasury, less what it gave back.
    private var funded: [AccountID: Int64] = [:]
    /// Of each epoch: what its certificate allows, and what was logged in it.
    private var caps: [MintEpoch: Int64] = [:]
    private var loggedInEpoch: [MintEpoch: Int64] = [:]
    var announcements: Announcements
    private var payments: [String: Payment] = [:]
    var packets = PacketBooks()
    var subsidies: SubsidyBooks
    var rewards: RewardBooks
    var totals = TotalBooks()
    var identities = IdentityBooks()
    /// When each order, or withdrawal, was asked for first.
    var askedAt: [OrderNumber: Int] = [:]
    var withdrawalsAskedAt: [WithdrawalKey: Int] = [:]
    /// What other channels than payouts' give to people.
    private var given: [OutsideSystem: Int64] = [:]
    /// What the cashier has taken, by its orders.
    var paid: [String: Int64] = [:]

    var asked: [OrderNumber: Set<Int64>] = [:]
    /// The first terms that may have been in force when it was asked for first.
    var askedSince: [OrderNumber: Int] = [:]
    var withdrawalsAskedSince: [WithdrawalKey: Int] = [:]
    var acknowledged: [OrderNumber: Acknowledged] = [:]
    /// Amounts that were refused because the order was there already with another one.
    var conflicts: [OrderNumber: Set<Int64>] = [:]
    var flushed: Set<OrderNumber> = []
    var flushes = 0
    var withdrawalsAsked: [WithdrawalKey: Set<Int64>] = [:]
    var withdrawalsAcknowledged: Set<WithdrawalKey> = []
    /// Where each grant was first shown in a statement.
    private var shownAt: [TransferID: Timestamp] = [:]

    mutating func fail(_ text: String) {
        if violations.count < 20 { violations.append(text) }
        trace?("VIOLATION \(text)")
    }

    /// FNV-1a, a word at a time.
    mutating func remember(_ value: Int64) {
        history = (history ^ UInt64(bitPattern: value)) &* 0x0000_0100_0000_01B3
    }

    // MARK: Commits

    mutating func take(_ commit: Commit) {
        for epoch in commit.epochs { learn(epoch) }
        for merge in commit.merges { remember(Int64(merge.source.rawValue) << 32 | Int64(merge.target.rawValue)) }
        for text in identities.take(commit) { fail(text) }
        for batch in commit.batches { open(batch) }
        var touched: Set<AccountID> = []
        for transfer in commit.transfers.sorted(by: { $0.id < $1.id }) { take(transfer, &touched) }
        for hold in commit.holds { take(hold, commit, &touched) }
        for transfer in commit.transfers
        where transfer.id.order == nil && transfer.id.packet == nil && transfer.id.person.rawValue > 0 {
            if holds[transfer.id] == nil, !identities.isMove(transfer) {
                fail("M4: a transfer is neither a grant nor a withdrawal")
            }
        }
        let rows = Set(commit.accounts.map(\.id))
        if !touched.isSubset(of: rows) { fail("M1: a transfer didn't reach both accounts") }
        for account in commit.accounts { take(account) }
        for withdrawal in commit.withdrawals { take(withdrawal, commit) }
        takePackets(of: commit)
        takeSubsidies(of: commit)
        for reward in commit.rewards {
            remember(Int64(bitPattern: reward.id.low) << 3 | Int64(reward.state.rawValue))
            flushed.remove(reward.id)
            for text in rewards.take(reward) { fail(text) }
        }
        take(commit.budgets, commit.leases)
        for batch in commit.batches { take(batch) }
        for mint in commit.mints { take(mint, commit) }
        if !commit.batches.isEmpty, logged != issuedMoney {
            fail("M6: what is issued isn't what is logged")
        }
    }

    private var issuedMoney: Int64 {
        leases.values.reduce(0) { $0 + ($1.id.pool.scene == nil ? 0 : $1.issued.fen) }
    }

    private mutating func takePackets(of commit: Commit) {
        guard !commit.packets.isEmpty || !commit.claims.isEmpty else { return }
        for packet in commit.packets {
            remember(Int64(packet.state.rawValue) << 32 | Int64(packet.claimedCount))
            remember(packet.claimed.fen)
        }
        for claim in commit.claims { remember(claim.share.fen << 8 | Int64(claim.state.rawValue)) }
        let (transfers, sums) = (transfers, sums)
        let change = PacketBooks.Change(
            packets: commit.packets,
            claims: commit.claims,
            transfer: { transfers[$0] },
            sums: { sums[$0] ?? Sums() }
        )
        for text in packets.take(change) { fail(text) }
    }

    private mutating func takeSubsidies(of commit: Commit) {
        for subsidy in commit.subsidies { remember(subsidy.amount.fen << 1 | (subsidy.packet == nil ? 0 : 1)) }
        let (transfers, sums) = (transfers, sums)
        let change = SubsidyBooks.Change(
            commit: commit,
            transfer: { transfers[$0] },
            sums: { sums[$0] ?? Sums() }
        )
        for text in subsidies.take(change) { fail(text) }
    }

    private mutating func learn(_ epoch: EpochRecord) {
        do throws(StoreError) {
            try reader.learn(epoch)
            caps[MintEpoch(mint: epoch.mint, epoch: epoch.epoch)] = MintCertificate(epoch.certificate)?.cap.fen
        } catch {
            fail("TK-3: an epoch that can't be read: \(error)")
        }
    }

    /// Notes what is accepted from now on.
    private mutating func open(_ batch: LoggedBatch) {
        do throws(StoreError) {
            let opened = try reader.open(batch)
            for (payload, choice) in zip(opened.payloads, opened.choices) {
                if accepted.updateValue(payload, forKey: payload.order) != nil {
                    fail("M3: an order is accepted twice")
                }
                for text in rewards.accept(payload, choice) { fail(text) }
                totals.accept(payload)
                compareWithTerms(payload)
                if !identities.isTrivial { compareWithNames(payload.order) }
            }
        } catch {
            fail("M5: a batch that can't be read: \(error)")
        }
    }

    /// What may have been in force since it was asked for first allowed it.
    private mutating func compareWithTerms(_ payload: GrantPayload) {
        let order = payload.order
        let since = names(of: order).map { askedSince[$0] }
        let terms = announcements.since(since.contains(nil) && since.count == 1 ? nil : since.compactMap(\.self).min())
        if !terms.contains(where: { payload.amount.fen <= $0.cap }) { fail("M6: a grant above its cap") }
        if !terms.contains(where: { $0.admits(order.person) }) { fail("CF-4: a grant to who isn't admitted") }
        if !terms.contains(where: { order.rain.rawValue <= $0.rainMax }) { fail("CF-6: a grant in no round") }
    }

    /// The same order under all names of its person (ID-3).
    func names(of order: OrderNumber) -> [OrderNumber] {
        identities.isTrivial ? [order] : identities.names(order.person).map { order.given(to: $0) }
    }

    private func isAsked(_ order: OrderNumber, _ amount: Int64) -> Bool {
        names(of: order).contains { asked[$0]?.contains(amount) ?? false }
    }

    private func names(of key: WithdrawalKey) -> [WithdrawalKey] {
        guard !identities.isTrivial else { return [key] }
        return identities.names(key.person).compactMap { WithdrawalKey(person: $0, book: key.book, id: key.id) }
    }

    /// ID-3: what was earned before a merge counts as earned, and who was merged earns nothing more, for all that was
    /// asked for after somebody had been told.
    private mutating func compareWithNames(_ order: OrderNumber) {
        let others = names(of: order).filter { $0 != order }
        for other in others where accepted[other] != nil {
            guard let since = identities.knownSince(order.person, other.person) else { continue }
            let asks = names(of: order).filter { $0 != other }.compactMap { askedAt[$0] }
            if let first = asks.min(), first > since { fail("ID-3: what was earned before a merge is earned again") }
        }
        let person = identities.person(order.person)
        guard person != order.person, let since = identities.knownSince(order.person, person) else { return }
        let asks = names(of: order).compactMap { askedAt[$0] }
        if let first = asks.min(), first > since { fail("ID-3: who was merged earns under their own number") }
    }

    private mutating func take(_ transfer: Transfer, _ touched: inout Set<AccountID>) {
        remember(Int64(bitPattern: transfer.id.low))
        remember(transfer.amount.fen)
        let amount = transfer.amount.fen
        if transfers.updateValue(transfer, forKey: transfer.id) != nil { fail("M3: a number is used twice") }
        if amount <= 0 || transfer.debit == transfer.credit { fail("M1: a transfer moves nothing") }
        if transfer.debit.book != transfer.credit.book || transfer.id.book != transfer.debit.book {
            fail("M13: a transfer leaves its book")
        }
        if let order = transfer.id.order {
            let kind = subsidies.areGiven(by: order.scene) ? AccountKind.subsidies : .person
            if transfer.credit != AccountID(book: order.book, kind: kind, owner: order.person.rawValue) {
                fail("M3: a grant isn't paid to the person in its number")
            }
            if transfer.debit != AccountID(book: order.book, kind: .budget, owner: UInt64(order.scene.number)) {
                fail("M4: a grant isn't paid by its scene")
            }
            if !isAsked(order, amount) { fail("M4: a grant that nobody asked for") }
            let payload = accepted[order]
            if payload?.amount != transfer.amount || payload?.openedAt != transfer.at || payload?.app != transfer.app {
                fail("M4: booked isn't what was accepted")
            }
            if let promised = acknowledged[order], promised.amount != amount {
                fail("M4: booked isn't what was promised")
            }
            flushed.remove(order)
        }
        if transfer.id.person.rawValue == 0 {
            if transfer.credit.kind == .budget { funded[transfer.credit, default: 0] += amount }
            if transfer.debit.kind == .budget { funded[transfer.debit, default: 0] -= amount }
        }
        sums[transfer.debit, default: Sums()].debits += amount
        sums[transfer.credit, default: Sums()].credits += amount
        touched.insert(transfer.debit)
        touched.insert(transfer.credit)
    }

    private mutating func take(_ hold: Hold, _ commit: Commit, _ touched: inout Set<AccountID>) {
        let before = holds.updateValue(hold, forKey: hold.id)
        if hold.debit.book != hold.credit.book || hold.id.book != hold.debit.book {
            fail("M13: a hold leaves its book")
        }
        touched.insert(hold.debit)
        switch (before?.state, hold.state) {
        case (nil, .pending): sums[hold.debit, default: Sums()].held += hold.amount.fen
        case (.pending, .posted):
            sums[hold.debit, default: Sums()].held -= hold.amount.fen
            let transfer = commit.transfers.first { $0.id == hold.id }
            if transfer?.amount != hold.amount || transfer?.debit != hold.debit {
                fail("M2: posted isn't what was held")
            }
        case (.pending, .voided):
            sums[hold.debit, default: Sums()].held -= hold.amount.fen
            if transfers[hold.id] != nil { fail("M9: a hold was voided and posted") }
        default: fail("M10: a hold went from \(String(describing: before?.state)) to \(hold.state)")
        }
        if let before, before.amount != hold.amount || before.debit != hold.debit { fail("M2: a hold was changed") }
    }

    private mutating func take(_ account: Account) {
        let own = sums[account.id] ?? Sums()
        if own.debits != account.debits.fen || own.credits != account.credits.fen || own.held != account.held.fen {
            fail("M2: an account of kind \(account.id.kind) isn't the sum of its entries")
        }
        let isSource = account.id.kind == .treasury || account.id.kind == .cashier
        if !isSource, own.credits - own.debits - own.held < 0 { fail("M2: an account is overdrawn") }
    }

    private mutating func take(_ withdrawal: Withdrawal, _ commit: Commit) {
        let before = withdrawals[withdrawal.key]
        withdrawals[withdrawal.key] = (withdrawal.amount.fen, withdrawal.state, withdrawal.serial)
        remember(Int64(withdrawal.serial) << 8 | Int64(withdrawal.state.rawValue))
        if let before, before.amount != withdrawal.amount.fen { fail("M15: what was promised was changed") }
        if let before, before.serial != withdrawal.serial { fail("M14: a repeated withdrawal is made anew") }
        let keys = names(of: withdrawal.key)
        if !keys.contains(where: { withdrawalsAsked[$0]?.contains(withdrawal.amount.fen) ?? false }) {
            fail("M15: a withdrawal that nobody asked for")
        }
        if before == nil, keys.count > 1 { compareWithNames(withdrawal.key, keys) }
        let hold = holds[withdrawal.transferID]
        if hold?.amount != withdrawal.amount { fail("M15: a withdrawal without its hold") }
        let payment = payments[withdrawal.payoutOrder]
        switch (before?.state, withdrawal.state) {
        case (nil, .pending):
            if hold?.state != .pending { fail("M15: a withdrawal is promised without its money") }
            let terms = announcements.since(keys.compactMap { withdrawalsAskedSince[$0] }.min())
            if !terms.contains(where: \.isWithdrawalOpen) { fail("WD-1: a withdrawal through a closed gate") }
        case (.pending, .pending):
            if hold?.state != .pending { fail("M9: a withdrawal is open, and its money isn't held any more") }
        case (.pending, .paid):
            if hold?.state != .posted { fail("M9: paid, and still held") }
            if payment?.willPay != true || payment?.amount != withdrawal.amount.fen { fail("M9: paid by nobody") }
        case (.pending, .failed):
            if hold?.state != .voided { fail("M9: failed, and not given back") }
            if payment?.willPay ?? true { fail("M9: given back, and paid by the channel too") }
        default: fail("M10: a withdrawal went from \(String(describing: before?.state)) to \(withdrawal.state)")
        }
    }

    /// M14: what was asked for under one name isn't done again under another, once somebody has been told.
    private mutating func compareWithNames(_ key: WithdrawalKey, _ keys: [WithdrawalKey]) {
        for other in keys where other != key && withdrawals[other] != nil {
            guard let since = identities.knownSince(key.person, other.person) else { continue }
            let asks = keys.filter { $0 != other }.compactMap { withdrawalsAskedAt[$0] }
            if let first = asks.min(), first > since { fail("M14: a withdrawal is made under each name of a person") }
        }
    }

    private mutating func take(_ newBudgets: [Budget], _ newLeases: [Lease]) {
        for budget in newBudgets { take(budget) }
        for lease in newLeases {
            if let before = leases[lease.id], lease.issued < before.issued, lease.epoch == before.epoch {
                fail("M6: less is issued than was before")
            }
            leases[lease.id] = lease
        }
        for pool in Set(newBudgets.map(\.pool)).union(newLeases.map(\.id.pool)) {
            let budget = budgets[pool]
            let own = leases.values.filter { $0.id.pool == pool }
            if own.contains(where: { $0.issued > $0.allotted }) { fail("M6: more is issued than allotted") }
            let allotted = own.reduce(0) { $0 + $1.allotted.fen }
            if allotted != budget?.allotted.fen { fail("M6: leases and budget disagree") }
            if allotted > budget?.total.fen ?? 0 { fail("M6: more is leased than there is") }
        }
    }

    private mutating func take(_ budget: Budget) {
        let total = budget.total.fen
        for text in rewards.check(budget) { fail(text) }
        if let before = budgets.updateValue(budget, forKey: budget.pool), before.total.fen == total { return }
        guard let scene = budget.pool.scene else { return }
        let place = Terms.place(of: scene)
        if !announcements.since(nil).contains(where: { $0.budgets[place] == total }) {
            fail("CF-5: a budget of \(total) fen that no file says")
        }
        if funded[.budget(of: scene)] != total { fail("M6: a budget isn't what it was funded with") }
    }

    private mutating func take(_ batch: LoggedBatch) {
        remember(Int64(batch.sequence))
        remember(batch.total.fen)
        let mint = mints[batch.mint]
        if batch.sequence != (mint?.lastSequence ?? 0) + 1 { fail("M5: the log has a gap") }
        if batch.epoch != mint?.epoch { fail("TK-3: a batch of an epoch that is over") }
        if batch.count < 1 || batch.total.fen < 0 { fail("M4: an impossible batch") }
        logged += batch.total.fen
        let epoch = MintEpoch(mint: batch.mint, epoch: batch.epoch)
        loggedInEpoch[epoch, default: 0] += batch.total.fen
        if loggedInEpoch[epoch] ?? 0 > caps[epoch] ?? 0 { fail("M6: more is issued in an epoch than it may") }
        mints[batch.mint] = mint?.reaching(batch.sequence)
    }

    private mutating func take(_ mint: MintRecord, _ commit: Commit) {
        if let before = mints[mint.id] {
            if mint.postedSequence < before.postedSequence { fail("M10: posting went back") }
            if mint.epoch < before.epoch || mint.lastSequence < before.lastSequence { fail("TK-3: a mint went back") }
            if mint.commonSequence != before.commonSequence { fail("DP-3: the common log changed") }
        }
        if mint.postedSequence > mint.lastSequence { fail("M5: posted beyond the log") }
        mints[mint.id] = mint
    }

    mutating func submitted(_ order: PayoutOrder, to system: OutsideSystem, _ willPay: Bool) {
        if system != .payouts {
            if willPay { given[system, default: 0] += order.amount.fen }
            return
        }
        payments[order.order] = Payment(person: order.person, amount: order.amount.fen, willPay: willPay)
        let promised = withdrawals.contains { key, row in
            key.person == order.person && row.amount == order.amount.fen
                && holds[TransferID(payout: order.order)] != nil
        }
        if !promised { fail("M9: the channel got an order that nobody promised") }
    }

    // MARK: What people are told

    mutating func granted(_ granted: Granted, _ request: GrantRequest, _ wasAcknowledged: Bool) {
        remember(Int64(bitPattern: UInt64(truncatingIfNeeded: granted.order.bits)))
        remember(granted.isReplay ? 1 : 0)
        if accepted[granted.order] == nil { fail("M5: a grant is answered before it's durable") }
        if let expected = request.order, !names(of: granted.order).contains(expected) {
            fail("M3: another order was answered")
        }
        for text in rewards.answered(granted) { fail(text) }
        let isCoupon = rewards.areGiven(by: granted.order.scene)
        if granted.status == .credited, transfers[TransferID(granted.order)] == nil, !isCoupon {
            fail("M5: a grant is called credited before it's booked")
        }
        if !identities.areSame(granted.order.person, request.person) {
            fail("M3: another person's order was answered")
        }
        if granted.amount.fen != request.amount ?? 0 { fail("M4: another amount was granted than was asked for") }
        if wasAcknowledged, !granted.isReplay { fail("M3: an order was granted twice") }
        if let before = acknowledged[granted.order] {
            if before.amount != granted.amount.fen { fail("M14: a repeat has another amount") }
            if before.token != granted.token { fail("M14: a repeat has another token") }
        } else {
            acknowledged[granted.order] = Acknowledged(amount: granted.amount.fen, token: granted.token)
            totals.promise(granted.order, granted.amount)
        }
        if let booked = transfers[TransferID(granted.order)], booked.amount != granted.amount {
            fail("M4: booked isn't what is promised")
        }
    }

    mutating func shown(_ reading: WalletReading, floor: Set<OrderNumber>, used: Set<OrderNumber>) {
        let entries = reading.view.page(after: nil, limit: .max).entries
        var seen: Set<TransferID> = []
        var sum: Int64 = 0
        var income: Int64 = 0
        for entry in entries {
            sum += entry.amount
            if entry.kind == .grant || entry.kind == .claim { income += entry.amount }
            if entry.kind == .claim,
                !identities.names(reading.person).contains(where: { packets.isShare(entry, of: $0) })
            {
                fail("RP-1: a share is shown that isn't somebody's own")
            }
            guard entry.kind == .grant else { continue }
            if let order = entry.id.order, subsidies.areGiven(by: order.scene) { fail("SU-1: a subsidy is cash") }
            shown(entry.id, entry.amount, entry.at, in: reading, &seen)
        }
        for subsidy in reading.subsidies {
            shown(TransferID(subsidy.order), subsidy.amount.fen, subsidy.at, in: reading, &seen)
            remember(subsidy.amount.fen << 1 | (subsidy.packet == nil ? 0 : 1))
        }
        for text in subsidies.shown(reading.subsidies, used: used) { fail(text) }
        for text in rewards.shown(reading, floor: floor) { fail(text) }
        remember(Int64(reading.rewards.count))
        remember(Int64(entries.count))
        remember(reading.view.balance)
        if income != reading.view.income.fen { fail("M11: income isn't the sum of its lines") }
        if sum != reading.view.balance { fail("M11: the balance isn't the sum of the lines") }
        if reading.view.balance < 0 { fail("M2: a balance below zero is shown") }
        if zip(entries, entries.dropFirst()).contains(where: { $0.position <= $1.position }) {
            fail("M11: lines out of order")
        }
        guard reading.missing.isEmpty else { return }
        for order in floor
        where order.book == reading.book && !seen.contains(TransferID(order)) && !rewards.areGiven(by: order.scene) {
            fail("TK-6: a promised grant isn't shown: \(order), posted \(transfers[TransferID(order)] != nil)")
        }
    }

    /// A grant, whatever it gives.
    private mutating func shown(
        _ id: TransferID,
        _ amount: Int64,
        _ at: Timestamp,
        in reading: WalletReading,
        _ seen: inout Set<TransferID>
    ) {
        if !seen.insert(id).inserted { fail("M11: an order is shown twice") }
        let order = id.order
        if !(order.map { identities.areSame($0.person, reading.person) } ?? false) {
            fail("M11: another's order is shown")
        }
        if order?.book != reading.book { fail("M13: an order of another phase is shown") }
        if shownAt.updateValue(at, forKey: id).map({ $0 != at }) ?? false { fail("M11: a line has moved") }
        if !(order.map { isAsked($0, amount) } ?? false) {
            fail("M11: an amount is shown that nobody asked for")
        }
        if let promised = order.flatMap({ acknowledged[$0] }), promised.amount != amount {
            fail("M11: another amount is shown than was promised")
        }
    }

    /// Cash that somebody was promised, and shares that they have got (RP-1).
    func surelyGranted(_ person: PersonID, in book: BookID) -> Int64 {
        let granted = acknowledged.filter {
            identities.areKnownSame($0.key.person, person) && $0.key.book == book
                && !subsidies.areGiven(by: $0.key.scene)
        }
        let names = identities.names(person).filter { identities.areKnownSame($0, person) }
        let received = names.reduce(0) { $0 + packets.received(by: $1, in: book) }
        return granted.reduce(received) { $0 + $1.value.amount }
    }

    // MARK: The end

    /// What a person has, by the auditor's own books.
    func balance(of person: PersonID, in book: BookID) -> Int64 {
        identities.names(person).reduce(0) { sum, name in
            let own = sums[.person(name, in: book)] ?? Sums()
            return sum + own.credits - own.debits - own.held
        }
    }

    /// Whether something is left with somebody who was merged.
    var isLeftBehind: Bool {
        sums.contains { id, sums in
            id.kind == .person && identities.merged.contains(PersonID(id.owner))
                && sums.credits - sums.debits - sums.held != 0
        }
    }

    /// What of a scene's budget hasn't been given away.
    func unissued(of scene: SceneID) -> Int64 {
        let pool = PoolID(scene)
        let issued = leases.values.filter { $0.id.pool == pool }.reduce(0) { $0 + $1.issued.fen }
        return (budgets[pool]?.total.fen ?? 0) - issued
    }

    /// What people have paid at the cashier, and what of it is in the ledger, in fen.
    var atCashier: (paid: Int64, booked: Int64) {
        let booked = sums.filter { $0.key.kind == .cashier }.reduce(0) { $0 + $1.value.debits }
        return (paid.values.reduce(0, +), booked)
    }

    mutating func settled(_ tables: Tables, at now: Timestamp) {
        for (pool, budget) in budgets {
            guard let scene = pool.scene, announcements.last.budgets[Terms.place(of: scene)] != budget.total.fen else {
                continue
            }
            fail("CF-6: a budget of \(budget.total.fen) fen isn't what the file says")
        }
        for text in rewards.settled() { fail(text) }
        for (order, promise) in acknowledged
        where transfers[TransferID(order)]?.amount.fen != promise.amount && !rewards.areGiven(by: order.scene) {
            fail("M5: an accepted grant isn't posted")
        }
        for (order, amounts) in conflicts
        where !names(of: order).contains(where: { name in
            transfers[TransferID(name)].map { !amounts.contains($0.amount.fen) } ?? false
        }) {
            fail("M14: an order was called taken, and never was")
        }
        if isLeftBehind { fail("M10: something is left with who was merged") }
        for mint in tables.mints.values where mint.postedSequence != mint.lastSequence {
            fail("M5: the log isn't drained")
        }
        for key in withdrawalsAcknowledged where withdrawals[key] == nil { fail("M15: a withdrawal vanished") }
        for id in shownAt.keys where transfers[id] == nil { fail("M5: a grant was shown that was never accepted") }
        for hold in holds.values where hold.state == .pending { fail("M15: money stays held: \(hold.amount.fen) fen") }
        for (_, row) in withdrawals where row.state == .pending { fail("M10: a withdrawal never became final: \(row)") }
        for text in packets.settled(at: now) { fail(text) }
        let (paidIn, taken) = atCashier
        if taken != paidIn { fail("M9: the cashier took \(paidIn) fen, the ledger \(taken)") }
        for (system, kind) in [(OutsideSystem.transfers, AccountKind.change), (.refunds, .refunds)] {
            let booked = sums.filter { $0.key.kind == kind }.reduce(0) { $0 + $1.value.credits }
            let given = given[system] ?? 0
            if booked != given { fail("M9: \(system) gave \(given) fen, the ledger \(booked)") }
        }
        let paid = payments.values.filter(\.willPay).reduce(0) { $0 + $1.amount }
        let settled = withdrawals.values.filter { $0.state == .paid }.reduce(0) { $0 + $1.amount }
        if paid != settled { fail("M9: the channel paid \(paid) fen, the ledger \(settled)") }
        let balance = sums.values.reduce(0) { $0 + $1.credits - $1.debits }
        if balance != 0 { fail("M1: the accounts don't sum to zero") }
        let booked = transfers.values.filter { $0.id.order != nil }.reduce(0) { $0 + $1.amount.fen }
        if booked != logged { fail("M5: \(logged) fen were logged and \(booked) booked") }
        // The rows as they are now, not only as they were written.
        if tables.transfers.count != transfers.count { fail("M2: transfers came or went") }
        for (id, row) in tables.transfers where transfers[id] != row { fail("M2: a transfer was changed") }
        for (id, row) in tables.accounts {
            let own = sums[id] ?? Sums()
            if row.credits.fen != own.credits || row.debits.fen != own.debits { fail("M2: an account was changed") }
        }
    }
}

extension TransferID {
    /// `w_${person}_${book}_${serial}`; zero for anything else.
    fileprivate init(payout text: String) {
        let parts = text.split(separator: "_").compactMap { UInt64($0) }
        guard parts.count == 3 else {
            self.init(bits: 0)
            return
        }
        self.init(bits: UInt128(parts[0]) << 64 | UInt128(parts[1]) << 48 | UInt128(parts[2]))
    }
}
