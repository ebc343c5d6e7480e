package import HongbaoCore

/// A red packet's split with its seed shown: all that it takes to check what everybody got.
package struct OpenedSplit: Hashable, Sendable {
    /// What a claim is said to have got.
    package struct Claim: Hashable, Sendable {
        /// From 0, in the order of claims.
        package let position: Int
        package let amount: Amount

        package init(position: Int, amount: Amount) {
            self.position = position
            self.amount = amount
        }
    }

    package let packet: RedPacketID
    package let split: Split
    package let seed: SplitSeed
    /// As it was published at send.
    package let commitment: SplitCommitment
    /// Fewer than the split's shares when the packet expired before all were claimed.
    package let claims: [Claim]

    package init(
        packet: RedPacketID,
        split: Split,
        seed: SplitSeed,
        commitment: SplitCommitment,
        claims: [Claim]
    ) {
        self.packet = packet
        self.split = split
        self.seed = seed
        self.commitment = commitment
        self.claims = claims
    }

    /// One position, and whether what was claimed there is what the seed says.
    package struct Line: Hashable, Sendable {
        package enum Verdict: Hashable, Sendable {
            case agrees
            case unclaimed
            /// The claim got something else.
            case differs(claimed: Amount)
            /// More than one claim is said to have the position.
            case claimedTwice

            package var isFault: Bool {
                switch self {
                case .agrees, .unclaimed: false
                case .differs, .claimedTwice: true
                }
            }
        }

        package let position: Int
        package let share: Amount
        package let verdict: Verdict
    }

    package struct Report: Hashable, Sendable {
        /// Seed, packet, amount, count and kind of split are those that were published.
        package let isCommitted: Bool
        /// One for each position.
        package let lines: [Line]
        /// Claims at positions that the split doesn't have.
        package let strays: [Claim]

        package var faultCount: Int { lines.count { $0.verdict.isFault } + strays.count }

        package var holds: Bool { isCommitted && faultCount == 0 }
    }

    /// Computes every share again. Total: any claims can be checked.
    package func verify() -> Report {
        var claimed = [Amount?](repeating: nil, count: split.count)
        var twice = Set<Int>()
        var strays: [Claim] = []
        for claim in claims {
            guard split.positions.contains(claim.position) else {
                strays.append(claim)
                continue
            }
            if claimed[claim.position] == nil {
                claimed[claim.position] = claim.amount
            } else {
                twice.insert(claim.position)
            }
        }
        let draws = seed.draws
        let lines = split.positions.map { position in
            let share = split.share(at: position, draws)
            let verdict: Line.Verdict =
                if twice.contains(position) {
                    .claimedTwice
                } else if let amount = claimed[position] {
                    amount == share ? .agrees : .differs(claimed: amount)
                } else {
                    .unclaimed
                }
            return Line(position: position, share: share, verdict: verdict)
        }
        return Report(
            isCommitted: SplitCommitment(to: seed, split, of: packet) == commitment,
            lines: lines,
            strays: strays
        )
    }
}
