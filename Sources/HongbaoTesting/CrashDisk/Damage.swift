import HongbaoCore

/// What a power cut does to writes that were not synced: each sector of each write is kept, dropped or torn.
struct Damage {
    enum Fate: Hashable { case kept, dropped, torn }

    private enum Style {
        /// A write cache that was lost as a whole.
        case everythingDropped
        /// A disk that was quick.
        case everythingKept
        /// Writes arrive in their order, up to this operation.
        case keptUpTo(Int)
        /// Writes arrive in any order: of 256 sectors, so many.
        case scattered(kept: UInt64)
    }

    private let style: Style
    /// Of 256 sectors that are neither kept nor untouched, how many are torn.
    private let torn: UInt64
    /// Whether a file keeps the size to which a dropped write had grown it.
    let growthSurvives: Bool

    /// `unsynced`: the numbers of the operations that were not synced, in all files.
    init(unsynced: [Int], using random: inout Seeded) {
        switch random.next(below: 8) {
        case 0: style = .everythingDropped
        case 1: style = .everythingKept
        case 2, 3: style = .keptUpTo(unsynced.randomElement(using: &random) ?? 0)
        default: style = .scattered(kept: random.next(below: 257))
        }
        torn = random.next(below: 3) == 0 ? random.next(below: 257) : 0
        growthSurvives = random.next(below: 2) == 0
    }

    func fate(ofOperation number: Int, using random: inout Seeded) -> Fate {
        switch style {
        case .everythingDropped: return .dropped
        case .everythingKept: return .kept
        case .keptUpTo(let end):
            if number < end { return .kept }
            return number == end && random.next(below: 256) < torn ? .torn : .dropped
        case .scattered(let kept):
            if random.next(below: 256) < kept { return .kept }
            return random.next(below: 256) < torn ? .torn : .dropped
        }
    }
}
