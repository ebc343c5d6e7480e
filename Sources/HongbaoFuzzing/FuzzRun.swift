/// Checks what a mutator makes of a corpus.
package struct FuzzRun: Sendable {
    /// An input that something doesn't hold for.
    package struct Finding: Hashable, Sendable {
        package let input: [UInt8]
        package let breach: FuzzBreach
    }

    package struct Report: Sendable {
        package var executions = 0
        /// The first few.
        package var findings: [Finding] = []
        package var findingCount = 0
        package var slowest = Duration.zero
        package var slowestInput: [UInt8] = []
        /// Summed over all threads.
        package var time = Duration.zero

        package init() {}

        package mutating func add(_ other: Report) {
            executions += other.executions
            findings = Array((findings + other.findings).prefix(FuzzRun.findingsMax))
            findingCount += other.findingCount
            if other.slowest > slowest { (slowest, slowestInput) = (other.slowest, other.slowestInput) }
            time += other.time
        }
    }

    package static let findingsMax = 10

    private let check: @Sendable ([UInt8]) throws(FuzzBreach) -> Void
    private var mutator: Mutator

    package init(_ target: FuzzTarget, seeds: [[UInt8]], seed: UInt64) {
        self.init(
            Mutator(seeds: seeds, words: target.words, lengthMax: target.lengthMax, seed: seed),
            check: { (input) throws(FuzzBreach) in try target.check(input) }
        )
    }

    package init(_ mutator: Mutator, check: @escaping @Sendable ([UInt8]) throws(FuzzBreach) -> Void) {
        self.mutator = mutator
        self.check = check
    }

    /// - Parameter before: is told of each input before it's checked, for those that trap.
    package mutating func run(executions: Int, before: (([UInt8]) -> Void)? = nil) -> Report {
        var report = Report()
        let clock = ContinuousClock()
        let start = clock.now
        var last = start
        for _ in 0..<executions {
            let input = mutator.next()
            before?(input)
            do throws(FuzzBreach) {
                try check(input)
            } catch {
                report.findingCount += 1
                if report.findings.count < Self.findingsMax {
                    report.findings.append(Finding(input: input, breach: error))
                }
            }
            let now = clock.now
            if now - last > report.slowest { (report.slowest, report.slowestInput) = (now - last, input) }
            last = now
        }
        report.executions = executions
        report.time = last - start
        return report
    }
}
