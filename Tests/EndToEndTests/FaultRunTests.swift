import Foundation
import HongbaoTesting
import Testing

@testable import hongbao_dev

/// A short run of each of `hongbao-dev fault-runs`: whatever fails around the real server, clients, ledger and payout
/// channel agree in the end (GR-5, M1 to M6, M9, M10, M13 to M15). `KillTests` has the one with kills.
@Suite(.serialized, .timeLimit(.minutes(15))) struct FaultRunTests {
    private static func run(_ name: FaultRun, rounds: Int, seed: UInt64 = 2_022) async throws -> FaultRun.Outcome {
        let folder = try TemporaryFolder()
        var options = FaultRun.Options(programs: try .built(), folder: folder.path)
        options.campaignFile = LiveServer.campaignFile
        options.rounds = rounds
        options.seed = seed
        let outcome = try await name.run(options) { _ in }
        print("\(name.rawValue)\n\(outcome.text)")
        return outcome
    }

    @Test(arguments: [FaultRun.diskFull, .failingWrites, .hungChannel, .clock])
    func allSidesAgreeAfterwards(name: FaultRun) async throws {
        let outcome = try await Self.run(name, rounds: 4)
        #expect(outcome.breaches == [])
    }

    /// The laws of the ledger under kill -9 (docs/money-safety.md).
    @Test func theLawsOfTheLedgerHoldAfterEachKill() async throws {
        let outcome = try await Self.run(.ledgerKills, rounds: 12)
        #expect(outcome.breaches == [])
    }
}
