import HongbaoCore
import HongbaoEngine
import HongbaoTesting

/// Sends red packets of people who paid for them, lucky ones for everybody; hands out persons.
final class PacketSource: Sendable {
    static let book = BookID(campaign: 9_999, phase: .live)

    private let engine: Engine
    private let turns = Turns()

    init(_ engine: Engine) { self.engine = engine }

    func nextPerson() -> PersonID { PersonID(UInt64(turns.take() + 1)) }

    /// A packet with so many shares.
    func send(count: Int) async throws -> RedPacketID {
        let number = nextPerson()
        guard let amount = Amount(fen: Int64(188 * count)), let split = Split(.lucky, amount: amount, count: count),
            let key = SendKey(sender: number, book: Self.book, id: "bench"),
            let cover = RedPacket.Cover(greeting: "恭喜发财")
        else { throw BenchFault("no such packet") }
        let draft = RedPacketDraft(key: key, kind: .c2c, split: split, scope: .everyone, cover: cover)
        guard case .sent(let packet) = await engine.packets.send(draft) else {
            throw BenchFault("a packet wasn't sent")
        }
        return try await Till(engine.store, engine.clock).pay(for: packet).id
    }

    /// So many packets, a multiple of 100.
    func send(_ packetCount: Int, count: Int) async throws -> [RedPacketID] {
        try await withThrowingTaskGroup(of: [RedPacketID].self) { group in
            for _ in 0..<100 {
                group.addTask {
                    var ids: [RedPacketID] = []
                    for _ in 0..<packetCount / 100 { ids.append(try await self.send(count: count)) }
                    return ids
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}
