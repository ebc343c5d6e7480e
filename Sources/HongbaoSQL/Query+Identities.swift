/// The statements about who is who.
extension Query {
    static let identityColumns = "user, person, phone, made_at, bound_at"
    private static let mergeColumns = "source, target, at"

    func aboutIdentities(_ keys: Int) -> String? {
        switch self {
        case .identity: Self.rows(of: "identity", Self.identityColumns, keys, "user")
        case .identitiesOnPhone: "SELECT \(Self.identityColumns) FROM identity WHERE phone = ?"
        case .identitiesOfPerson: "SELECT \(Self.identityColumns) FROM identity WHERE person = ?"
        case .identityPage: Self.page(of: "identity", Self.identityColumns, key: "user", ">")
        case .merge: Self.rows(of: "merge", Self.mergeColumns, keys, "source")
        case .merges: "SELECT \(Self.mergeColumns) FROM merge ORDER BY source"
        case .addMerge: "INSERT INTO merge (\(Self.mergeColumns)) VALUES (?, ?, ?)"
        default: nil
        }
    }
}
