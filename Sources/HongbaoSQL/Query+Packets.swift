/// The statements about red packets.
extension Query {
    /// What never changes comes first: 1 to 15 are of the draft and the seal, the others of the progress.
    static let packetColumns = """
        id, sender, book, send_id, kind, split, amount, count, scope, created_at, commitment, sealed_seed, greeting,
        video, listed, state, funding_person, funding_part, published_at, expires_at, closed_at, claimed, claimed_count,
        luckiest_position, luckiest_share, transferred, refunded, attempts, next_check_at
        """
    private static let refundColumns =
        "packet, number, person, book, amount, reason, created_at, state, attempts, next_check_at, final_at"
    private static let claimColumns =
        "packet, position, person, book, kind, share, at, state, attempts, next_check_at, done_at"

    func aboutPackets(_ keys: Int) -> String? {
        switch self {
        case .packet: Self.rows(of: "packet", Self.packetColumns, keys, "id")
        case .sentPacket: Self.rows(of: "packet", Self.packetColumns, keys, "sender", "book", "send_id")
        case .claim: Self.rows(of: "claim", Self.claimColumns, keys, "person", "packet")
        case .claimsByPersons:
            // In order of person, there are few; a packet may have a million.
            "SELECT \(Self.claimColumns) FROM claim\(Self.index("person")) WHERE packet = ? AND person IN ("
                + Array(repeating: "?", count: keys).joined(separator: ", ") + ")"
        case .addPacket:
            """
            INSERT INTO packet (\(Self.packetColumns))
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .putPacket:
            """
            UPDATE packet SET state = ?, funding_person = ?, funding_part = ?, published_at = ?, expires_at = ?,
                closed_at = ?, claimed = ?, claimed_count = ?, luckiest_position = ?, luckiest_share = ?,
                transferred = ?, refunded = ?, attempts = ?, next_check_at = ?
            WHERE id = ?
            """
        case .addClaim: "INSERT INTO claim (\(Self.claimColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        case .putClaim:
            """
            UPDATE claim SET state = ?, attempts = ?, next_check_at = ?, done_at = ? WHERE packet = ? AND position = ?
            """
        case .packetsToPay:
            """
            SELECT \(Self.packetColumns) FROM packet WHERE state = 2 AND next_check_at BETWEEN ? AND ?
            ORDER BY next_check_at LIMIT ?
            """
        case .packetPage: Self.page(of: "packet", Self.packetColumns, key: "id", ">")
        case .claimsToTransfer:
            """
            SELECT \(Self.claimColumns) FROM claim WHERE state = 1 AND kind = ? AND next_check_at BETWEEN ? AND ?
            ORDER BY next_check_at LIMIT ?
            """
        case .claimsOfPacket:
            "SELECT \(Self.claimColumns) FROM claim WHERE packet = ? AND position >= ? ORDER BY position LIMIT ?"
        case .claimsOfPerson:
            "SELECT \(Self.claimColumns) FROM claim WHERE person = ? AND book = ? ORDER BY packet"
        case .addRefund: "INSERT INTO refund (\(Self.refundColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        case .putRefund:
            """
            UPDATE refund SET state = ?, attempts = ?, next_check_at = ?, final_at = ? WHERE packet = ? AND number = ?
            """
        case .refundsOfPacket: "SELECT \(Self.refundColumns) FROM refund WHERE packet = ? ORDER BY number"
        case .refundsToCheck:
            """
            SELECT \(Self.refundColumns) FROM refund WHERE state = 1 AND next_check_at BETWEEN ? AND ?
            ORDER BY next_check_at LIMIT ?
            """
        default: nil
        }
    }
}
