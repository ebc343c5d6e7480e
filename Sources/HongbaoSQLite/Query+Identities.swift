/// The statements about who is who.
extension Query {
    private static let identityColumns = "user, person, phone, made_at, bound_at"
    private static let mergeColumns = "source, target, at"

    var aboutIdentities: String? {
        switch self {
        case .identity: "SELECT \(Self.identityColumns) FROM identity WHERE user = ?"
        case .identitiesOnPhone: "SELECT \(Self.identityColumns) FROM identity WHERE phone = ?"
        case .identitiesOfPerson: "SELECT \(Self.identityColumns) FROM identity WHERE person = ?"
        case .putIdentity:
            """
            INSERT INTO identity (\(Self.identityColumns)) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (user) DO UPDATE SET person = excluded.person, phone = excluded.phone,
                bound_at = excluded.bound_at
            """
        case .identityPage: Self.page(of: "identity", Self.identityColumns, key: "user", ">")
        case .merge: "SELECT \(Self.mergeColumns) FROM merge WHERE source = ?"
        case .merges: "SELECT \(Self.mergeColumns) FROM merge ORDER BY source"
        case .addMerge: "INSERT INTO merge (\(Self.mergeColumns)) VALUES (?, ?, ?)"
        default: nil
        }
    }
}
