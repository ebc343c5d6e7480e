import HongbaoCore

/// What each mint has given in each book, as the log says: summed up while it's read at the start.
struct GivenTotals {
    private struct Key: Hashable {
        let book: BookID
        let mint: MintID
    }

    private var tallies: [Key: Tally] = [:]

    /// In order of book and mint.
    var parts: [TotalPart] {
        tallies.map { TotalPart(book: $0.key.book, mint: $0.key.mint, tally: $0.value) }
            .sorted { ($0.book, $0.mint) < ($1.book, $1.mint) }
    }

    /// Each batch of the log once.
    mutating func add(_ payloads: [GrantPayload], of mint: MintID) {
        for (book, tally) in Tally.byBook(payloads) {
            let key = Key(book: book, mint: mint)
            guard let sum = (tallies[key] ?? .zero).adding(tally) else {
                preconditionFailure("a mint has given more than any budget")
            }
            tallies[key] = sum
        }
    }
}

extension Tally {
    /// What these grants give in each book. Those of one batch mostly have one book, so this seldom looks one up.
    static func byBook(_ payloads: [GrantPayload]) -> [BookID: Tally] {
        var tallies: [BookID: Tally] = [:]
        var book: BookID?
        var run = Tally.zero
        for payload in payloads {
            if payload.order.book != book {
                if let book { tallies.add(run, to: book) }
                book = payload.order.book
                run = .zero
            }
            guard let longer = run.adding(payload.amount) else {
                preconditionFailure("a batch larger than any budget")
            }
            run = longer
        }
        if let book { tallies.add(run, to: book) }
        return tallies
    }
}

extension [BookID: Tally] {
    fileprivate mutating func add(_ tally: Tally, to book: BookID) {
        guard let sum = (self[book] ?? .zero).adding(tally) else {
            preconditionFailure("a batch larger than any budget")
        }
        self[book] = sum
    }
}
