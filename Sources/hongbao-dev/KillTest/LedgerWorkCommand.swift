import ArgumentParser
import Foundation
import Glibc
import HongbaoSQLite
import HongbaoTesting

/// What `LedgerKills` kills: works a ledger from many tasks without end, and writes down every answer.
struct LedgerWorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger-work",
        abstract: "Work a ledger until killed (for fault-runs).",
        shouldDisplay: false
    )

    @Option(help: "Data folder.")
    var data: String
    @Option(help: "Seed of what is asked.")
    var seed: UInt64
    @Option(help: "Number of the first step.")
    var from: Int
    @Option(help: "Steps at a time.")
    var width = 16

    func run() async throws {
        let store = try SQLiteStore(folder: data)
        try await LedgerWork.prepare(store, budget: 1_000_000_000)
        let work = LedgerWork(seed: seed)
        let (first, turns) = (from, Turns())
        try Self.write("ready")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<width {
                group.addTask {
                    while true {
                        let number = first + turns.take()
                        // Asked is what may have happened, so it's written down first.
                        try Self.write("? \(number)")
                        let outcome = try await work.perform(number, on: store)
                        try Self.write("\(outcome.rawValue) \(number)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// One call of the system for each line, so that a kill tears none.
    private static func write(_ line: String) throws {
        let bytes = Array("\(line)\n".utf8)
        guard Glibc.write(STDOUT_FILENO, bytes, bytes.count) == bytes.count else {
            throw KillTestFault("standard output can't be written: errno \(errno)")
        }
    }
}
