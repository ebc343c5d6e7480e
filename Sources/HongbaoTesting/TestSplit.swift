package import HongbaoCore

extension Split {
    /// A split of so many fen; the test that asks for one that can't be is wrong.
    package static func of(_ fen: Int64, _ count: Int, _ kind: SplitKind = .lucky) -> Split {
        guard let amount = Amount(fen: fen), let split = Split(kind, amount: amount, count: count) else {
            preconditionFailure("no split of \(fen) for \(count)")
        }
        return split
    }
}
