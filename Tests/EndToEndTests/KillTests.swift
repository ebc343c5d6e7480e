import HongbaoTesting
import Testing

@testable import hongbao_dev

/// Acceptance 2: whatever was acknowledged survives SIGKILL at any moment, once (GR-3, GR-5, M3 to M5, M14).
@Suite(.timeLimit(.minutes(8))) struct KillTests {
    @Test func acknowledgedGrantsSurviveFiftyKills() async throws {
        let folder = try TemporaryFolder()
        var options = KillTest.Options(program: try BuiltProgram.path("hongbao"), folder: folder.path)
        options.campaignFile = LiveServer.campaignFile
        options.kills = 50
        options.seed = 2_022
        let report = try await KillTest(options: options).run()
        print(report.text)
        #expect(report.breaches == [])
        #expect(report.breachCount == 0)
        // It has tested something: most rounds had answers, some answers were lost, some came again.
        #expect(report.kills == 50)
        #expect(report.acknowledged > 500)
        #expect(report.replayed > 50)
        #expect(report.booked >= report.acknowledged)
    }
}
