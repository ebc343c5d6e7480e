import ArgumentParser
import Foundation
import HongbaoEngine
import HongbaoFuzzing

struct TokenMutationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token-mutations",
        abstract: "Show the verifier changed tokens; none may be accepted (TK-3, TK-9, M13).",
        discussion: """
            Changes good tokens: every bit of each in turn, bytes, parts of two tokens, what is cut off or added, \
            other persons, leaves and headers. The same seed gives the same tokens. Build with -c release for long \
            runs. Exit codes: 0 none was accepted, 1 one was, or a good token wasn't.
            """
    )

    @Option(help: "How many tokens.")
    var count = 1_000_000
    @Option(help: "Seed.")
    var seed: UInt64 = 1
    @Option(help: "How many at a time.")
    var threads = 2

    func validate() throws {
        guard count >= 1 else { throw ValidationError("--count: 1 or more") }
        guard (1...256).contains(threads) else { throw ValidationError("--threads: 1 to 256") }
    }

    func run() async throws {
        let tokens = FuzzTokens()
        let start = ContinuousClock.now
        var report = TokenMutationRun.Report()
        var areGoodOnesAccepted = true
        // In rounds, for the progress.
        await withTaskGroup(of: (TokenMutationRun.Report, TokenMutationRun).self) { group in
            let share = max(1, min(1_000_000, count / threads))
            var left = count
            for thread in 0..<threads where left > 0 {
                let run = TokenMutationRun(tokens, seed: seed &+ UInt64(thread))
                let size = min(share, left)
                left -= size
                group.addTask { Self.round(run, count: size) }
            }
            while let (part, run) = await group.next() {
                report.add(part)
                let size = min(share, left)
                left -= size
                if size > 0 { group.addTask { Self.round(run, count: size) } }
                areGoodOnesAccepted = areGoodOnesAccepted && run.acceptsTheGoodOnes()
                Self.tell("\(report.count) of \(count), \(report.accepted.count) accepted\n")
            }
        }
        print(report.text(seconds: (ContinuousClock.now - start).inSeconds))
        if !areGoodOnesAccepted { print("a good token was refused") }
        if !report.accepted.isEmpty || !areGoodOnesAccepted { throw ExitCode(1) }
    }

    private static func round(
        _ run: TokenMutationRun,
        count: Int
    ) -> (TokenMutationRun.Report, TokenMutationRun) {
        var run = run
        let report = run.run(count: count)
        return (report, run)
    }

    private static func tell(_ line: String) { FileHandle.standardError.write(Data(line.utf8)) }
}

extension TokenMutationRun.Report {
    func text(seconds: Double) -> String {
        let kinds = TokenMutations.Kind.allCases.map { "\($0) \(byKind[$0] ?? 0)" }
        let refusals = TokenRefusal.allCases.compactMap { refusal in byRefusal[refusal].map { "\(refusal) \($0)" } }
        var lines = [
            "tokens    \(count) in \(Int(seconds)) s, \(Int(Double(count) / seconds)) a second",
            "changed   \(kinds.joined(separator: ", "))",
            "refused   \(refusals.joined(separator: ", "))",
            "accepted  \(accepted.count)",
        ]
        for forgery in accepted.prefix(10) {
            lines.append("  \(forgery.kind): \(Data(forgery.bytes).base64EncodedString())")
        }
        return lines.joined(separator: "\n")
    }
}
