import HongbaoCore
import HongbaoGateway

/// How one of the sandbox's downstreams behaves. Shares are in thousandths; all can be changed while it runs.
struct SandboxHabits: Hashable, Sendable {
    enum Field: String, CaseIterable, Sendable {
        case delay, answerTime, busy, refusals, overloads, errors, lostReplies, alreadyGranted, hangs, hangTime, hungFor
    }

    /// Milliseconds from the order until it's given; until then it's `processing`.
    var delay: Int64 = 0
    /// Milliseconds from a request to its answer.
    var answerTime: Int64 = 0
    /// Orders that are put off: nothing happens, and the next time it may.
    var busy: Int64 = 0
    /// Orders that are refused for good.
    var refusals: Int64 = 0
    /// Requests that are turned away with 503 before anything happens.
    var overloads: Int64 = 0
    /// Requests that are answered with 500; every other one is carried out all the same.
    var errors: Int64 = 0
    /// Requests that are carried out and never answered: the connection is closed.
    var lostReplies: Int64 = 0
    /// New orders that are given, and said to have been before.
    var alreadyGranted: Int64 = 0
    /// Requests that are carried out and answered only after `hangTime`.
    var hangs: Int64 = 0
    var hangTime: Int64 = 60_000
    /// Until then nothing is carried out or answered at all.
    var hungUntil: Timestamp?

    /// What a habit is called for short.
    static let named: [(name: String, habits: SandboxHabits)] = [
        ("prompt", SandboxHabits()),
        ("slow", SandboxHabits(delay: 2_000, answerTime: 300)),
        ("faulty", SandboxHabits(busy: 200, overloads: 100, errors: 100)),
        ("forgetful", SandboxHabits(lostReplies: 300)),
        ("repeating", SandboxHabits(alreadyGranted: 500)),
    ]

    private static let fields = JSONFields<Field>()

    private static func range(of field: Field) -> ClosedRange<Int64> {
        switch field {
        case .delay, .answerTime, .hangTime, .hungFor: 0...SandboxSettings.delayMax
        case .busy, .refusals, .overloads, .errors, .lostReplies, .alreadyGranted, .hangs: 0...1000
        }
    }

    private mutating func set(_ field: Field, _ value: Int64, _ now: Timestamp) {
        switch field {
        case .delay: delay = value
        case .answerTime: answerTime = value
        case .busy: busy = value
        case .refusals: refusals = value
        case .overloads: overloads = value
        case .errors: errors = value
        case .lostReplies: lostReplies = value
        case .alreadyGranted: alreadyGranted = value
        case .hangs: hangs = value
        case .hangTime: hangTime = value
        case .hungFor: hungUntil = Timestamp(milliseconds: now.milliseconds &+ value)
        }
    }

    /// Replaces the fields that the document names.
    mutating func update(from bytes: [UInt8], now: Timestamp) throws(JSONFault) {
        var new = self
        var reader = JSONReader(bytes)
        try reader.object(Self.fields) { (reader, field) throws(JSONFault) in
            new.set(field, try reader.integer(Int64.self, in: Self.range(of: field)), now)
        }
        try reader.finish()
        self = new
    }

    func write(_ json: inout JSONWriter, now: Timestamp) {
        json.object {
            $0.field("delay", delay)
            $0.field("answerTime", answerTime)
            $0.field("busy", busy)
            $0.field("refusals", refusals)
            $0.field("overloads", overloads)
            $0.field("errors", errors)
            $0.field("lostReplies", lostReplies)
            $0.field("alreadyGranted", alreadyGranted)
            $0.field("hangs", hangs)
            $0.field("hangTime", hangTime)
            $0.field("hungFor", max(0, (hungUntil?.milliseconds ?? 0) &- now.milliseconds))
        }
    }
}

/// What an option of the command line says of one downstream or all: `tea:slow`, `film:delay=500,busy=100`,
/// `all:forgetful,hungFor=60000`.
struct SandboxHabitsOption: Hashable, Sendable {
    /// `nil`: of all.
    let kind: RewardKind?
    let habits: SandboxHabits

    /// `nil` when it can't be read.
    init?(_ text: String, now: Timestamp) {
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard halves.count == 2 else { return nil }
        if halves[0] == "all" {
            kind = nil
        } else {
            guard let kind = RewardKind(rawValue: halves[0]), !kind.carriesAmount else { return nil }
            self.kind = kind
        }
        var habits = SandboxHabits()
        for (place, word) in halves[1].split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            if place == 0, let named = SandboxHabits.named.first(where: { $0.name == word }) {
                habits = named.habits
                continue
            }
            let sides = word.split(separator: "=", omittingEmptySubsequences: false).map { String($0) }
            guard sides.count == 2, let field = SandboxHabits.Field(rawValue: sides[0]), let value = Int64(sides[1]),
                habits.set(field, checking: value, now)
            else { return nil }
        }
        self.habits = habits
    }
}

extension SandboxHabits {
    /// Answers `false`, and changes nothing, when the value is out of its range.
    fileprivate mutating func set(_ field: Field, checking value: Int64, _ now: Timestamp) -> Bool {
        guard Self.range(of: field).contains(value) else { return false }
        set(field, value, now)
        return true
    }
}
