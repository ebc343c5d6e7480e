package import HongbaoCore

/// A fault of the store, as against a refusal by the rules.
package struct StoreError: Error, Hashable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// It did not happen, and may work later: disk full, locked, connection refused.
        case unavailable
        /// It may or may not have happened. Read back before doing anything else.
        case outcomeUnknown
        /// Somebody else holds a newer epoch: this process must stop accepting.
        case fenced
        /// The data contradicts itself or can't be read.
        case corrupt
        /// The data was written by a newer version of the program.
        case tooNew
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var isRetryable: Bool { code == .unavailable || code == .outcomeUnknown }
    package var description: String { "\(code): \(message)" }
}

/// One batch of the log as the store keeps it. `record` is the encoded `SealedBatch`; the rest is there for constraints
/// and reports.
package struct LoggedBatch: Hashable, Sendable {
    package let mint: MintID
    package let epoch: UInt32
    /// Gap-free for each mint, from 1.
    package let sequence: UInt64
    package let count: Int
    /// Of money.
    package let total: Amount
    /// Taken of templates.
    package let pieces: Int
    package let at: Timestamp
    package let record: [UInt8]

    package init(
        mint: MintID,
        epoch: UInt32,
        sequence: UInt64,
        count: Int,
        total: Amount,
        pieces: Int = 0,
        at: Timestamp,
        record: [UInt8]
    ) {
        self.mint = mint
        self.epoch = epoch
        self.sequence = sequence
        self.count = count
        self.total = total
        self.pieces = pieces
        self.at = at
        self.record = record
    }
}

/// What one group commit makes durable: batches of one mint in sequence, and what they take from its leases.
package struct AppendGroup: Sendable {
    package let mint: MintID
    package let epoch: UInt32
    package let batches: [LoggedBatch]
    package let issued: [PoolID: Amount]

    package init(mint: MintID, epoch: UInt32, batches: [LoggedBatch], issued: [PoolID: Amount]) {
        self.mint = mint
        self.epoch = epoch
        self.batches = batches
        self.issued = issued
    }
}

extension AppendGroup {
    /// M6: what leaves the leases is what the batches give away, and the batches continue each other.
    ///
    /// - Throws: `corrupt` when it isn't so.
    package func checkWhole() throws(StoreError) {
        var total = Int128(0)
        var pieces = Int128(0)
        var expected = batches.first?.sequence ?? 0
        for batch in batches {
            guard batch.mint == mint, batch.epoch == epoch, batch.sequence == expected else {
                throw StoreError(.corrupt, "batch \(batch.sequence) doesn't continue its group")
            }
            expected &+= 1
            total += Int128(batch.total.fen)
            pieces += Int128(batch.pieces)
        }
        let (money, templates) = issued.reduce(into: (Int128(0), Int128(0))) { sums, issued in
            if issued.key.template == nil {
                sums.0 += Int128(issued.value.fen)
            } else {
                sums.1 += Int128(issued.value.fen)
            }
        }
        guard total == money, pieces == templates else {
            throw StoreError(
                .corrupt,
                "the batches give \(total) fen and \(pieces) pieces, the leases \(money) and \(templates)"
            )
        }
    }
}

/// Where the books and the log are kept: an SQLite file, or MariaDB behind the trait `MySQL`.
package protocol Store: Sendable {
    /// Makes the batches durable, in one transaction that also checks the mint's epoch (`fenced`), that the sequence
    /// continues without a gap, that no lease is overdrawn, and that the leases give what the batches do (M6). When it
    /// returns, no crash can lose them (GR-5). Throws `corrupt`, and keeps nothing, when the group contradicts itself
    /// or the log.
    func append(_ group: AppendGroup) async throws(StoreError)

    /// Loads the rows named, lets `decide` change them, and commits all of it or nothing, durably.
    ///
    /// `decide` must be pure: it may run more than once when the store has to retry.
    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer

    /// Runs `body` on one snapshot of everything committed so far; later commits don't show in it.
    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer

    /// `read` for what one process at a time is enough for; `nil` when another one is at it. It saves work, and nothing
    /// may depend on it.
    func readAlone<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer?

    /// Whether some process is at that.
    func isReadAlone() async throws(StoreError) -> Bool
}

extension Store {
    /// `transact` for decisions that are idempotent: an unknown outcome is cleared up by doing it once more.
    ///
    /// Of a repeated one nobody has been told the first answer: what it finds done already is what was lost.
    package func transactOnceMore<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> (answer: Answer, isRepeated: Bool) {
        do throws(StoreError) {
            return (try await transact(footprint, decide), false)
        } catch {
            guard error.code == .outcomeUnknown else { throw error }
            return (try await transact(footprint, decide), true)
        }
    }
}

/// Questions to one snapshot of a store. Valid only inside `Store.read`.
package protocol StoreSnapshot {
    func account(_ id: AccountID) throws(StoreError) -> Account
    /// Which of these are posted.
    func transfers(_ ids: [TransferID]) throws(StoreError) -> [Transfer]
    /// All transfers whose ID names this person and book, in order of ID: grants and withdrawals that were paid.
    func transfers(of person: PersonID, in book: BookID) throws(StoreError) -> [Transfer]
    func withdrawals(of person: PersonID, in book: BookID) throws(StoreError) -> [Withdrawal]
    func withdrawal(_ key: WithdrawalKey) throws(StoreError) -> Withdrawal?
    /// Withdrawals that aren't final and whose next check is within these times, the earliest first.
    func withdrawals(toCheckIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [Withdrawal]
    func mints() throws(StoreError) -> [MintRecord]
    func epochs() throws(StoreError) -> [EpochRecord]
    func budgets() throws(StoreError) -> [(Budget, [Lease])]
    /// Batches of a mint with a sequence above `sequence`, in sequence.
    func batches(of mint: MintID, after sequence: UInt64, limit: Int) throws(StoreError) -> [LoggedBatch]
    /// All rows, each once, a page at a time, for the audit. The order is the store's own and always the same; it
    /// needn't be that of `<` (SQLite puts numbers from 2^63 on before zero).
    func accounts(after id: AccountID?, limit: Int) throws(StoreError) -> [Account]
    func transfers(after id: TransferID?, limit: Int) throws(StoreError) -> [Transfer]
    func holds(after id: TransferID?, limit: Int) throws(StoreError) -> [Hold]
    func withdrawals(after key: WithdrawalKey?, limit: Int) throws(StoreError) -> [Withdrawal]
    func packets(after id: RedPacketID?, limit: Int) throws(StoreError) -> [RedPacket]

    func subsidies(after order: OrderNumber?, limit: Int) throws(StoreError) -> [Subsidy]
    /// All subsidies of a person in a book that are posted, in order of order number.
    func subsidies(of person: PersonID, in book: BookID) throws(StoreError) -> [Subsidy]

    func rewards(after order: OrderNumber?, limit: Int) throws(StoreError) -> [GivenReward]
    /// All coupons and pendants of a person in a book that are posted, in order of order number.
    func rewards(of person: PersonID, in book: BookID) throws(StoreError) -> [GivenReward]
    /// Those of these that are posted.
    func rewards(_ orders: [OrderNumber]) throws(StoreError) -> [GivenReward]
    /// Rewards of a kind that are promised and not given, and whose next check is within these times, the earliest
    /// first.
    func rewards(
        of kind: RewardKind,
        toGiveIn times: ClosedRange<Timestamp>,
        limit: Int
    ) throws(StoreError) -> [GivenReward]

    func identity(_ key: UserKey) throws(StoreError) -> Identity?
    /// All users who are bound to this phone, in the store's own order.
    func identities(on phone: PhoneKey) throws(StoreError) -> [Identity]
    func identities(of person: PersonID) throws(StoreError) -> [Identity]
    func identities(after key: UserKey?, limit: Int) throws(StoreError) -> [Identity]
    /// All that there are: few, and known to every process.
    func merges() throws(StoreError) -> [Merge]
    func merge(of source: PersonID) throws(StoreError) -> Merge?
    /// All that wait for some mint, in order of source.
    func pendingMerges() throws(StoreError) -> [PendingMerge]
    /// All orders of this name that were laid open, in the store's own order.
    func mergedOrders(of person: PersonID) throws(StoreError) -> [MergedOrder]

    func packet(_ id: RedPacketID) throws(StoreError) -> RedPacket?
    func packet(_ key: SendKey) throws(StoreError) -> RedPacket?
    /// Packets that aren't final, don't wait for the cashier, and whose next check is within these times, the earliest
    /// first.
    func packets(toCheckIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [RedPacket]
    /// Packets that wait for the cashier and whose next check is within these times, the earliest first.
    func packets(toPayIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [RedPacket]
    /// All refunds of a packet, in order of number.
    func refunds(of packet: RedPacketID) throws(StoreError) -> [Refund]
    /// Refunds that aren't final and whose next check is within these times, the earliest first.
    func refunds(toCheckIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [Refund]
    /// Those of these claims that there are.
    func claims(_ keys: [ClaimKey]) throws(StoreError) -> [Claim]
    /// Claims of a packet at this position and those after it, in order of position.
    func claims(of packet: RedPacketID, from position: Int, limit: Int) throws(StoreError) -> [Claim]
    /// All claims of a person in a book, in the store's own order.
    func claims(of person: PersonID, in book: BookID) throws(StoreError) -> [Claim]
    /// Claims whose transfer isn't done and due within these times, the earliest first.
    func claims(
        of kind: RedPacketKind,
        toTransferIn times: ClosedRange<Timestamp>,
        limit: Int
    ) throws(StoreError) -> [Claim]
}
