import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoGateway

/// How badly one of the sandbox's systems behaves. Shares are in thousandths; they can be changed while it runs.
struct SandboxSettings: Hashable, Sendable {
    enum Distribution: String, Hashable, Sendable, CaseIterable {
        case fixed
        /// From zero to twice the delay.
        case uniform
        /// Mostly short, sometimes many times the delay.
        case exponential
    }

    /// From acceptance to the final state.
    var delayMilliseconds: Int64 = 200
    var distribution = Distribution.fixed
    /// Orders that end failed.
    var failures = 0
    /// Final orders that nobody is called back about.
    var lostCallbacks = 0
    /// Final orders that are called back about three times.
    var duplicateCallbacks = 0
    /// Requests that are carried out and never answered: the connection is closed.
    var lostReplies = 0
    /// Requests that are carried out and answered only after `hangMilliseconds`.
    var hangs = 0
    var hangMilliseconds: Int64 = 60_000
    /// Orders that are paid with one fen too many, refunds with one too few.
    var wrongAmounts = 0
    /// Payments that come, after the delay, although they were cancelled.
    var latePayments = 0
    /// Payments that are made after the delay without a person at the page.
    var autoPays = 0

    static let delayMax: Int64 = 24 * 3600 * 1000

    private enum Field: String, CaseIterable {
        case delay, distribution, failures, lostCallbacks, duplicates, lostReplies, hangs, hangTime, wrongAmounts
        case latePayments, autoPays
    }
    private static let fields = JSONFields<Field>()

    /// Replaces the fields that the document names.
    mutating func update(from bytes: [UInt8]) throws(JSONFault) {
        var new = self
        var reader = JSONReader(bytes)
        try reader.object(Self.fields) { (reader, field) throws(JSONFault) in
            switch field {
            case .delay: new.delayMilliseconds = try reader.integer(Int64.self, in: 0...Self.delayMax)
            case .distribution:
                guard let value = Distribution(rawValue: try reader.identifier()) else {
                    throw reader.fault(.outOfRange)
                }
                new.distribution = value
            case .failures: new.failures = try reader.integer(Int.self, in: 0...1000)
            case .lostCallbacks: new.lostCallbacks = try reader.integer(Int.self, in: 0...1000)
            case .duplicates: new.duplicateCallbacks = try reader.integer(Int.self, in: 0...1000)
            case .lostReplies: new.lostReplies = try reader.integer(Int.self, in: 0...1000)
            case .hangs: new.hangs = try reader.integer(Int.self, in: 0...1000)
            case .hangTime: new.hangMilliseconds = try reader.integer(Int64.self, in: 0...Self.delayMax)
            case .wrongAmounts: new.wrongAmounts = try reader.integer(Int.self, in: 0...1000)
            case .latePayments: new.latePayments = try reader.integer(Int.self, in: 0...1000)
            case .autoPays: new.autoPays = try reader.integer(Int.self, in: 0...1000)
            }
        }
        try reader.finish()
        self = new
    }

    func write(_ json: inout JSONWriter) {
        json.object {
            $0.field("delay", delayMilliseconds)
            $0.field("distribution", distribution.rawValue)
            $0.field("failures", Int64(failures))
            $0.field("lostCallbacks", Int64(lostCallbacks))
            $0.field("duplicates", Int64(duplicateCallbacks))
            $0.field("lostReplies", Int64(lostReplies))
            $0.field("hangs", Int64(hangs))
            $0.field("hangTime", hangMilliseconds)
            $0.field("wrongAmounts", Int64(wrongAmounts))
            $0.field("latePayments", Int64(latePayments))
            $0.field("autoPays", Int64(autoPays))
        }
    }

    func delay(using random: inout SplitMix64) -> Int64 {
        let mean = Double(delayMilliseconds)
        let share = Double(random.next() >> 11) / Double(1 << 53)
        switch distribution {
        case .fixed: return delayMilliseconds
        case .uniform: return Int64(2 * mean * share)
        case .exponential: return min(Int64(-mean * log(1 - share)), Self.delayMax)
        }
    }
}

extension SplitMix64 {
    mutating func happens(_ thousandths: Int) -> Bool { next(below: 1000) < UInt64(thousandths) }
}
