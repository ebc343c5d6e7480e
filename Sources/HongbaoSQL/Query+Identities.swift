/// The statements about who is who.
extension Query {
    static let identityColumns = "user, person, phone, made_at, bound_at"
    private static let mergeColumns = "source, target, at"
    static let pendingMergeColumns = "source, target, user, phone, joins, at, mints, acknowledged, waiting"
    private static let mergedOrderColumns = "person, part, mint, sequence, place, amount, meant, given, status"

    func aboutIdentities(_ keys: Int) -> String? {
        switch self {
        case .identity: Self.rows(of: "identity", Self.identityColumns, keys, "user")
        case .identitiesOnPhone: "SELECT \(Self.identityColumns) FROM identity WHERE phone = ?"
        case .identitiesOfPerson: "SELECT \(Self.identityColumns) FROM identity WHERE person = ?"
        case .identityPage: Self.page(of: "identity", Self.identityColumns, key: "user", ">")
        case .merge: Self.rows(of: "merge", Self.mergeColumns, keys, "source")
        case .merges: "SELECT \(Self.mergeColumns) FROM merge ORDER BY source"
        case .addMerge: "INSERT INTO merge (\(Self.mergeColumns)) VALUES (?, ?, ?)"
        case .pendingMerge: Self.rows(of: "pending_merge", Self.pendingMergeColumns, keys, "source")
        case .pendingMerges: "SELECT \(Self.pendingMergeColumns) FROM pending_merge ORDER BY source"
        case .endPendingMerge: "DELETE FROM pending_merge WHERE source = ?"
        case .mergedOrders: "SELECT \(Self.mergedOrderColumns) FROM merged_order WHERE person = ?"
        case .addMergedOrder:
            "INSERT INTO merged_order (\(Self.mergedOrderColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        default: nil
        }
    }
}
