import NIOCore
import Testing

@testable import HongbaoRedis

/// What becomes of calls, whatever the connection does. Waiters are numbers here.
@Suite struct CallQueueTests {
    private static func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds)
    }

    private static func call(_ id: UInt64, answers: Int = 1, bytes: Int = 10, until: Int64 = 1000)
        -> CallQueue<Int>.Call
    {
        CallQueue.Call(
            id: id,
            bytes: [UInt8](repeating: UInt8(id), count: bytes),
            answersMax: answers,
            deadline: at(until),
            waiter: Int(id)
        )
    }

    /// One that is connected, with these calls sent.
    private static func open(sent ids: [UInt64], settings: RedisSettings = RedisSettings()) -> CallQueue<Int> {
        var queue = CallQueue<Int>(settings)
        for id in ids { _ = queue.add(call(id), now: at(0)) }
        if ids.isEmpty { _ = queue.add(call(99), now: at(0)) }
        let opened = queue.opened(1, now: at(0))
        #expect(opened)
        _ = queue.takeUnsent(now: at(0))
        if ids.isEmpty { _ = queue.answered(.null) }
        return queue
    }

    private static func fault(_ next: CallQueue<Int>.Next) -> RedisFault.Kind? {
        if case .refuse(let fault) = next { fault.kind } else { nil }
    }

    private static func whole(_ answered: CallQueue<Int>.Answered) -> (waiter: Int, answers: [RESPValue])? {
        if case .whole(let waiter, let answers) = answered { (waiter, answers) } else { nil }
    }

    @Test func theFirstCallConnectsAndTheOthersWait() {
        var queue = CallQueue<Int>(RedisSettings())
        guard case .connect(attempt: 1) = queue.add(Self.call(1), now: Self.at(0)) else {
            Issue.record("it doesn't connect")
            return
        }
        guard case .nothing = queue.add(Self.call(2), now: Self.at(0)) else {
            Issue.record("it doesn't wait")
            return
        }
        #expect(queue.takeUnsent(now: Self.at(1)).isEmpty, "nothing is sent before the server has let us in")
        let opened = queue.opened(1, now: Self.at(1))
        #expect(opened)
        #expect(queue.takeUnsent(now: Self.at(1)).map { $0[0] } == [1, 2])
        // Now everybody's commands go together, with one flush.
        guard case .flush = queue.add(Self.call(3), now: Self.at(2)),
            case .nothing = queue.add(Self.call(4), now: Self.at(2))
        else {
            Issue.record("one flush for all")
            return
        }
        #expect(queue.takeUnsent(now: Self.at(2)).map { $0[0] } == [3, 4])
        let answers = (1...4).map { Self.whole(queue.answered(.integer($0)))?.waiter }
        #expect(answers == [1, 2, 3, 4])
        guard case .unasked = queue.answered(.null) else {
            Issue.record("nobody asked for it")
            return
        }
    }

    @Test func severalAnswersBelongToOneCall() {
        var queue = Self.open(sent: [])
        _ = queue.add(Self.call(1, answers: 3), now: Self.at(0))
        _ = queue.add(Self.call(2), now: Self.at(0))
        _ = queue.takeUnsent(now: Self.at(0))
        #expect(Self.whole(queue.answered(.integer(1))) == nil)
        #expect(Self.whole(queue.answered(.integer(2))) == nil)
        #expect(Self.whole(queue.answered(.integer(3)))?.answers == [.integer(1), .integer(2), .integer(3)])
        #expect(Self.whole(queue.answered(.integer(4)))?.waiter == 2)
        #expect(!queue.isWaiting)
    }

    /// What was sent may have run; what wasn't hasn't.
    @Test func aLostConnectionTellsWhatMayHaveRun() {
        var queue = Self.open(sent: [1, 2])
        _ = queue.answered(.null)
        _ = queue.add(Self.call(3), now: Self.at(1))
        let failures = queue.lost(1, why: "cut", now: Self.at(1), jitter: 0)
        #expect(failures.map(\.waiter) == [2, 3])
        #expect(failures.map(\.fault.kind) == [.outcomeUnknown, .unsent])
        #expect(failures.map(\.fault.canBeTriedAgain) == [false, true])
        // The next one connects again, at once; what the old connection still says doesn't count.
        guard case .connect(attempt: 2) = queue.add(Self.call(4), now: Self.at(1)) else {
            Issue.record("it doesn't connect")
            return
        }
        #expect(queue.lost(1, why: "late", now: Self.at(1), jitter: 0).isEmpty)
        let opened = queue.opened(1, now: Self.at(1))
        #expect(!opened)
    }

    /// Pauses grow from 50 ms to 2 s; meanwhile callers are told at once.
    @Test func whoCantBeReachedIsAskedAgainLaterAndLater() {
        var queue = CallQueue<Int>(RedisSettings())
        var now: Int64 = 0
        for (attempt, pause) in [50, 100, 200, 400, 800, 1600, 2000, 2000].enumerated() {
            guard case .connect(attempt + 1) = queue.add(Self.call(1, until: now + 9999), now: Self.at(now)) else {
                Issue.record("it doesn't connect at \(now)")
                return
            }
            let failures = queue.lost(attempt + 1, why: "nobody there", now: Self.at(now), jitter: 0)
            #expect(failures.map(\.fault) == [RedisFault(.unreachable, "nobody there")])
            let early = queue.add(Self.call(2, until: now + 9999), now: Self.at(now + Int64(pause) - 1))
            #expect(Self.fault(early) == .unreachable)
            now += Int64(pause)
        }
        // Half of it at least, however the dice fall.
        _ = queue.add(Self.call(1, until: now + 9999), now: Self.at(now))
        _ = queue.lost(9, why: "nobody there", now: Self.at(now), jitter: 255)
        #expect(Self.fault(queue.add(Self.call(2, until: now + 9999), now: Self.at(now + 1000))) == .unreachable)
        #expect(Self.fault(queue.add(Self.call(2, until: now + 9999), now: Self.at(now + 1010))) == nil)
    }

    @Test func moreThanIsAllowedIsRefused() {
        var settings = RedisSettings()
        settings.callsMax = 3
        settings.bytesMax = 100
        var queue = Self.open(sent: [1], settings: settings)
        #expect(Self.fault(queue.add(Self.call(2, bytes: 91), now: Self.at(0))) == .full)
        #expect(Self.fault(queue.add(Self.call(2, bytes: 80), now: Self.at(0))) == nil)
        #expect(Self.fault(queue.add(Self.call(3), now: Self.at(0))) == nil)
        #expect(Self.fault(queue.add(Self.call(4, bytes: 0), now: Self.at(0))) == .full)
        _ = queue.takeUnsent(now: Self.at(0))
        #expect(Self.fault(queue.add(Self.call(4, bytes: 0), now: Self.at(0))) == .full, "what is sent still counts")
        _ = queue.answered(.null)
        #expect(Self.fault(queue.add(Self.call(4), now: Self.at(0))) == nil)
        // What was given up counts until its answer is there.
        #expect(queue.cancel(2)?.fault.kind == .outcomeUnknown)
        #expect(Self.fault(queue.add(Self.call(5), now: Self.at(0))) == .full)
        #expect(Self.whole(queue.answered(.null)) == nil)
        #expect(Self.fault(queue.add(Self.call(5), now: Self.at(0))) == nil)
    }

    @Test func whoseTimeIsOverIsTold() {
        var queue = Self.open(sent: [1])
        _ = queue.add(Self.call(2, until: 50), now: Self.at(0))
        _ = queue.takeUnsent(now: Self.at(0))
        _ = queue.add(Self.call(3, until: 50), now: Self.at(0))
        #expect(queue.expire(now: Self.at(49)).failures.isEmpty)
        let expired = queue.expire(now: Self.at(50))
        #expect(expired.failures.map(\.waiter) == [2, 3])
        #expect(expired.failures.map(\.fault.kind) == [.outcomeUnknown, .unsent])
        #expect(!expired.isHung)
        #expect(queue.takeUnsent(now: Self.at(50)).isEmpty, "what nobody waits for isn't sent")
        // The order of the answers stays.
        #expect(Self.whole(queue.answered(.integer(1)))?.waiter == 1)
        #expect(Self.whole(queue.answered(.integer(2))) == nil)
        #expect(!queue.isWaiting)
        #expect(Self.fault(queue.add(Self.call(4, until: 50), now: Self.at(50))) == .unsent)
    }

    /// A server that says nothing for two seconds while it's asked is given up; one that isn't asked may be silent.
    @Test func aSilentServerIsGivenUp() {
        var queue = Self.open(sent: [])
        #expect(!queue.expire(now: Self.at(60_000)).isHung)
        _ = queue.add(Self.call(1, until: 99_000), now: Self.at(60_000))
        _ = queue.takeUnsent(now: Self.at(60_000))
        #expect(!queue.expire(now: Self.at(62_000)).isHung)
        #expect(queue.expire(now: Self.at(62_001)).isHung)
        queue.heard(now: Self.at(62_001))
        #expect(!queue.expire(now: Self.at(64_001)).isHung)
        // And one that doesn't greet in a second.
        var other = CallQueue<Int>(RedisSettings())
        _ = other.add(Self.call(1, until: 99_000), now: Self.at(0))
        #expect(!other.expire(now: Self.at(1000)).isHung)
        #expect(other.expire(now: Self.at(1001)).isHung)
    }

    @Test func whoCancelsIsToldWhetherItWasSent() {
        var queue = Self.open(sent: [1])
        _ = queue.add(Self.call(2), now: Self.at(0))
        #expect(queue.cancel(2)?.fault.kind == .unsent)
        #expect(queue.cancel(1)?.fault.kind == .outcomeUnknown)
        #expect(queue.cancel(1)?.fault == nil)
        #expect(queue.takeUnsent(now: Self.at(0)).isEmpty)
        #expect(queue.isWaiting, "its answer will come")
        #expect(Self.whole(queue.answered(.null)) == nil)
    }

    @Test func closedForGoodRefusesEverybody() {
        var queue = Self.open(sent: [1])
        _ = queue.add(Self.call(2), now: Self.at(0))
        #expect(queue.close().map(\.fault.kind) == [.outcomeUnknown, .unreachable])
        #expect(Self.fault(queue.add(Self.call(3), now: Self.at(0))) == .unreachable)
        let opened = queue.opened(1, now: Self.at(0))
        #expect(!opened)
    }
}
