import Foundation
import HongbaoCore

/// Bytes of what a token says, as protobuf and as JSON with the same nine fields, and of whole tokens.
struct TokenSizeBench {
    private struct JSONPayload: Encodable {
        let appID: UInt16
        let actID: String
        let activityID: UInt16
        let sceneID: UInt32
        let amount: Int64
        let outTradeNo: String
        let openTime: Int64
        let rainID: UInt16
        let status: UInt8
    }

    func run() throws -> [Figure] {
        var protobuf = Figure(name: "payload, protobuf", unit: "bytes", better: .lower, baseline: "payload, JSON")
        var json = Figure(name: "payload, JSON", unit: "bytes", better: .lower)
        var full = Figure(name: "full token, of a batch of 256", unit: "bytes", better: .lower)
        var logged = Figure(name: "in the log, for each grant", unit: "bytes", better: .lower)
        for index in 0..<1_000 {
            let payload = try Self.payload(index)
            var bytes: [UInt8] = []
            payload.append(to: &bytes)
            protobuf.samples.append(Double(bytes.count))
            json.samples.append(Double(try JSONEncoder().encode(Self.json(payload)).count))
            full.samples.append(Double(Self.fullSize(payloadSize: bytes.count, index: index % 256)))
            // Ciphertext and its length, and a part of header and signature; a thin token is a place in the log.
            logged.samples.append(Double(bytes.count + 1) + Double(SealedBatch.preambleSize) / 256)
        }
        return [protobuf, json, full, logged]
    }

    private static func payload(_ index: Int) throws -> GrantPayload {
        let parts = GrantSource(people: 1_000).take(number: index)
        guard let amount = Amount(fen: parts.amount) else { throw BenchFault("no amount") }
        return GrantPayload(
            app: AppID(1),
            order: OrderNumber(
                person: parts.person,
                scene: SceneID(book: BookID(campaign: 1, phase: .live), number: 1),
                rain: parts.rain,
                awardType: parts.awardType,
                stage: parts.stage
            ),
            amount: amount,
            openedAt: Timestamp(milliseconds: 1_643_630_400_000 + Int64(index) * 37)
        )
    }

    private static func json(_ payload: GrantPayload) -> JSONPayload {
        JSONPayload(
            appID: payload.app.rawValue,
            actID: "\(payload.person.rawValue)",
            activityID: payload.book.rawValue,
            sceneID: payload.scene.rawValue,
            amount: payload.amount.fen,
            outTradeNo: payload.order.description,
            openTime: payload.openedAt.milliseconds,
            rainID: payload.rain.rawValue,
            status: payload.status.rawValue
        )
    }

    /// Header and signature, leaf, path.
    private static func fullSize(payloadSize: Int, index: Int) -> Int {
        SealedBatch.preambleSize + GrantToken.leafPrefixSize + payloadSize
            + MerkleShape.pathLength(index: index, count: 256) * Digest192.size
    }
}
