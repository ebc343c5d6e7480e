/// The statements about coupons and pendants.
extension Query {
    private static let rewardColumns =
        "person, part, template, kind, at, app, retried, state, attempts, next_check_at, given_at, redeemed_at"

    func aboutRewards(_ keys: Int) -> String? {
        switch self {
        case .reward: Self.rows(of: "reward", Self.rewardColumns, keys, "person", "part")
        case .addReward: "INSERT INTO reward (\(Self.rewardColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        case .putReward:
            """
            UPDATE reward SET state = ?, attempts = ?, next_check_at = ?, given_at = ?, redeemed_at = ?
            WHERE person = ? AND part = ?
            """
        case .rewardsOfPerson:
            "SELECT \(Self.rewardColumns) FROM reward WHERE person = ? AND part BETWEEN ? AND ? ORDER BY part"
        case .rewardsToGive:
            """
            SELECT \(Self.rewardColumns) FROM reward WHERE state = 1 AND kind = ? AND next_check_at BETWEEN ? AND ?
            ORDER BY next_check_at LIMIT ?
            """
        case .rewardPage: Self.page(of: "reward", Self.rewardColumns, key: "person, part", ">=")
        default: nil
        }
    }
}
