/// The statements about subsidies.
extension Query {
    private static let subsidyColumns = "person, part, amount, at, state, packet"

    var aboutSubsidies: String? {
        switch self {
        case .subsidy: "SELECT \(Self.subsidyColumns) FROM subsidy WHERE person = ? AND part = ?"
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
