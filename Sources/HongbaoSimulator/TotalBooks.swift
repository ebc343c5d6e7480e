import HongbaoCore

/// What the auditor itself knows of running totals (M12).
struct TotalBooks: Sendable {
    struct Sum: Hashable, Sendable {
        var fen: Int64 = 0
        var count: Int64 = 0

        fileprivate mutating func add(_ amount: Amount) {
            fen += amount.fen
            count += 1
        }

        fileprivate func reaches(_ other: Sum) -> Bool { fen >= other.fen && count >= other.count }
    }

    /// Of one look at the process that gets requests.
    private struct Look: Sendable {
        let at: Duration
        /// What somebody had been told then that it's granted.
        let promised: Sum
    }

    /// What is in the log.
    private(set) var accepted: [BookID: Sum] = [:]
    private var promised: [BookID: Sum] = [:]
    private var shown: [BookID: Sum] = [:]
    /// In order of time, but for those that have nothing to say any more.
    private var looks: [BookID: [Look]] = [:]

    mutating func accept(_ payload: GrantPayload) { accepted[payload.order.book, default: Sum()].add(payload.amount) }

    mutating func promise(_ order: OrderNumber, _ amount: Amount) { promised[order.book, default: Sum()].add(amount) }

    /// What a screen shows now; answers what's wrong with it.
    ///
    /// - Parameters:
    ///   - before: what the same process has shown before.
    ///   - isCurrent: whether it's the process that gets requests. It shows what all before it have shown, and more.
    ///   - lateness: how long what was promised may take until it's shown; `nil` where that isn't known.
    mutating func look(
        _ tally: Tally,
        in book: BookID,
        before: Tally?,
        isCurrent: Bool,
        at now: Duration,
        lateness: Duration?
    ) -> [String] {
        var wrong: [String] = []
        let sum = Sum(tally)
        if let before, !sum.reaches(Sum(before)) { wrong.append("M12: a running total goes back") }
        if !(accepted[book] ?? Sum()).reaches(sum) { wrong.append("M12: a running total shows more than was given") }
        guard isCurrent else { return wrong }
        if !sum.reaches(shown[book] ?? Sum()) { wrong.append("M12: a running total is lower in the next process") }
        shown[book] = sum
        looks[book, default: []].append(Look(at: now, promised: promised[book] ?? Sum()))
        guard let lateness else { return wrong }
        while let looks = looks[book], looks.count > 1, looks[1].at + lateness <= now {
            self.looks[book]?.removeFirst()
        }
        if let first = looks[book]?.first, first.at + lateness <= now, !sum.reaches(first.promised) {
            wrong.append("M12: a running total leaves out what was promised long ago")
        }
        return wrong
    }
}

extension TotalBooks.Sum {
    init(_ tally: Tally) { self.init(fen: tally.amount.fen, count: tally.count) }
}
