import HongbaoCore
import HongbaoTesting

extension KeyedDraws {
    /// Without cryptography, which the rules don't need: a fixed function of seed and question.
    static func seeded(_ seed: UInt64) -> KeyedDraws {
        KeyedDraws { question in
            let place = UInt64(question.a) << 32 | UInt64(question.b)
            var mixed = Seeded(seed: seed ^ UInt64(question.purpose.rawValue) << 56)
            var random = Seeded(seed: mixed.next() ^ place &* 0xD6E8_FEB8_6659_FD93)
            func word() -> UInt128 { UInt128(random.next()) << 64 | UInt128(random.next()) }
            return Answer(first: word(), second: word())
        }
    }

    func answer(to question: Question) -> Answer { ask(question.purpose, Int(question.a), UInt64(question.b)) }

    /// The worst that can be drawn: always the same bits.
    static func constant(_ first: UInt128, _ second: UInt128) -> KeyedDraws {
        KeyedDraws { _ in Answer(first: first, second: second) }
    }
}

/// Bounds of tests that draw: each fails by chance once in a million or less often, and the seeds are fixed anyway.
enum Chance {
    /// Standard deviations that a normal variable leaves once in 1.7 million.
    static let deviations = 5.0

    /// What a chi-square variable exceeds about once in a million (Wilson and Hilferty).
    static func chiSquareMax(freedom: Int) -> Double {
        let f = Double(freedom)
        let root = 1 - 2 / (9 * f) + 4.75 * (2 / (9 * f)).squareRoot()
        return f * root * root * root
    }

    /// Of counts that should all be alike.
    static func chiSquare(_ counts: [Int]) -> Double {
        let expected = Double(counts.reduce(0, +)) / Double(counts.count)
        return counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    }
}
