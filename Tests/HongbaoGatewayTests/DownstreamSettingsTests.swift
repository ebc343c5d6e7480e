import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Testing

@testable import HongbaoServer

/// Which downstream each kind of reward has, by the settings (GR-8, CF-9).
@Suite struct DownstreamSettingsTests {
    @Test func everyKindThatIsNoMoneyHasOne() {
        #expect(RewardKind.downstream.count == 11)
        #expect(Set(RewardKind.downstream).union([.cash, .subsidy]) == Set(RewardKind.allCases))
        #expect(DownstreamSettings.keysOfKinds.count == 11 * DownstreamSettings.keys.count)
        #expect(DownstreamSettings.keysOfKinds.contains("rewards.commercialAds.deadline-milliseconds"))
    }

    @Test func limitsAreEachDownstreamsOwn() {
        let address = OutsideAddress(url: "http://127.0.0.1:1", secret: "s")
        let settings = DownstreamSettings(
            address: address,
            deadlineMilliseconds: 800,
            callsPerSecond: 20,
            concurrencyMax: 2
        )
        var policy = OutsidePolicy()
        policy.alarmAfterAttempts = 77
        let limited = settings.limit(policy)
        #expect(limited.callsPerSecond == 20 && limited.concurrencyMax == 2 && limited.alarmAfterAttempts == 77)
    }
}
