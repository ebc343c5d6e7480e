/// Deals places to positions: a secret permutation of 0..<count, computed for one position at a time.
///
/// Every position gets every place with the same probability, exactly, so that neither mean nor spread of a share
/// depends on when somebody claims; and which positions are neighbours in the tree can't be told without the seed.
struct Deal {
    /// 20! is the largest factorial that fits 64 bits. A single draw chooses among all orders of so few.
    static let fewMax = 20
    private static let roundCount = 12

    let count: Int
    let draws: KeyedDraws

    init(count: Int, _ draws: KeyedDraws) {
        precondition(count >= 1)
        self.count = count
        self.draws = draws
    }

    func place(of position: Int) -> Int {
        precondition((0..<count).contains(position))
        return count <= Self.fewMax ? placeAmongFew(position) : placeAmongMany(position)
    }

    /// The shuffle of Fisher and Yates, of which only one card is followed; the digits of one number below count!
    /// choose the swaps.
    private func placeAmongFew(_ position: Int) -> Int {
        let orders = (1...UInt64(count)).reduce(1, *)
        var choice = draws.ask(.deal, count, 0).first.below(orders)
        var place = position
        for last in stride(from: count - 1, to: 0, by: -1) {
            let (rest, digit) = choice.quotientAndRemainder(dividingBy: UInt64(last + 1))
            choice = rest
            if place == last {
                place = Int(digit)
            } else if place == Int(digit) {
                place = last
            }
        }
        return place
    }

    /// A Feistel network on a grid of two sides near the root of `count`, as Black and Rogaway's for any domain, and a
    /// turn at the end.
    ///
    /// What falls outside of `count` goes through again; the grid has less than a row too many. The turn makes single
    /// positions exactly even. After twelve rounds pairs of positions are even, too, but for 0.024 % with the smallest
    /// grid, 5 by 5, and 0.0001 % with 11 by 10 (total variation, computed by following a pair through the rounds).
    private func placeAmongMany(_ position: Int) -> Int {
        let rows = Self.rootRoundedUp(count)
        let columns = (count + rows - 1) / rows
        var place = position
        repeat {
            var (row, column) = place.quotientAndRemainder(dividingBy: columns)
            for round in 0..<Self.roundCount {
                if round.isMultiple(of: 2) {
                    column = (column + shift(round, row, columns)) % columns
                } else {
                    row = (row + shift(round, column, rows)) % rows
                }
            }
            place = row * columns + column
        } while place >= count
        return (place + Int(draws.ask(.turn, count, 0).first.below(UInt64(count)))) % count
    }

    private func shift(_ round: Int, _ half: Int, _ bound: Int) -> Int {
        Int(draws.ask(.round, round, UInt64(half)).first.below(UInt64(bound)))
    }

    /// The smallest number whose square is at least `number`.
    private static func rootRoundedUp(_ number: Int) -> Int {
        var root = 1
        while root * root < number { root *= 2 }
        var low = root / 2
        while low < root {
            let middle = (low + root) / 2
            if middle * middle >= number { root = middle } else { low = middle + 1 }
        }
        return root
    }
}
