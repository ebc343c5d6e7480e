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
    package init(moving moves: [Move], in books: [BookID]) {
        self.init()
        let persons = Set(moves.flatMap { [$0.source, $0.target] })
        accounts = books.flatMap { book in persons.map { .person($0, in: book) } }
    }
}

extension Books {
    /// Moves all cash that is free from each source to its target, by a transfer under the source's own number. Doing
    /// it again moves what has come since; so it's done once, however often it's tried. Answers how much was moved.
    @discardableResult
    package mutating func move(_ moves: [Move], in book: BookID, now: Timestamp) -> Amount {
        var sum = Amount.zero
        for move in moves {
            let moved = ledger.moveAvailable(
                from: .person(move.source, in: book),
                to: .person(move.target, in: book),
                at: now
            )
            sum = sum.adding(moved) ?? sum
        }
        return sum
    }
}
