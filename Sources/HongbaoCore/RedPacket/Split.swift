/// How a red packet's amount becomes shares (RP-10). The raw value is hashed into the commitment.
package enum SplitKind: UInt8, Hashable, Sendable, CaseIterable {
    /// Everybody the same (普通).
    case equal = 1
    /// Everybody the same chances (拼手气).
    case lucky = 2

    /// In the API and for people.
    package var name: String {
        switch self {
        case .equal: "equal"
        case .lucky: "lucky"
        }
    }
}

/// The division of an amount into `count` shares of at least one fen, which add up to the amount exactly.
///
/// Positions count from 0 in the order of claims. A share is a pure function of amount, count, kind, position and the
/// packet's secret seed, which is asked through `KeyedDraws`; no share depends on another being known, and no list is
/// kept.
package struct Split: Hashable, Sendable {
    package let kind: SplitKind
    package let amount: Amount
    package let count: Int

    /// Bounds what it takes to check a packet.
    package static let countMax = 1_000_000

    /// Why there is no such split. Cases are in order of precedence.
    package enum Refusal: Hashable, Sendable {
        case noShares
        /// More than `countMax`.
        case tooManyShares
        /// The amount doesn't make one fen for everybody.
        case belowOneFenEach
    }

    package static func refusal(amount: Amount, count: Int) -> Refusal? {
        if count < 1 { return .noShares }
        if count > countMax { return .tooManyShares }
        if amount.fen < Int64(count) { return .belowOneFenEach }
        return nil
    }

    /// `nil` when `refusal` has a reason.
    package init?(_ kind: SplitKind, amount: Amount, count: Int) {
        guard Self.refusal(amount: amount, count: count) == nil else { return nil }
        self.kind = kind
        self.amount = amount
        self.count = count
    }

    package var positions: Range<Int> { 0..<count }

    /// What was drawn for some shares of a packet and counts for others, too: up to 180 KB. It's as secret as the seed.
    package struct Drawn: Sendable {
        fileprivate var deal: Deal.Drawn?
        fileprivate var halving: Halving.Drawn?

        /// To be used for one packet of this split.
        package init(_ split: Split) {
            guard split.kind == .lucky else { return }
            deal = Deal.Drawn(count: split.count)
            halving = Halving.Drawn(count: split.count)
        }

        fileprivate init() {}
    }

    /// What the claim at a position gets. Takes up to log2(count) + 14 draws or a few more when lucky, none when equal.
    package func share(at position: Int, _ draws: KeyedDraws) -> Amount {
        var nothing = Drawn()
        return share(at: position, draws, &nothing)
    }

    /// The same, without drawing again what was drawn before: of a million shares one takes 6 draws in the end.
    package func share(at position: Int, _ draws: KeyedDraws, _ drawn: inout Drawn) -> Amount {
        precondition(positions.contains(position))
        let fen =
            switch kind {
            case .equal: equalShare(at: position)
            case .lucky: luckyShare(at: position, draws, &drawn)
            }
        guard let share = Amount(fen: fen) else { preconditionFailure("a share is negative") }
        return share
    }

    /// What doesn't divide goes to the first claims, one fen each.
    private func equalShare(at position: Int) -> Int64 {
        let (each, left) = amount.fen.quotientAndRemainder(dividingBy: Int64(count))
        return each + (position < left ? 1 : 0)
    }

    /// One fen each is set aside; what is above it, the surplus, is divided by halves over the places, and the places
    /// are dealt to the positions.
    private func luckyShare(at position: Int, _ draws: KeyedDraws, _ drawn: inout Drawn) -> Int64 {
        let place = Deal(count: count, draws).place(of: position, &drawn.deal)
        let halving = Halving(surplus: amount.fen - Int64(count), count: count, draws)
        return 1 + halving.surplus(at: place, &drawn.halving)
    }
}

extension Split {
    /// Where the luckiest of the shares is, given in the order of claims: the first of the largest ones (RP-3).
    package static func luckiest(of shares: some Sequence<Amount>) -> Int? {
        var best: (index: Int, share: Amount)?
        for (index, share) in shares.enumerated() where best.map({ share > $0.share }) ?? true {
            best = (index, share)
        }
        return best?.index
    }
}
