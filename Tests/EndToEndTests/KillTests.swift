import HongbaoTesting
import Testing

@testable import hongbao_dev

/// Acceptance 2: whatever was acknowledged survives SIGKILL at any moment, once (GR-3, GR-5, M3 to M5,
/// M14), and every withdrawal is paid once (M9, M15).
@Suite(.timeLimit(.minutes(15))) struct KillTests {
    @Test func whatWasAcknowledgedSurvivesFiftyKills() async throws {
        let folder = try TemporaryFolder()
        var options = KillTest.Options(programs: try .built(), folder: folder.path)
        options.campaignFile = LiveServer.campaignFile
        options.kills = 50
        options.seed = 2_022
        let report = try await KillTest(options: options).run()
        print(report.text)
        let verdict = report.verdict
        #expect(verdict.breaches == [])
        // It has tested something: most rounds had answers, some answers were lost, some came again.
        #expect(report.kills == 50)
        #expect(verdict.acknowledged > 500)
        #expect(verdict.replayed > 50)
        #expect(verdict.booked >= verdict.acknowledged)
        #expect(verdict.accepted > 50)
        #expect(verdict.withdrawals.paid > 20 && verdict.withdrawals.failed > 0)
    }
}

extension FaultWorld.Programs {
    /// As built together with this test.
    static func built() throws -> Self {
        Self(server: try BuiltProgram.path("hongbao"), tools: try BuiltProgram.path("hongbao-dev"))
    }
}
