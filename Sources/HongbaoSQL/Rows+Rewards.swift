import HongbaoCore
import HongbaoEngine

// Coupons and pendants in rows, in the order of columns of `Query+Rewards`.
extension PreparedStatement {
    func bindNew(_ reward: GivenReward) {
        bind(reward.id)
        bind(3, Int64(reward.template.rawValue))
        bind(4, Int64(reward.kind.number))
        bind(5, reward.at.milliseconds)
        bind(6, Int64(reward.app.rawValue))
        bind(7, reward.isRetried ? 1 : 0)
        bindProgress(reward, from: 8)
    }

    func bindChanged(_ reward: GivenReward) {
        bindProgress(reward, from: 1)
        bind(reward.id, from: 6)
    }

    private func bindProgress(_ reward: GivenReward, from first: Int32) {
        bind(first, Int64(reward.state.rawValue))
        bind(first + 1, Int64(reward.attempts))
        bind(first + 2, reward.nextCheckAt.milliseconds)
        bind(first + 3, reward.givenAt.map { $0.milliseconds })
        bind(first + 4, reward.redeemedAt.map { $0.milliseconds })
    }

    func reward() throws(StoreError) -> GivenReward {
        guard let kind = RewardKind(number: try number(3)), !kind.carriesAmount else { throw unreadable(3) }
        guard let state = GivenReward.State(rawValue: try number(7)) else { throw unreadable(7) }
        let id = OrderNumber(bits: transferID().bits)
        let template = TemplateID(try number(2) as UInt32)
        guard template.book == id.book else { throw unreadable(2) }
        return GivenReward(
            id: id,
            template: template,
            kind: kind,
            at: time(4),
            app: AppID(try number(5)),
            isRetried: integer(6) == 1,
            state: state,
            attempts: try number(8),
            nextCheckAt: time(9),
            givenAt: timeIfAny(10),
            redeemedAt: timeIfAny(11)
        )
    }
}
