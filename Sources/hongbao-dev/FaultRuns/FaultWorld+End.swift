import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting

/// The end of every run: the faults stop, everything must come to its end, and then all sides are compared.
extension FaultWorld {
    struct Verdict: Sendable {
        var sent = 0
        var acknowledged = 0
        var replayed = 0
        var booked = 0
        /// Booked, though the answer was lost.
        var untold = 0
        var asked = 0
        var accepted = 0
        var withdrawals = WithdrawalBook.Comparison()
        /// Red packets that were sent, and how many of their shares somebody was told of.
        var packets: (sent: Int, shares: Int)?
        /// People who turned out to be one.
        var twins: Int?
        var breaches: [String] = []

        var text: String {
            """
            grants        \(sent) sent, \(acknowledged) acknowledged, \(replayed) replays that agree
            booked        \(booked), \(untold) of them without an answer that arrived
            withdrawals   \(asked) asked, \(accepted) accepted; \(withdrawals.paid) paid and \(withdrawals.failed) \
            failed at the channel, \(withdrawals.untold) of them without an answer that arrived
            """
                + (packets.map { "\nred packets   \($0.sent) sent, \($0.shares) shares claimed" } ?? "")
                + (twins.map { "\nmerges        \($0) times two were one" } ?? "")
        }
    }

    /// Liveness: what was never answered is asked again (half of it, so that lost answers are tested too), everything
    /// is posted, and every withdrawal gets final.
    func settle(_ address: String, _ random: inout Seeded, within limit: Duration = .seconds(150)) async throws {
        let caller = grantCaller(address)
        try await askAgain(address, &random)
        let end = ContinuousClock.now + limit
        while try await caller.backlog() > 0 {
            guard ContinuousClock.now < end else { return grants.breach("M5: the backlog isn't posted after \(limit)") }
            try await Task.sleep(for: .milliseconds(50))
        }
        while true {
            for side in sides {
                var caller = withdrawalCaller(address)
                caller.book = side.withdrawals
                for asked in side.withdrawals.open() { try await caller.look(asked) }
            }
            let tracked = try await Self.tracked(caller)
            let isLate = ContinuousClock.now >= end
            if isLate || (tracked == 0 && sides.allSatisfy { $0.withdrawals.open().isEmpty }) {
                // One whose answer was lost and that isn't due yet is neither the client's nor in memory.
                let pending = try await readRows().withdrawals.filter { $0.state == .pending }
                if pending.isEmpty { return }
                if isLate { return withdrawals.breach("M10: pending after \(limit), \(tracked) tracked: \(pending)") }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Half of what was never answered, and some of what was.
    func askAgain(_ address: String, _ random: inout Seeded) async throws {
        let caller = grantCaller(address)
        let unanswered = grants.unanswered()
        let again = unanswered.prefix(unanswered.count / 2) + grants.sample(400, &random)
        for start in stride(from: 0, to: again.count, by: 100) {
            let part = again[start..<min(start + 100, again.count)]
            try await caller.send(Array(part), as: start.isMultiple(of: 200) ? .batches(100) : .single)
        }
        let open = withdrawals.unanswered()
        for asked in open.prefix(open.count / 2) { try await withdrawalCaller(address).ask(asked) }
    }

    /// Withdrawals that the server has in memory and that aren't final: all that are due, once its first sweep is over.
    private static func tracked(_ caller: GrantCaller) async throws -> Int {
        Int(try await caller.metric("hongbao_payouts_tracked"))
    }

    /// `hongbao audit` on the data as they are.
    func audit(_ when: String) async throws {
        let command = wrapper + [programs.server, "audit", "--data", dataFolder]
        let (code, output, errors) = try await StartedProgram.run(
            command[0],
            Array(command.dropFirst()),
            environment: environment
        )
        if code != 0 { grants.breach("audit \(when) exits with \(code):\n\(output)\(errors)") }
    }

    /// Clients = ledger = channel, order by order; nobody writes any more.
    ///
    /// - Parameter file: the channel's.
    func compare(with file: [String: WithdrawalBook.ChannelRow]) async throws -> Verdict {
        var verdict = Verdict()
        let rows = try await readRows()
        verdict.booked = rows.grants.count
        var rest = rows.grants
        var remaining = rows.withdrawals
        for side in sides {
            let scene = side.grants.scene
            let others = sides.map(\.grants).filter { $0 !== side.grants }
            verdict.untold += side.grants.compare(with: rest.filter { $0.key.scene == scene }, others: others)
            rest = rest.filter { $0.key.scene != scene }
            let own = remaining.filter { $0.key.id.hasPrefix(side.withdrawals.prefix) }
            remaining.removeAll { $0.key.id.hasPrefix(side.withdrawals.prefix) }
            side.withdrawals.compare(with: own, &verdict.withdrawals)
            let counts = side.grants.counts
            verdict.sent += counts.sent
            verdict.acknowledged += counts.acknowledged
            verdict.replayed += counts.replayed
            verdict.asked += side.withdrawals.counts.asked
            verdict.accepted += side.withdrawals.counts.accepted
            verdict.breaches += side.grants.breaches + side.withdrawals.breaches
        }
        if let packets {
            rest = rest.filter { $0.key.scene != packets.scene }
            verdict.packets = packets.counts
            verdict.breaches += packets.compare(with: rows.claims, received: rows.received)
        }
        if let twins {
            verdict.twins = twins.merged
            verdict.breaches += twins.compare(
                with: rest.filter { $0.key.scene == twins.scene },
                balances: rows.balances
            )
            rest = rest.filter { $0.key.scene != twins.scene }
        }
        if !rest.isEmpty { verdict.breaches.append("M3: \(rest.count) grants are booked in a scene that nobody plays") }
        if !remaining.isEmpty { verdict.breaches.append("M9: \(remaining.count) withdrawals were never asked") }
        verdict.breaches += verdict.withdrawals.compare(rows.withdrawals, paidOut: rows.paidOut, file: file)
        return verdict
    }

    struct Rows: Sendable {
        var grants: [OrderNumber: Int64] = [:]
        var withdrawals: [Withdrawal] = []
        /// What all payouts accounts have received, in fen.
        var paidOut: Int64 = 0
        var claims: [Claim] = []
        /// What people's accounts have received out of red packets, in fen.
        var received: [AccountID: Int64] = [:]
        /// What people's accounts have, in fen.
        var balances: [AccountID: Int64] = [:]

        /// The same of another database.
        mutating func add(_ other: Rows) {
            grants.merge(other.grants) { first, _ in first }
            withdrawals += other.withdrawals
            claims += other.claims
            received.merge(other.received, uniquingKeysWith: +)
            balances.merge(other.balances, uniquingKeysWith: +)
            paidOut += other.paidOut
        }
    }

    /// The ledger's rows in a data folder, also while a server uses it: in one snapshot.
    static func rows(of dataFolder: String) async throws -> Rows {
        let store = try SQLiteStore(folder: dataFolder, access: .readOnly)
        let rows = try await rows(in: store)
        try await store.close()
        return rows
    }

    static func rows(in store: some Store) async throws -> Rows {
        let (check, claims) = try await store.read { (snapshot) throws(StoreError) in
            (try LedgerCheck(snapshot), try Self.claims(snapshot))
        }
        var rows = Rows()
        for transfer in check.transfers.values {
            if let order = transfer.id.order { rows.grants[order] = transfer.amount.fen }
            if transfer.id.packet != nil, transfer.credit.kind == .person {
                rows.received[transfer.credit, default: 0] += transfer.amount.fen
            }
        }
        for account in check.accounts.values where account.id.kind == .person {
            rows.balances[account.id] = account.credits.fen - account.debits.fen
        }
        rows.claims = claims
        rows.withdrawals = Array(check.withdrawals.values)
        rows.paidOut = check.accounts.values.filter { $0.id.kind == .payouts }.reduce(0) { $0 + $1.credits.fen }
        return rows
    }

    private static func claims(_ snapshot: any StoreSnapshot) throws(StoreError) -> [Claim] {
        var claims: [Claim] = []
        var last: RedPacketID?
        while true {
            let page = try snapshot.packets(after: last, limit: 1_000)
            for packet in page {
                claims += try snapshot.claims(of: packet.id, from: 0, limit: packet.split.count)
            }
            guard let end = page.last else { return claims }
            last = end.id
        }
    }

    /// Today and, in case of midnight, the days around it.
    static func days(around date: Date = Date()) -> [Date] {
        [-86_400, 0, 86_400].map { date.addingTimeInterval($0) }
    }
}
