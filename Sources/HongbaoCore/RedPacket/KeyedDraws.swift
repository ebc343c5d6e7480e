/// The random numbers of one red packet: each is a fixed function of the packet's secret seed and of what it's for.
///
/// Whoever makes it answers for this: to those who don't have the seed the answers look like independent, evenly
/// distributed numbers, and the same question always has the same answer.
package struct KeyedDraws: Sendable {
    /// What a number is for. The raw value is part of the question, so no two purposes share a number.
    package enum Purpose: UInt8, Hashable, Sendable {
        /// Dividing a range of places: its first place, its size.
        case halve = 1
        /// Dealing few places: how many, 0.
        case deal = 2
        /// A round of dealing many places: the round, the half that stays.
        case round = 3
        /// Turning the places after the last round: how many, 0.
        case turn = 4
    }

    package struct Question: Hashable, Sendable {
        package let purpose: Purpose
        package let a: UInt32
        package let b: UInt32

        package init(_ purpose: Purpose, _ a: UInt32, _ b: UInt32) {
            self.purpose = purpose
            self.a = a
            self.b = b
        }
    }

    /// Two independent draws.
    package struct Answer: Hashable, Sendable {
        package let first: Draw
        package let second: Draw

        package init(first: UInt128, second: UInt128) {
            self.first = Draw(first)
            self.second = Draw(second)
        }
    }

    /// One of 2^128 equally likely numbers.
    package struct Draw: Hashable, Sendable {
        private let bits: UInt128

        fileprivate init(_ bits: UInt128) { self.bits = bits }

        /// A number from 0 on that is below the bound, any as likely as any other but for a bias under 2^-64.
        package func below(_ bound: UInt64) -> UInt64 {
            UInt64(truncatingIfNeeded: bits.multipliedFullWidth(by: UInt128(bound)).high)
        }
    }

    private let answer: @Sendable (Question) -> Answer

    package init(_ answer: @escaping @Sendable (Question) -> Answer) { self.answer = answer }

    package func ask(_ purpose: Purpose, _ a: Int, _ b: UInt64) -> Answer {
        answer(Question(purpose, UInt32(a), UInt32(b)))
    }
}
