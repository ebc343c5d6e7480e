import HongbaoCore
import HongbaoTesting
import Testing

/// The ledger's outcomes, a line each (LG-1..3, M1, M2, M13).
///
/// Accounts: T the treasury, B a budget, P1 and P2 people, O the payouts, all in book 1; X is somebody in book 2. An ID
/// is a number in book 1, or with an x in book 2.
private struct LedgerScript {
    private var ledger: Ledger
    private static let book = BookID(1)
    private static let accounts: [String: AccountID] = [
        "T": .treasury(of: book), "B": .budget(of: SceneID(book: book, number: 1)), "O": .payouts(of: book),
        "P1": .person(PersonID(1), in: book), "P2": .person(PersonID(2), in: book),
        "X": .person(PersonID(1), in: BookID(2)),
    ]

    init() { ledger = Ledger(accounts: Self.accounts.values.map { Account(id: $0) }, transfers: [], holds: []) }

    private static func id(_ word: String) throws -> TransferID {
        let serial = try #require(UInt32(word.filter(\.isNumber)))
        return TransferID(person: PersonID(1), book: word.hasPrefix("x") ? BookID(2) : book, serial: serial)
    }

    /// Debits, credits and held of all accounts.
    private var balances: [Account] { Self.accounts.values.sorted().map { ledger.account($0) } }

    mutating func run(_ line: Substring) throws -> String {
        let words = line.split(separator: " ").map(String.init)
        let now = Timestamp(milliseconds: 1)
        let before = balances
        defer {
            let sum = balances.reduce(Int128(0)) { $0 + Int128($1.credits.fen) - Int128($1.debits.fen) }
            #expect(sum == 0, "\(line)")  // M1
            for account in balances where account.id.kind != .treasury { #expect(account.available >= 0, "\(line)") }
        }
        switch words[0] {
        case "post", "hold":
            let debit = try #require(Self.accounts[words[2]])
            let credit = try #require(Self.accounts[words[3]])
            let amount = try #require(Int64(words[4]).flatMap { Amount(fen: $0) })
            if words[0] == "hold" {
                let hold = Hold(id: try Self.id(words[1]), debit: debit, credit: credit, amount: amount, at: now)
                let outcome = ledger.place(hold)
                if outcome != .done { #expect(balances == before, "\(line)") }
                return "\(outcome)"
            }
            let transfer = Transfer(
                id: try Self.id(words[1]),
                debit: debit,
                credit: credit,
                amount: amount,
                at: now,
                postedAt: now
            )
            let outcome = ledger.post(transfer)
            if outcome != .posted { #expect(balances == before, "\(line)") }
            return "\(outcome)"
        case "settle": return "\(ledger.postHold(try Self.id(words[1]), at: now))"
        case "void": return "\(ledger.voidHold(try Self.id(words[1])))"
        default:
            let account = ledger.account(try #require(Self.accounts[words[0]]))
            return "\(account.debits.fen)/\(account.credits.fen)/\(account.held.fen)/\(account.holdsStarted)"
        }
    }
}

/// Each line is an act or an account, and after the arrow what must come of it.
private func check(_ script: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    var ledger = LedgerScript()
    for line in script.split(separator: "\n") {
        let parts = line.split(separator: " -> ")
        #expect(try ledger.run(parts[0]) == parts[1], "\(line)", sourceLocation: sourceLocation)
    }
}

@Suite struct LedgerTests {
    /// LG-2.
    @Test func postingIsIdempotent() throws {
        try check(
            """
            post 1 T B 100 -> posted
            post 1 T B 100 -> alreadyPosted
            post 1 T B 101 -> idReusedForAnotherTransfer
            post 1 B T 100 -> idReusedForAnotherTransfer
            post 1 T P1 100 -> idReusedForAnotherTransfer
            post 1 T B 0 -> idReusedForAnotherTransfer
            B -> 0/100/0/0
            T -> 100/0/0/0
            """
        )
    }

    @Test func outcomesByPrecedence() throws {
        try check(
            """
            post 1 P1 P1 0 -> amountIsZero
            post 1 P1 X 0 -> amountIsZero
            post 1 P1 P1 5 -> accountsAreTheSame
            post x1 P1 P1 5 -> accountsAreTheSame
            post 1 P1 X 5 -> booksDiffer
            post x1 P1 P2 5 -> booksDiffer
            post 1 P1 P2 5 -> insufficientFunds
            post 1 B P2 9223372036854775807 -> insufficientFunds
            post 1 T P1 5 -> posted
            post 2 P1 P2 6 -> insufficientFunds
            post 2 P1 P2 5 -> posted
            post 3 P1 P2 1 -> insufficientFunds
            post 4 T P2 9223372036854775807 -> balanceWouldOverflow
            post 4 T P2 9223372036854775802 -> posted
            post 5 T B 1 -> balanceWouldOverflow
            P2 -> 0/9223372036854775807/0/0
            """
        )
    }

    /// Only the treasury may be overdrawn (M2).
    @Test func nobodyElseIsOverdrawn() throws {
        try check(
            """
            post 1 O P1 1 -> insufficientFunds
            post 1 B P1 1 -> insufficientFunds
            post 1 P1 O 1 -> insufficientFunds
            post 1 X P1 1 -> booksDiffer
            post 1 T P1 1 -> posted
            post 2 T P1 1000 -> posted
            T -> 1001/0/0/0
            """
        )
    }

    /// LG-3: held, then posted or voided, once; only forward.
    @Test func holdsGoForwardOnce() throws {
        try check(
            """
            post 9 T P1 100 -> posted
            hold 1 P1 O 60 -> done
            P1 -> 0/100/60/1
            hold 1 P1 O 60 -> alreadyDone
            hold 1 P1 O 61 -> refused
            hold 2 P1 O 41 -> insufficientFunds
            post 3 P1 P2 41 -> insufficientFunds
            hold 2 P1 O 40 -> done
            P1 -> 0/100/100/2
            settle 1 -> done
            P1 -> 60/100/40/2
            O -> 0/60/0/0
            settle 1 -> alreadyDone
            void 1 -> refused
            hold 1 P1 O 60 -> refused
            post 1 P1 O 60 -> alreadyPosted
            void 2 -> done
            P1 -> 60/100/0/2
            void 2 -> alreadyDone
            settle 2 -> refused
            hold 3 P1 O 40 -> done
            settle 7 -> refused
            void 7 -> refused
            O -> 0/60/0/0
            """
        )
    }

    @Test func holdsThatMakeNoSense() throws {
        try check(
            """
            post 9 T P1 100 -> posted
            hold 1 P1 O 0 -> refused
            hold x1 P1 O 5 -> refused
            hold 1 P1 X 5 -> refused
            hold 1 P2 O 5 -> insufficientFunds
            P1 -> 0/100/0/0
            """
        )
    }

    /// Random transfers and holds against sums of entries: M1 and M2 at every step, and nothing but what changed is
    /// reported to the store.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func agreesWithTheSumOfItsEntries(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let book = BookID(1)
        let people = (1...4 as ClosedRange<UInt64>).map { AccountID.person(PersonID($0), in: book) }
        let all = [.treasury(of: book), .payouts(of: book)] + people
        var ledger = Ledger(accounts: all.map { Account(id: $0) }, transfers: [], holds: [])
        var posted: [TransferID: Transfer] = [:]
        var held: [TransferID: Hold] = [:]
        func balance(_ id: AccountID) -> Int64 {
            let credits = posted.values.reduce(0) { $0 + ($1.credit == id ? $1.amount.fen : 0) }
            let debits = posted.values.reduce(0) { $0 + ($1.debit == id ? $1.amount.fen : 0) }
            return credits - debits - held.values.reduce(0) { $0 + ($1.debit == id ? $1.amount.fen : 0) }
        }
        for step in 0..<200 {
            let now = Timestamp(milliseconds: Int64(step))
            let serial = UInt32.random(in: 0..<80, using: &random)
            let id = TransferID(person: PersonID(1), book: book, serial: serial)
            let debit = try #require(all.randomElement(using: &random))
            let credit = try #require(all.randomElement(using: &random))
            let amount = try #require(Amount(fen: .random(in: 0...30, using: &random)))
            let fits = debit.kind == .treasury || balance(debit) >= amount.fen
            switch Int.random(in: 0..<6, using: &random) {
            case 0...2:
                let transfer = Transfer(id: id, debit: debit, credit: credit, amount: amount, at: now, postedAt: now)
                let outcome = ledger.post(transfer)
                if let earlier = posted[id] {
                    let isSame = earlier.movesTheSame(as: transfer)
                    #expect(outcome == (isSame ? .alreadyPosted : .idReusedForAnotherTransfer))
                } else {
                    #expect((outcome == .posted) == (amount > .zero && debit != credit && fits))
                    if outcome == .posted { posted[id] = transfer }
                }
            case 3:
                // A hold and a transfer never share an ID: both come from the account's serial numbers.
                guard posted[id] == nil, ledger.hold(id) == nil, amount > .zero, debit != credit else { continue }
                let hold = Hold(id: id, debit: debit, credit: credit, amount: amount, at: now)
                #expect(ledger.place(hold) == (fits ? .done : .insufficientFunds))
                if fits { held[id] = hold }
            case 4:
                guard let hold = held.values.sorted(by: { $0.id < $1.id }).randomElement(using: &random),
                    posted[hold.id] == nil
                else { continue }
                #expect(ledger.postHold(hold.id, at: now) == .done)
                held[hold.id] = nil
                posted[hold.id] = ledger.transfer(hold.id)
                #expect(ledger.voidHold(hold.id) == .refused)
            default:
                guard let hold = held.values.sorted(by: { $0.id < $1.id }).randomElement(using: &random)
                else { continue }
                #expect(ledger.voidHold(hold.id) == .done)
                held[hold.id] = nil
                #expect(ledger.postHold(hold.id, at: now) == .refused)
            }
            for id in all {
                #expect(ledger.account(id).available == balance(id))
                if id.kind != .treasury { #expect(ledger.account(id).available >= 0) }
            }
        }
        #expect(Set(ledger.newTransfers.map(\.id)) == Set(posted.keys))
        #expect(ledger.newTransfers.count == posted.count)
        let moved = Set(posted.values.flatMap { [$0.debit, $0.credit] }).union(ledger.changedHolds.map(\.debit))
        #expect(Set(ledger.changedAccounts.map(\.id)) == moved)
    }
}
