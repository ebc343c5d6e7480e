import HongbaoCore
import HongbaoTesting
import Testing

/// A withdrawal in every state against every word of the channel (WD-3, M9, M10), and requests by precedence (WD-4).
private struct WithdrawalScript {
    private static let book = BookID(1)
    private static let person = PersonID(7)
    private var books: Books
    private var now: Int64 = 1000

    init(fen: Int64) throws {
        let amount = try #require(Amount(fen: fen))
        let account = Account(
            id: .person(Self.person, in: Self.book),
            debits: .zero,
            credits: amount,
            held: .zero,
            holdsStarted: 0
        )
        books = Books(
            ledger: Ledger(accounts: [account, Account(id: .payouts(of: Self.book))], transfers: [], holds: [])
        )
    }

    private static func key(_ id: String) throws -> WithdrawalKey {
        try #require(WithdrawalKey(person: person, book: book, id: id))
    }

    private static func report(_ words: ArraySlice<String>) throws -> PayoutReport {
        switch words.first {
        case "processing": .processing
        case "paid": .paid(try #require(words.last.flatMap { Int64($0) }.flatMap { Amount(fen: $0) }))
        case "failed": .failed
        case "unknownOrder": .unknownOrder
        default: .unreachable
        }
    }

    mutating func run(_ line: Substring) throws -> String {
        let words = line.split(separator: " ").map(String.init)
        now += 10
        let instant = Timestamp(milliseconds: now)
        switch words[0] {
        case "ask":
            let amount = try #require(Int64(words[2]).flatMap { Amount(fen: $0) })
            switch books.requestWithdrawal(try Self.key(words[1]), amount: amount, now: instant) {
            case .accepted(let withdrawal): return "accepted \(withdrawal.serial)"
            case .replayed(let withdrawal): return "replayed \(withdrawal.state)"
            case .conflict: return "conflict"
            case .amountIsZero: return "amountIsZero"
            case .insufficientBalance: return "insufficientBalance"
            }
        case "told":
            let report = try Self.report(words.dropFirst(2))
            return "\(books.apply(report, to: try Self.key(words[1]), now: instant, retryAfterSeconds: 60))"
        case "account":
            let account = books.ledger.account(.person(Self.person, in: Self.book))
            return "\(account.debits.fen)/\(account.credits.fen)/\(account.held.fen)"
        case "paid": return "\(books.ledger.account(.payouts(of: Self.book)).credits.fen)"
        default:
            let withdrawal = try #require(books.withdrawal(try Self.key(words[1])))
            #expect((withdrawal.state == .pending) == (withdrawal.finalAt == nil))
            #expect(withdrawal.nextCheckAt >= withdrawal.createdAt)
            return "\(withdrawal.state) \(withdrawal.attempts)"
        }
    }
}

private func check(_ script: String, fen: Int64 = 100, sourceLocation: SourceLocation = #_sourceLocation) throws {
    var world = try WithdrawalScript(fen: fen)
    for line in script.split(separator: "\n") {
        let parts = line.split(separator: " -> ")
        #expect(try world.run(parts[0]) == parts[1], "\(line)", sourceLocation: sourceLocation)
    }
}

@Suite struct WithdrawalTests {
    @Test func requestsByPrecedence() throws {
        try check(
            """
            ask a 0 -> amountIsZero
            ask a 101 -> insufficientBalance
            ask a 60 -> accepted 1
            ask a 60 -> replayed pending
            ask a 61 -> conflict
            ask a 0 -> conflict
            ask b 41 -> insufficientBalance
            ask b 40 -> accepted 2
            ask c 1 -> insufficientBalance
            account -> 0/100/100
            """
        )
    }

    @Test func paidOnce() throws {
        try check(
            """
            ask a 60 -> accepted 1
            told a processing -> waiting
            told a unknownOrder -> waiting
            told a unreachable -> waiting
            state a -> pending 3
            told a paid 61 -> contradiction
            told a paid 0 -> contradiction
            state a -> pending 3
            account -> 0/100/60
            told a paid 60 -> settled
            state a -> paid 3
            told a paid 60 -> alreadyFinal
            told a paid 59 -> contradiction
            told a failed -> contradiction
            told a processing -> alreadyFinal
            told a unknownOrder -> alreadyFinal
            told a unreachable -> alreadyFinal
            state a -> paid 3
            account -> 60/100/0
            paid -> 60
            ask a 60 -> replayed paid
            """
        )
    }

    @Test func failedOnce() throws {
        try check(
            """
            ask a 60 -> accepted 1
            told a failed -> released
            told a failed -> alreadyFinal
            told a paid 60 -> contradiction
            told a processing -> alreadyFinal
            told a unknownOrder -> alreadyFinal
            told a unreachable -> alreadyFinal
            account -> 0/100/0
            paid -> 0
            ask a 60 -> replayed failed
            ask b 100 -> accepted 2
            account -> 0/100/100
            """
        )
    }

    @Test func unknownWithdrawals() throws {
        try check(
            """
            told a paid 5 -> notFound
            told a failed -> notFound
            account -> 0/100/0
            """
        )
    }

    /// Any words in any order: never below zero, final once, and what was paid is what left.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func anyWordsInAnyOrder(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var world = try WithdrawalScript(fen: 500)
        var finals: [Int: String] = [:]
        var amounts: [Int: Int] = [:]
        for _ in 0..<150 {
            let id = Int.random(in: 0..<12, using: &random)
            let amount = amounts[id] ?? Int.random(in: 0...90, using: &random)
            let line =
                switch Int.random(in: 0..<7, using: &random) {
                case 0, 1: "ask w\(id) \(amount)"
                case 2: "told w\(id) paid \(amount)"
                case 3: "told w\(id) paid \(amount + 1)"
                case 4: "told w\(id) failed"
                case 5: "told w\(id) processing"
                default: "told w\(id) unreachable"
                }
            let outcome = try world.run(line[...])
            if outcome.hasPrefix("accepted") { amounts[id] = amount }
            if outcome == "settled" || outcome == "released" {
                #expect(finals.updateValue(outcome, forKey: id) == nil, "\(line)")
            }
            let account = try world.run("account").split(separator: "/").compactMap { Int($0) }
            #expect(account[0] + account[2] <= account[1])
            let paid = finals.filter { $0.value == "settled" }.compactMap { amounts[$0.key] }.reduce(0, +)
            let pending = amounts.filter { finals[$0.key] == nil }.values.reduce(0, +)
            #expect(try world.run("paid") == "\(paid)" && account[0] == paid && account[2] == pending)
        }
    }

    @Test(
        arguments: [
            ("a", true), ("A-z_09", true), (String(repeating: "x", count: 64), true), ("", false),
            (String(repeating: "x", count: 65), false), ("a b", false), ("é", false), ("a/b", false), ("a\u{0}", false),
            ("１", false), ("a.b", false), ("a\n", false),
        ]
    )
    func ids(id: String, isGood: Bool) {
        #expect((WithdrawalKey(person: PersonID(1), book: BookID(1), id: id) != nil) == isGood)
    }
}
