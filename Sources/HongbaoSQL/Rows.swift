import HongbaoCore
import HongbaoEngine

// How the nouns of the core lie in rows: one function binds, one reads, column by column in the order of `Query`.
extension PreparedStatement {
    @inline(__always)
    func bind(_ id: AccountID) {
        bind(1, Int64(id.book.rawValue))
        bind(2, Int64(id.kind.rawValue))
        bind(3, bits: id.owner)
    }

    @inline(__always)
    func bind(_ id: TransferID) {
        bind(1, bits: id.high)
        bind(2, bits: id.low)
    }

    /// All IDs of a person in a book.
    func bind(_ person: PersonID, allOf book: BookID) {
        let first = UInt64(book.rawValue) << 48
        bind(1, bits: person.rawValue)
        bind(2, bits: first)
        bind(3, bits: first | ((1 << 48) - 1))
    }

    func bind(_ key: WithdrawalKey) {
        bind(1, bits: key.person.rawValue)
        bind(2, Int64(key.book.rawValue))
        bind(3, text: key.id)
    }

    @inline(__always)
    func bind(_ account: Account) {
        bind(account.id)
        bind(4, account.debits.fen)
        bind(5, account.credits.fen)
        bind(6, account.held.fen)
        bind(7, Int64(account.holdsStarted))
    }

    @inline(__always)
    func bind(_ transfer: Transfer) {
        bind(transfer.id)
        bindSides(transfer.debit, transfer.credit)
        bind(7, transfer.amount.fen)
        bind(8, transfer.at.milliseconds)
        bind(9, transfer.postedAt.milliseconds)
        bind(10, Int64(transfer.app.rawValue))
    }

    func bind(_ hold: Hold) {
        bind(hold.id)
        bindSides(hold.debit, hold.credit)
        bind(7, hold.amount.fen)
        bind(8, hold.at.milliseconds)
        bind(9, Int64(hold.state.rawValue))
    }

    @inline(__always)
    private func bindSides(_ debit: AccountID, _ credit: AccountID) {
        bind(3, Int64(debit.kind.rawValue))
        bind(4, bits: debit.owner)
        bind(5, Int64(credit.kind.rawValue))
        bind(6, bits: credit.owner)
    }

    func bind(_ withdrawal: Withdrawal) {
        bind(withdrawal.key)
        bind(4, Int64(withdrawal.serial))
        bind(5, withdrawal.amount.fen)
        bind(6, withdrawal.createdAt.milliseconds)
        bind(7, Int64(withdrawal.state.rawValue))
        bind(8, Int64(withdrawal.attempts))
        bind(9, withdrawal.nextCheckAt.milliseconds)
        bind(10, withdrawal.finalAt?.milliseconds)
    }

    func bind(_ budget: Budget) {
        bind(1, Int64(budget.pool.rawValue))
        bind(2, budget.total.fen)
        bind(3, budget.allotted.fen)
        bind(4, Int64(budget.kind.number))
        bind(5, budget.reserve.fen)
        bind(6, budget.quota.map { $0.amount.fen })
        bind(7, budget.quota.map { Int64($0.seconds) })
        bind(8, budget.slice.map { $0.number })
        bind(9, budget.slice.map { $0.leased.fen })
    }

    func bind(_ lease: Lease) {
        bind(1, Int64(lease.id.pool.rawValue))
        bind(2, Int64(lease.id.mint.rawValue))
        bind(3, Int64(lease.epoch))
        bind(4, lease.allotted.fen)
        bind(5, lease.issued.fen)
        bind(6, lease.expiresAt.milliseconds)
    }

    func bind(_ mint: MintRecord) {
        bind(1, Int64(mint.id.rawValue))
        bind(2, Int64(mint.epoch))
        bind(3, bits: mint.lastSequence)
        bind(4, bits: mint.postedSequence)
        bind(5, Int64(mint.mints))
        bind(6, textIfAny: mint.holder?.address)
        bind(7, Int64(mint.holder?.beats ?? 0))
        bind(8, textIfAny: mint.holder?.wantedBy)
        bind(9, bits: mint.commonSequence)
    }

    func bind(_ epoch: EpochRecord) {
        bind(1, Int64(epoch.mint.rawValue))
        bind(2, Int64(epoch.epoch))
        bind(3, bytes: epoch.certificate)
        bind(4, bytes: epoch.wrappedDataKey)
        bind(5, epoch.isRevoked ? 1 : 0)
    }

    func bind(_ batch: LoggedBatch) {
        bind(1, Int64(batch.mint.rawValue))
        bind(2, bits: batch.sequence)
        bind(3, Int64(batch.epoch))
        bind(4, Int64(batch.count))
        bind(5, batch.total.fen)
        bind(6, batch.at.milliseconds)
        bind(7, bytes: batch.record)
        bind(8, Int64(batch.pieces))
    }
}

extension PreparedStatement {
    @inline(__always)
    private func kind(_ column: Int32) throws(StoreError) -> AccountKind {
        guard let raw = UInt8(exactly: integer(column)), let kind = AccountKind(rawValue: raw) else {
            throw unreadable(column)
        }
        return kind
    }

    /// The columns from `first` on: debits, credits, held, holds_started.
    @inline(__always)
    func account(_ id: AccountID, from first: Int32 = 0) throws(StoreError) -> Account {
        Account(
            id: id,
            debits: try amount(first),
            credits: try amount(first + 1),
            held: try amount(first + 2),
            holdsStarted: try number(first + 3)
        )
    }

    func keyedAccount() throws(StoreError) -> Account {
        let id = AccountID(book: BookID(try number(0)), kind: try kind(1), owner: bits(2))
        return try account(id, from: 3)
    }

    @inline(__always)
    func transferID(from first: Int32 = 0) -> TransferID {
        TransferID(bits: UInt128(bits(first)) << 64 | UInt128(bits(first + 1)))
    }

    @inline(__always)
    private func side(_ id: TransferID, at column: Int32) throws(StoreError) -> AccountID {
        AccountID(book: id.book, kind: try kind(column), owner: bits(column + 1))
    }

    func transfer() throws(StoreError) -> Transfer {
        let id = transferID()
        return Transfer(
            id: id,
            debit: try side(id, at: 2),
            credit: try side(id, at: 4),
            amount: try amount(6),
            at: time(7),
            postedAt: time(8),
            app: AppID(try number(9))
        )
    }

    func hold() throws(StoreError) -> Hold {
        let id = transferID()
        guard let raw = UInt8(exactly: integer(8)), let state = Hold.State(rawValue: raw) else { throw unreadable(8) }
        return Hold(
            id: id,
            debit: try side(id, at: 2),
            credit: try side(id, at: 4),
            amount: try amount(6),
            at: time(7),
            state: state
        )
    }

    func withdrawal() throws(StoreError) -> Withdrawal {
        guard let key = WithdrawalKey(person: PersonID(bits(0)), book: BookID(try number(1)), id: text(2)) else {
            throw unreadable(2)
        }
        guard let raw = UInt8(exactly: integer(6)), let state = Withdrawal.State(rawValue: raw) else {
            throw unreadable(6)
        }
        return Withdrawal(
            key: key,
            serial: try number(3),
            amount: try amount(4),
            createdAt: time(5),
            state: state,
            attempts: try number(7),
            nextCheckAt: time(8),
            finalAt: timeIfAny(9)
        )
    }

    func budget() throws(StoreError) -> Budget {
        guard let kind = RewardKind(number: try number(3)) else { throw unreadable(3) }
        return Budget(
            pool: try pool(0),
            kind: kind,
            total: try amount(1),
            allotted: try amount(2),
            reserve: try amount(4),
            quota: try quota(5),
            slice: isNull(7) ? nil : Budget.Slice(number: integer(7), leased: try amount(8))
        )
    }

    private func quota(_ column: Int32) throws(StoreError) -> Quota? {
        if isNull(column) { return nil }
        let (amount, seconds) = (try amount(column), try number(column + 1) as UInt32)
        guard amount > .zero, seconds > 0 else { throw unreadable(column) }
        return Quota(amount: amount, seconds: seconds)
    }

    private func pool(_ column: Int32) throws(StoreError) -> PoolID {
        guard let pool = PoolID(rawValue: bits(column)) else { throw unreadable(column) }
        return pool
    }

    func lease() throws(StoreError) -> Lease {
        Lease(
            id: LeaseID(pool: try pool(0), mint: MintID(try number(1))),
            epoch: try number(2),
            allotted: try amount(3),
            issued: try amount(4),
            expiresAt: time(5)
        )
    }

    func mint() throws(StoreError) -> MintRecord {
        MintRecord(
            id: MintID(try number(0)),
            epoch: try number(1),
            lastSequence: try number(2),
            postedSequence: try number(3),
            mints: try number(4),
            holder: isNull(5)
                ? nil : MintHolder(address: text(5), beats: try number(6), wantedBy: textIfAny(7)),
            commonSequence: try number(8)
        )
    }

    func epoch() throws(StoreError) -> EpochRecord {
        EpochRecord(
            mint: MintID(try number(0)),
            epoch: try number(1),
            certificate: bytes(2),
            wrappedDataKey: bytes(3),
            isRevoked: integer(4) != 0
        )
    }

    func batch() throws(StoreError) -> LoggedBatch {
        LoggedBatch(
            mint: MintID(try number(0)),
            epoch: try number(2),
            sequence: try number(1),
            count: try number(3),
            total: try amount(4),
            pieces: try number(7),
            at: time(5),
            record: bytes(6)
        )
    }
}
