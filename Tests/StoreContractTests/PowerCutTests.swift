import HongbaoSQLite
import HongbaoTesting
import Testing

/// The real store on a disk that loses its power. More cuts: `hongbao-dev power-cuts`.
@Suite struct PowerCutTests {
    private func report(_ change: (inout PowerCuts.Options) -> Void) async throws -> PowerCutReport {
        var options = PowerCuts.Options()
        change(&options)
        return try await PowerCuts(options: options).run()
    }

    /// GR-5, M5: what was acknowledged is there after any power cut, whole, and the file is sound.
    @Test func nothingAcknowledgedIsLost() async throws {
        let report = try await report { $0.cuts = 2_000 }
        #expect(report.breachCount == 0, "seeds \(report.seeds.sorted()): \(report.examples)")
        #expect(report.cuts == 2_000)
        // Cuts fell everywhere, and there was something to lose.
        #expect(min(report.whileOpening, report.whileClosing) > 50)
        #expect(report.inCheckpoints > 100)
        #expect(report.acknowledged > 10_000)
        #expect(min(report.untoldKept, report.untoldGone) > 50)
    }

    /// A store that doesn't sync each commit is found out, by losses alone: its file stays sound and its transactions
    /// whole.
    @Test func syncingLaterLosesTransactions() async throws {
        let report = try await report {
            $0.cuts = 100
            $0.syncs = .later
        }
        #expect(report.count(.lost) > 50)
        #expect(report.breachCount == report.count(.lost))
    }

    /// A disk that lies about syncs is found out, too: the file breaks under any software.
    @Test func lyingDiskDamagesTheFile() async throws {
        let report = try await report {
            $0.cuts = 300
            $0.liesAboutSyncs = true
        }
        #expect(report.count(.lost) > 50)
        #expect(report.count(.corrupt) > 0)
    }

    /// A seed is all that a failure needs to be seen again.
    @Test func seedsRepeatExactly() async throws {
        let reports = try await [1, 2].asyncMap { width in
            try await report {
                $0.cuts = 40
                $0.seed = 77
                $0.width = width
                $0.isTraced = true
            }
        }
        #expect(reports[0].trace.sorted() == reports[1].trace.sorted())
        #expect(reports[0].trace.count > 1_000)
        #expect(reports[0].acknowledged == reports[1].acknowledged)
    }
}

extension Sequence {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
