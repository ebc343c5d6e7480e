import Testing

@testable import HongbaoEngine

/// Of several who may audit, one does.
@Suite final class AuditTurnsTests {
    private var turns = AuditTurns(every: .seconds(100), again: .seconds(10), seed: 7, now: .seconds(5))

    @Test func roundsComeAtIntervals() {
        #expect(turns.isDue(.seconds(5)))
        turns.ended(.seconds(30))
        #expect(!turns.isDue(.seconds(129)) && turns.isDue(.seconds(130)))
        turns.brokeOff(.seconds(140))
        #expect(!turns.isDue(.seconds(149)) && turns.isDue(.seconds(150)))
    }

    /// Another's next round begins before one's own, and its end is noticed.
    @Test func whoseTurnAnotherTookWaits() {
        for second in 5..<40 { turns.sawAnother(.seconds(second)) }
        #expect(!turns.isDue(.seconds(39 + 125)))
        #expect(turns.isDue(.seconds(39 + 225)))
        for second in 139..<150 { turns.sawAnother(.seconds(second)) }
        #expect(!turns.isDue(.seconds(149 + 125)))
    }

    /// Those who wait for the same one don't begin at the same time.
    @Test func thoseWhoWaitDiffer() {
        let dues = (1...20 as ClosedRange<UInt64>).map { seed in
            var turns = AuditTurns(every: .seconds(100), again: .seconds(10), seed: seed, now: .zero)
            turns.sawAnother(.zero)
            return (125...225).first { turns.isDue(.seconds($0)) } ?? 0
        }
        #expect(Set(dues).count > 10 && dues.allSatisfy { $0 > 0 })
    }

    @Test func aShortIntervalIsNoLongerAfterAFault() {
        var turns = AuditTurns(every: .seconds(2), again: .seconds(10), seed: 7, now: .zero)
        turns.brokeOff(.seconds(1))
        #expect(turns.isDue(.seconds(3)))
    }
}
