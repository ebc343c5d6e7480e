import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import Synchronization
import Testing

@Suite struct WithdrawalRouteTests {
    /// M14: who repeats a withdrawal after the phase has changed gets the first answer, not a second withdrawal.
    @Test(arguments: [true, false]) func phasesShareIDs(wasAskedBefore: Bool) async throws {
        let change = Timestamp(milliseconds: 1_000)
        let campaign = Campaign.forTests(window: 1_000..<(1 << 52))
        let live = try #require(campaign.phases.first)
        let rollout = Phase(
            kind: .rollout,
            book: BookID(campaign: campaign.number, phase: .rollout),
            window: try #require(Window(from: Timestamp(milliseconds: 0), to: change)),
            admission: .everyone,
            budget: live.budget,
            cap: live.cap,
            rewards: live.rewards,
            scenes: [],
            withdrawal: live.withdrawal
        )
        let both = Campaign(
            key: campaign.key,
            number: campaign.number,
            title: campaign.title,
            apps: campaign.apps,
            phases: [rollout, live]
        )
        var rig = try GatewayRig([both])
        let asked = Mutex<[BookID]>([])
        rig.change = { services in
            services.findWithdrawal = { key in
                wasAskedBefore && key.book == rollout.book ? Self.withdrawal(key) : nil
            }
            services.requestWithdrawal = { key, _, _, _ in
                asked.withLock { $0.append(key.book) }
                return .replayed(Self.withdrawal(key))
            }
        }
        try await rig.run { caller in
            let json = #"{"campaign":"test","id":"w","amount":5}"#
            let answer = try await caller.send(.post, "/v1/wallet/withdrawals", json: json, token: try caller.jwt(9))
            #expect(answer.status == .ok, "\(answer.text)")
        }
        #expect(asked.withLock { $0 } == [wasAskedBefore ? rollout.book : live.book])
    }

    private static func withdrawal(_ key: WithdrawalKey) -> Withdrawal {
        Withdrawal(
            key: key,
            serial: 1,
            amount: Amount(fen: 5) ?? .zero,
            createdAt: Timestamp(milliseconds: 0),
            nextCheckAt: Timestamp(milliseconds: 0)
        )
    }
}
