import Glibc
package import HongbaoCore
import Synchronization

/// A tally that many threads add to without a lock and without meeting: each adds to its own stripe (CT-2).
///
/// Additions aren't checked for overflow: what is pending is less than a budget, and every budget is an `Amount`.
package final class StripedTally: Sendable {
    /// Larger than the 128 bytes that processors fetch at a time, so that no two stripes share them.
    private struct Stripe: ~Copyable {
        let amount = Atomic<Int64>(0)
        let count = Atomic<Int64>(0)
        let padding: [16 of UInt64] = .init(repeating: 0)
    }

    private static let indexBits: UInt64 = 6
    /// 2^`indexBits`. Inline, since an array of objects would count references for each addition.
    private let stripes: [64 of Stripe]

    package init() {
        stripes = [64 of Stripe] { _ in Stripe() }
    }

    package func add(_ tally: Tally) {
        // Threads' numbers are addresses, alike in their low bits.
        let number = UInt64(pthread_self()) &* 0x9E37_79B9_7F4A_7C15
        let index = Int(truncatingIfNeeded: number >> (64 - Self.indexBits))
        stripes[index].amount.wrappingAdd(tally.amount.fen, ordering: .relaxed)
        stripes[index].count.wrappingAdd(tally.count, ordering: .relaxed)
    }

    /// Takes out what has been added: copies, and subtracts the copy. What is added meanwhile stays for the next time.
    ///
    /// One caller at a time: two would take the same.
    /// Amount and count may be of instants a moment apart; nothing of either is lost or taken twice.
    func take() -> Tally {
        var amount: Int64 = 0
        var count: Int64 = 0
        for index in 0..<64 {
            let amountThere = stripes[index].amount.load(ordering: .relaxed)
            let countThere = stripes[index].count.load(ordering: .relaxed)
            guard amountThere != 0 || countThere != 0 else { continue }
            stripes[index].amount.wrappingSubtract(amountThere, ordering: .relaxed)
            stripes[index].count.wrappingSubtract(countThere, ordering: .relaxed)
            amount &+= amountThere
            count &+= countThere
        }
        guard let amount = Amount(fen: amount), let tally = Tally(amount: amount, count: count) else {
            preconditionFailure("more pending than any budget")
        }
        return tally
    }
}
