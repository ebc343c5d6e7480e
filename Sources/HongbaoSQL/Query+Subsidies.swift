/// The statements about subsidies.
extension Query {
    private static let subsidyColumns = "person, part, amount, at, state, packet"

    func aboutSubsidies(_ keys: Int) -> String? {
        switch self {
        case .subsidy: Self.rows(of: "subsidy", Self.subsidyColumns, keys, "person", "part")
        case .addSubsidy: "INSERT INTO subsidy (\(Self.subsidyColumns)) VALUES (?, ?, ?, ?, ?, ?)"
        case .useSubsidy: "UPDATE subsidy SET state = 2, packet = ? WHERE person = ? AND part = ?"
        case .subsidiesOfPerson:
            """
            SELECT \(Self.subsidyColumns) FROM subsidy WHERE person = ? AND part BETWEEN ? AND ? ORDER BY part
            """
        case .subsidyPage: Self.page(of: "subsidy", Self.subsidyColumns, key: "person, part", ">=")
        default: nil
        }
    }
}
