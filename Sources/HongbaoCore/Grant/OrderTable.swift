/// Every order number that was ever accepted, with what is needed to give the first answer again (GR-3, M14).
///
/// 32 bytes a slot, open addressing, in many small segments so that growing never stops the world: one of 1,024 is
/// rehashed at a time. It's rebuilt from the log at start, so nothing here is the only copy of anything.
package struct OrderTable: Sendable {
    /// What was accepted for an order number, and where in the log it is.
    package struct Entry: Hashable, Sendable {
        package let sequence: UInt64
        package let index: Int
        package let amount: Amount
        package let choice: RewardChoice
        /// The status that was first answered.
        package let status: GrantStatus
        /// In whose log it is; `nil` when in that of the table's own mint, as all that are in the table.
        package let mint: MintID?

        package init(
            sequence: UInt64,
            index: Int,
            amount: Amount,
            choice: RewardChoice,
            status: GrantStatus,
            mint: MintID? = nil
        ) {
            self.mint = mint
            self.sequence = sequence
            self.index = index
            self.amount = amount
            self.choice = choice
            self.status = status
        }
    }

    /// 2^47 fen: the largest single grant that the table, and so the platform, can hold.
    package static let amountMax = Int64(1) << 47

    private static let segmentBits = 10
    package static let segmentCount = 1 << segmentBits
    private var segments: [Segment]
    private let hash: OrderHash
    package private(set) var count = 0

    /// - Parameter seed: random, so that nobody can choose order numbers that collide.
    package init(seed: UInt64) {
        hash = OrderHash(seed: seed)
        segments = Array(repeating: Segment(), count: Self.segmentCount)
    }

    package func entry(for order: OrderNumber) -> Entry? {
        let bits = hash(order)
        return segments[Int(bits >> (64 - Self.segmentBits))].find(order, hash: bits)
    }

    /// All of these persons' that are in one segment: whoever wants those of all segments goes from one to the next,
    /// and may let others at the table meanwhile.
    package func orders(of persons: Set<PersonID>, inSegment index: Int) -> [(order: OrderNumber, entry: Entry)] {
        segments[index].orders(of: persons)
    }

    /// The order must not be in the table.
    package mutating func insert(_ order: OrderNumber, _ entry: Entry) {
        let isNew = insertIfAbsent(order, entry)
        precondition(isNew)  // M3
    }

    /// Answers `false`, and changes nothing, when the order is in the table already.
    package mutating func insertIfAbsent(_ order: OrderNumber, _ entry: Entry) -> Bool {
        precondition(entry.amount.fen < Self.amountMax && entry.sequence < 1 << 48 && (0..<256).contains(entry.index))
        precondition(entry.mint == nil)
        let bits = hash(order)
        let isNew = segments[Int(bits >> (64 - Self.segmentBits))].insertIfAbsent(
            Slot(order: order, entry: entry),
            hash: bits,
            rehash: hash
        )
        if isNew { count += 1 }
        return isNew
    }

    /// Takes back an order that didn't become durable.
    package mutating func remove(_ order: OrderNumber) {
        let bits = hash(order)
        segments[Int(bits >> (64 - Self.segmentBits))].remove(order, hash: bits, rehash: hash)
        count -= 1
    }
}

private struct OrderHash: Sendable {
    let seed: UInt64

    func callAsFunction(_ order: OrderNumber) -> UInt64 {
        var z = (order.high ^ seed) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 32)) ^ order.low
        z = z &* 0xBF58_476D_1CE4_E5B9
        z ^= z >> 29
        z = z &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 32)
    }
}

/// An entry packed beside its key. `place` is zero in an empty slot: sequences begin at 1.
private struct Slot: Sendable {
    var order: OrderNumber
    var place: UInt64
    var content: UInt64

    private static let piecesBit = UInt64(1) << 63

    static let empty = Slot(order: OrderNumber(bits: 0), place: 0, content: 0)

    private init(order: OrderNumber, place: UInt64, content: UInt64) {
        self.order = order
        self.place = place
        self.content = content
    }

    init(order: OrderNumber, entry: OrderTable.Entry) {
        self.order = order
        place = entry.sequence << 16 | UInt64(entry.index) << 8 | UInt64(entry.status.rawValue)
        // Of money, the amount and what was meant; of pieces, which are one each, what was meant and given.
        content =
            entry.choice.isMoney
            ? UInt64(entry.amount.fen) << 16 | UInt64(entry.choice.meant)
            : Self.piecesBit | UInt64(entry.choice.given) << 16 | UInt64(entry.choice.meant)
    }

    var entry: OrderTable.Entry {
        let isPiece = content & Self.piecesBit != 0
        guard let amount = isPiece ? .zero : Amount(fen: Int64(content >> 16)),
            let status = GrantStatus(rawValue: UInt8(truncatingIfNeeded: place))
        else { preconditionFailure("a slot that was never filled") }
        return OrderTable.Entry(
            sequence: place >> 16,
            index: Int(place >> 8 & 0xFF),
            amount: amount,
            choice: RewardChoice(
                meant: UInt16(truncatingIfNeeded: content),
                given: isPiece ? UInt16(truncatingIfNeeded: content >> 16) : 0
            ),
            status: status
        )
    }
}

/// Linear probing; the number of slots is a power of two, at most three quarters full.
private struct Segment: Sendable {
    private var slots: [Slot] = []
    private var count = 0

    func find(_ order: OrderNumber, hash: UInt64) -> OrderTable.Entry? {
        guard let index = index(of: order, hash: hash) else { return nil }
        return slots[index].entry
    }

    func orders(of persons: Set<PersonID>) -> [(order: OrderNumber, entry: OrderTable.Entry)] {
        slots.lazy.filter { $0.place != 0 && persons.contains($0.order.person) }.map { ($0.order, $0.entry) }
    }

    private func index(of order: OrderNumber, hash: UInt64) -> Int? {
        guard !slots.isEmpty else { return nil }
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index].place != 0 {
            if slots[index].order == order { return index }
            index = (index + 1) & mask
        }
        return nil
    }

    mutating func insertIfAbsent(_ slot: Slot, hash: UInt64, rehash: OrderHash) -> Bool {
        if (count + 1) * 4 > slots.count * 3 { grow(rehash) }
        guard place(slot, hash: hash) else { return false }
        count += 1
        return true
    }

    /// Answers `false` when the order is there already.
    private mutating func place(_ slot: Slot, hash: UInt64) -> Bool {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index].place != 0 {
            if slots[index].order == slot.order { return false }
            index = (index + 1) & mask
        }
        slots[index] = slot
        return true
    }

    private mutating func grow(_ rehash: OrderHash) {
        let old = slots
        slots = Array(repeating: .empty, count: max(16, old.count * 2))
        for slot in old where slot.place != 0 {
            let isNew = place(slot, hash: rehash(slot.order))
            precondition(isNew)  // M3
        }
    }

    /// Closes the gap by moving back whatever a search would no longer reach.
    mutating func remove(_ order: OrderNumber, hash: UInt64, rehash: OrderHash) {
        guard var gap = index(of: order, hash: hash) else { preconditionFailure("an order that isn't in the table") }
        let mask = slots.count - 1
        var next = (gap + 1) & mask
        while slots[next].place != 0 {
            let home = Int(truncatingIfNeeded: rehash(slots[next].order)) & mask
            if (next &- home) & mask >= (next &- gap) & mask {
                slots[gap] = slots[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        slots[gap] = .empty
        count -= 1
    }
}
