/// Divides a surplus over places by halving their range again and again: a double mean in the shape of a tree.
///
/// A range of m places with the surplus s has a mean of s/m. Its first ⌊m/2⌋ = h places get h means, give or take one
/// mean at most, every sum as likely as any other:
///
///     ((h − 1)·s + R + D) / m, rounded down;  R from 0 to 2s, D from 0 to m − 1, both drawn evenly
///
/// R spreads the sum over [(h − 1)·mean, (h + 1)·mean]. D rounds at random, so that the expectation is h·s/m exactly
/// and not a fraction of a fen less. The sum can't leave 0...s, as h + 1 ≤ m. For two or three places it is the
/// ordinary double mean. Going down to one place takes as many draws as the tree is deep; docs/splits.md has the bound
/// of a share, and why not the sequence of double means.
struct Halving {
    /// What was drawn already, for more places of the same packet: the upper parts of the tree, which many places have
    /// in common.
    struct Drawn: Sendable {
        private static let nodesMax = 1 << 14
        /// Of the range that is node 1, and of those that it's divided into, nodes 2 and 3, and so on: what their lower
        /// parts get; negative where nothing was drawn yet.
        fileprivate var lower: [Int64]

        init(count: Int) {
            var nodes = 1
            while nodes < min(count, Self.nodesMax) { nodes *= 2 }
            lower = [Int64](repeating: -1, count: nodes)
        }
    }

    let surplus: Int64
    let count: Int
    let draws: KeyedDraws

    init(surplus: Int64, count: Int, _ draws: KeyedDraws) {
        precondition(surplus >= 0 && count >= 1)
        self.surplus = surplus
        self.count = count
        self.draws = draws
    }

    /// What a place gets, in fen.
    func surplus(at place: Int) -> Int64 {
        var drawn: Drawn?
        return surplus(at: place, &drawn)
    }

    /// - Parameter drawn: of this very division; `nil` keeps nothing.
    func surplus(at place: Int, _ drawn: inout Drawn?) -> Int64 {
        var (first, size, left) = (0, count, surplus)
        var node = 1
        while size > 1 {
            let half = size / 2
            let lower = lowerPart(of: left, first: first, size: size, node: node, &drawn)
            if place < first + half {
                (size, left, node) = (half, lower, 2 * node)
            } else {
                (first, size, left, node) = (first + half, size - half, left - lower, 2 * node + 1)
            }
        }
        return left
    }

    private func lowerPart(of left: Int64, first: Int, size: Int, node: Int, _ drawn: inout Drawn?) -> Int64 {
        let isKept = drawn.map { node < $0.lower.count } ?? false
        if isKept, let known = drawn?.lower[node], known >= 0 { return known }
        let lower = Self.lowerPart(of: left, size: size, draws.ask(.halve, first, UInt64(size)))
        if isKept { drawn?.lower[node] = lower }
        return lower
    }

    /// What the first ⌊size/2⌋ places get of the surplus. Nothing overflows: 2s + 1 fits 64 bits, the sum 128.
    static func lowerPart(of surplus: Int64, size: Int, _ answer: KeyedDraws.Answer) -> Int64 {
        let s = UInt64(surplus)
        let spread = answer.first.below(2 * s + 1)
        let rounding = answer.second.below(UInt64(size))
        let sum = UInt128(size / 2 - 1) * UInt128(s) + UInt128(spread) + UInt128(rounding)
        let part = Int64(sum / UInt128(size))
        precondition((0...surplus).contains(part))
        return part
    }
}
