import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting

/// The ledger's laws under kill -9: a process works a ledger and is killed at random moments; each time the laws are
/// checked on what is left, and all that it was answered must be there (docs/money-safety.md, "The laws of the
/// ledger").
struct LedgerKills: Sendable {
    struct Options: Sendable {
        /// The `hongbao-dev` program.
        var program: String
        /// An empty folder.
        var folder: String
        var kills = 20
        var seed: UInt64 = 1
        /// The longest that a process works before it's killed.
        var livesMilliseconds = 200
    }

    struct Report: Sendable {
        var kills = 0
        var asked = 0
        var told = 0
        /// Asked without an answer, of which the ledger has this many.
        var untold = 0
        var untoldButDone = 0
        /// Withdrawals that were open after a kill, and the longest time until all of them were final.
        var inFlight = 0
        var longestResolution = Duration.zero
        var breaches: [String] = []
    }

    let options: Options
    var progress: @Sendable (String) -> Void = { _ in }

    func run() async throws -> Report {
        var random = Seeded(seed: options.seed)
        var report = Report()
        var asked: [Int: LedgerWork.Outcome?] = [:]
        let work = LedgerWork(seed: options.seed)
        let data = "\(options.folder)/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        while report.kills < options.kills {
            let first = (asked.keys.max() ?? -1) + 1
            let life = Duration.milliseconds(Int.random(in: 0...options.livesMilliseconds, using: &random))
            let lines = try await live(life, in: data, from: first)
            for (number, outcome) in lines { asked[number] = outcome }
            report.kills += 1
            try await check(data, lines, &asked, work, &report)
            if report.kills.isMultiple(of: 10) {
                progress("\(report.kills) kills, \(asked.count) steps asked, \(report.breaches.count) breaches")
            }
        }
        report.asked = asked.count
        return report
    }

    /// - Returns: what was asked, and what was answered.
    private func live(_ life: Duration, in data: String, from first: Int) async throws -> [Int: LedgerWork.Outcome?] {
        let child = try StartedProgram(
            options.program,
            ["ledger-work", "--data", data, "--seed", "\(options.seed)", "--from", "\(first)"]
        )
        _ = try await child.firstLine()
        try await Task.sleep(for: life)
        child.kill(SIGKILL)
        let code = try await child.exitCode()
        guard code == -SIGKILL else {
            throw KillTestFault("the ledger's worker ended by itself with \(code): \(child.errors.suffix(2000))")
        }
        var lines: [Int: LedgerWork.Outcome?] = [:]
        for line in child.output.split(separator: "\n").dropFirst() {
            let words = line.split(separator: " ")
            guard words.count == 2, let number = Int(words[1]) else { throw KillTestFault("an odd line: \(line)") }
            if words[0] == "?" {
                lines.updateValue(nil, forKey: number)
            } else if let outcome = LedgerWork.Outcome(rawValue: String(words[0])) {
                lines.updateValue(outcome, forKey: number)
            } else {
                throw KillTestFault("an odd line: \(line)")
            }
        }
        return lines
    }

    /// Holds the laws against what is left, asks again what is unknown, and resolves what is in flight.
    private func check(
        _ data: String,
        _ lines: [Int: LedgerWork.Outcome?],
        _ asked: inout [Int: LedgerWork.Outcome?],
        _ work: LedgerWork,
        _ report: inout Report
    ) async throws {
        let store = try await SQLiteStore.reopened(folder: data)
        let rows = try await LedgerCheck.read(store)
        let when = "after kill \(report.kills)"
        var breaches = rows.breaches
        // All that was ever asked now and then; else what the last life has asked.
        let isThorough = report.kills.isMultiple(of: 10) || report.kills == options.kills
        for (number, told) in isThorough ? asked : lines {
            if let breach = work.breach(number, told: told, in: rows) { breaches.append(breach) }
        }
        if isThorough { breaches += Self.strangers(rows, Set(asked.keys), work) }
        for (number, told) in lines where told == nil {
            report.untold += 1
            let isDone = work.breach(number, told: .refused, in: rows) != nil
            if isDone { report.untoldButDone += 1 }
            let outcome = try await work.perform(number, on: store)
            if isDone, outcome == .refused { breaches.append("step \(number): done, and refused when asked again") }
            asked[number] = outcome
        }
        report.told += lines.values.count { $0 != nil }
        report.inFlight += rows.withdrawals.values.count { $0.state == .pending }
        // The channel pays all; the clock is after every step's.
        let time = try await PendingPayouts.finish(
            in: store,
            from: LedgerWork.start.advanced(bySeconds: 3_600),
            over: HonestChannel()
        )
        if let time {
            report.longestResolution = max(report.longestResolution, time)
        } else {
            breaches.append("M10: withdrawals are pending 30 s after the crash")
        }
        let after = try await LedgerCheck.read(store)
        breaches += after.breaches
        if !rows.transfers.values.allSatisfy({ after.transfers[$0.id] == $0 }) {
            breaches.append("M2: history has changed")
        }
        try await store.close()
        report.breaches += breaches.prefix(20).map { "\(when): \($0)" }
    }

    /// What is booked and was never asked.
    private static func strangers(_ rows: LedgerCheck, _ asked: Set<Int>, _ work: LedgerWork) -> [String] {
        var expected = Set<TransferID>()
        var keys = Set<WithdrawalKey>()
        for number in asked {
            switch work.step(number) {
            case .transfer(let transfer): expected.insert(transfer.id)
            case .withdrawal(let key, _, _): keys.insert(key)
            }
        }
        let strangers = rows.transfers.keys.filter { $0.order != nil && !expected.contains($0) }
        let withdrawals = rows.withdrawals.keys.filter { !keys.contains($0) }
        return strangers.map { "M3: \($0.bits) is booked and was never asked" }
            + withdrawals.map { "M9: \($0.id) is withdrawn and was never asked" }
    }
}

extension LedgerKills.Report {
    var text: String {
        """
        kills       \(kills) while the ledger was worked
        asked       \(asked) steps, \(told) of them answered
        unanswered  \(untold), \(untoldButDone) of them done; all asked again
        in flight   \(inFlight) withdrawals, all final after \(longestResolution.milliseconds) ms at most
        """
    }
}
