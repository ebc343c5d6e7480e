/// Where what somebody was called before has to go: from a name to what it was merged into.
package struct Move: Hashable, Sendable {
    package let source: PersonID
    package let target: PersonID

    package init(from source: PersonID, to target: PersonID) {
        self.source = source
        self.target = target
    }
}

extension Aliases {
    /// All that has to go anywhere for whoever has this name, in the order in which it gets to the person at once.
    package func moves(of name: PersonID) -> [Move] {
        all(name).dropLast().compactMap { source in target(of: source).map { Move(from: source, to: $0) } }
    }
}

extension Footprint {
    /// The rows that these moves touch in these books.
    ///
    /// - Parameter isElsewhere: whether a person's money is in another database.
    package init(moving moves: [Move], in books: [BookID], isElsewhere: (PersonID) -> Bool = { _ in false }) {
        self.init()
        accounts = books.flatMap { book in
            Set(moves.flatMap { [.person($0.source, in: book), $0.destination(in: book, isElsewhere($0.target))] })
        }
    }
}

extension Books {
    /// Moves all cash that is free from each source to its target, by a transfer under the source's own number. Doing
    /// it again moves what has come since; so it's done once, however often it's tried. Answers how much was moved.
    ///
    /// - Parameter isElsewhere: whether a person's money is in another database, where an `Arrival` brings it.
    @discardableResult
    package mutating func move(
        _ moves: [Move],
        in book: BookID,
        isElsewhere: (PersonID) -> Bool = { _ in false },
        now: Timestamp
    ) -> Amount {
        var sum = Amount.zero
        for move in moves {
            let moved = ledger.moveAvailable(
                from: .person(move.source, in: book),
                to: move.destination(in: book, isElsewhere(move.target)),
                at: now
            )
            sum = sum.adding(moved) ?? sum
        }
        return sum
    }
}

extension Move {
    fileprivate func destination(in book: BookID, _ isElsewhere: Bool) -> AccountID {
        isElsewhere ? .elsewhere(of: book) : .person(target, in: book)
    }
}

/// What has left a database for another one because of a merge, and the number under which it comes there.
///
/// The transfer by which it leaves is the promise of it (M15). What arrives has a number that follows from that one, so
/// bringing it again moves nothing twice: the person's, with the database that it comes from above the serial number.
package struct Arrival: Hashable, Sendable {
    private static let bit = UInt32(1) << 30
    private static let shardShift: UInt32 = 24
    private static let serialMask = UInt32(1) << shardShift - 1

    package let departure: TransferID
    /// Which database it comes from, from 0.
    package let shard: Int

    /// `nil` for anything but a move of a person's own money out of that database.
    package init?(of departure: Transfer, from shard: Int) {
        let serial = UInt32(truncatingIfNeeded: departure.id.low)
        guard departure.id.isOwn, departure.credit.isElsewhere, serial <= Self.serialMask else { return nil }
        self.departure = departure.id
        self.shard = shard
    }

    /// What an arrival's number says; `nil` when it isn't one.
    package init?(_ id: TransferID) {
        let number = UInt32(truncatingIfNeeded: id.low)
        guard id.isOwn, number & Self.bit != 0 else { return nil }
        departure = TransferID(person: id.person, book: id.book, serial: number & Self.serialMask)
        shard = Int((number & ~Self.bit) >> Self.shardShift)
    }

    package var id: TransferID {
        let serial = UInt32(truncatingIfNeeded: departure.low)
        let number = Self.bit | UInt32(shard) << Self.shardShift | serial
        return TransferID(person: departure.person, book: departure.book, serial: number)
    }

    /// What brings it to who that person is now.
    package func transfer(_ departure: Transfer, to target: PersonID, at now: Timestamp) -> Transfer {
        Transfer(
            id: id,
            debit: .elsewhere(of: departure.id.book),
            credit: .person(target, in: departure.id.book),
            amount: departure.amount,
            at: departure.at,
            postedAt: now
        )
    }
}
