import HongbaoCore
import HongbaoEngine

// Questions about red packets.
extension Snapshot {
    func packet(_ id: RedPacketID) throws(StoreError) -> RedPacket? {
        let statement = try prepared(.packet)
        statement.bind(1, bits: id.rawValue)
        return try statement.first { row throws(StoreError) in try row.packet() }
    }

    func packet(_ key: SendKey) throws(StoreError) -> RedPacket? {
        let statement = try prepared(.sentPacket)
        statement.bind(key)
        return try statement.first { row throws(StoreError) in try row.packet() }
    }

    func packets(toCheckIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [RedPacket] {
        try due(.packetsToCheck, times, limit).all { row throws(StoreError) in try row.packet() }
    }

    func packets(toPayIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [RedPacket] {
        try due(.packetsToPay, times, limit).all { row throws(StoreError) in try row.packet() }
    }

    func refunds(toCheckIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [Refund] {
        try due(.refundsToCheck, times, limit).all { row throws(StoreError) in try row.refund() }
    }

    func refunds(of packet: RedPacketID) throws(StoreError) -> [Refund] {
        let statement = try prepared(.refundsOfPacket)
        statement.bind(1, bits: packet.rawValue)
        return try statement.all { row throws(StoreError) in try row.refund() }
    }

    func packets(after id: RedPacketID?, limit: Int) throws(StoreError) -> [RedPacket] {
        let statement = try prepared(.packetPage)
        statement.bind(1, id.map { Int64(bitPattern: $0.rawValue) } ?? .min)
        statement.bind(2, Int64(limit))
        return try statement.all { row throws(StoreError) in try row.packet() }
    }

    func claims(_ keys: [ClaimKey]) throws(StoreError) -> [Claim] {
        try prepared(.claim).rows(for: keys, { $0.bind($1) }) { row throws(StoreError) in try row.claim() }
    }

    func claims(of packet: RedPacketID, from position: Int, limit: Int) throws(StoreError) -> [Claim] {
        let statement = try prepared(.claimsOfPacket)
        statement.bind(1, bits: packet.rawValue)
        statement.bind(2, Int64(position))
        statement.bind(3, Int64(limit))
        return try statement.all { row throws(StoreError) in try row.claim() }
    }

    func claims(of person: PersonID, in book: BookID) throws(StoreError) -> [Claim] {
        let statement = try prepared(.claimsOfPerson)
        statement.bind(1, bits: person.rawValue)
        statement.bind(2, Int64(book.rawValue))
        return try statement.all { row throws(StoreError) in try row.claim() }
    }

    func claims(
        of kind: RedPacketKind,
        toTransferIn times: ClosedRange<Timestamp>,
        limit: Int
    ) throws(StoreError) -> [Claim] {
        let statement = try due(.claimsToTransfer, times, limit, from: 2)
        statement.bind(1, Int64(kind.rawValue))
        return try statement.all { row throws(StoreError) in try row.claim() }
    }
}
