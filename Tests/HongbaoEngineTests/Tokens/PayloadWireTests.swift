import Foundation
import HongbaoCore
import HongbaoProto
import SwiftProtobuf
import Testing

@testable import HongbaoEngine

private func encoded(_ payload: GrantPayload) -> [UInt8] {
    var bytes: [UInt8] = []
    payload.append(to: &bytes)
    return bytes
}

private func message(_ payload: GrantPayload) -> WireGrantTokenPayload {
    var number: [UInt8] = []
    number.append(bigEndian: payload.order.bits)
    return .with {
        $0.appID = UInt32(payload.app.rawValue)
        $0.actID = payload.person.rawValue
        $0.activityID = UInt32(payload.book.rawValue)
        $0.sceneID = payload.scene.rawValue
        $0.amount = UInt64(payload.amount.fen)
        $0.outTradeNo = Data(number)
        $0.openTime = payload.openedAt.milliseconds
        $0.rainID = UInt32(payload.rain.rawValue)
        $0.status = UInt32(payload.status.rawValue)
    }
}

private func bytes(_ message: WireGrantTokenPayload) throws -> [UInt8] { try message.serializedBytes() }

private func parse(_ bytes: [UInt8]) -> GrantPayload.Parse { GrantPayload.parse(bytes.span) }

private let sample: GrantPayload = {
    GrantPayload(
        app: AppID(1128),
        order: OrderNumber(
            person: PersonID(0x8a5c_33d1_907e_44b2),
            scene: SceneID(book: BookID(campaign: 1, phase: .live), number: 12),
            rain: RainID(3),
            awardType: 1,
            stage: 2
        ),
        amount: fen(1888),
        openedAt: TokenFixture.noon
    )
}()

@Suite struct PayloadWireTests {
    /// The hand-written encoder and the generated one agree, and the decoder undoes it.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func encodesAsProtobufDoes(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<40 {
            let payload = random.payload(amountMax: .max)
            let ours = encoded(payload)
            #expect(try bytes(message(payload)) == ours, "seed \(seed): \(payload)")
            #expect(try WireGrantTokenPayload(serializedBytes: ours) == message(payload))
            #expect(parse(ours) == .payload(payload), "seed \(seed)")
            #expect((GrantPayload.sizeMin...GrantPayload.sizeMax).contains(ours.count))
        }
    }

    @Test func theLimitsAreReached() {
        func size(_ rest: UInt64, openedAt: Int64) -> Int {
            encoded(
                GrantPayload(
                    app: AppID(UInt16(truncatingIfNeeded: rest)),
                    order: OrderNumber(bits: UInt128(rest) << 64 | UInt128(rest)),
                    amount: fen(Int64(rest >> 1)),
                    openedAt: Timestamp(milliseconds: openedAt)
                )
            ).count
        }
        #expect(size(0, openedAt: 0) == GrantPayload.sizeMin)
        #expect(size(.max, openedAt: -1) == GrantPayload.sizeMax)
    }

    /// TK-2: at most half of the same nine fields as JSON.
    @Test func isAtMostHalfOfTheJSON() throws {
        let json = """
            {"AppID":\(sample.app.rawValue),"ActID":"\(sample.person.rawValue)",\
            "ActivityID":\(sample.book.rawValue),"SceneID":\(sample.scene.rawValue),\
            "Amount":\(sample.amount.fen),"OutTradeNo":"\(sample.order)",\
            "OpenTime":\(sample.openedAt.milliseconds),"RainID":\(sample.rain.rawValue),\
            "Status":\(sample.status.rawValue)}
            """
        #expect(try JSONSerialization.jsonObject(with: Data(json.utf8)) is [String: Any])
        #expect(encoded(sample).count * 2 <= json.utf8.count)
    }

    /// Exactly the nine fields, each once, in order, in the shortest form.
    @Test func refusesEveryOtherEncoding() throws {
        let good = encoded(sample)
        for size in 0..<good.count { #expect(parse(Array(good.prefix(size))) == .malformed) }
        for byte in [UInt8(0), 1, 8, 0x50, 0xff] { #expect(parse(good + [byte]) == .malformed) }

        // Where each field begins, from a walk over the generated encoding.
        let fields = try fieldRanges(good)
        #expect(fields.count == 9)
        for (index, field) in fields.enumerated() {
            let without = good[..<field.lowerBound] + good[field.upperBound...]
            #expect(parse(Array(without)) == .malformed, "field \(index + 1) is missing")
            let twice = good[..<field.upperBound] + good[field] + good[field.upperBound...]
            #expect(parse(Array(twice)) == .malformed, "field \(index + 1) comes twice")
            if index > 0 {
                let previous = fields[index - 1]
                let swapped =
                    good[..<previous.lowerBound] + good[field] + good[previous] + good[field.upperBound...]
                #expect(parse(Array(swapped)) == .malformed, "fields \(index) and \(index + 1) are swapped")
            }
            // Not for the two fields whose size is fixed.
            if index != 1, index != 5 {
                var longer = good
                longer[field.upperBound - 1] |= 0x80
                longer.insert(0, at: field.upperBound)
                #expect(parse(longer) == .malformed, "field \(index + 1) is longer than needed")
            }
        }
    }

    @Test func refusesNumbersOutOfRange() throws {
        func altered(_ change: (inout WireGrantTokenPayload) -> Void) throws -> GrantPayload.Parse {
            var wire = message(sample)
            change(&wire)
            return parse(try bytes(wire))
        }
        #expect(try altered { $0.appID = 65_536 } == .malformed)
        #expect(try altered { $0.activityID = 65_536 } == .malformed)
        #expect(try altered { $0.rainID = 65_536 } == .malformed)
        #expect(try altered { $0.amount = UInt64(Int64.max) + 1 } == .malformed)
        #expect(try altered { $0.status = 0 } == .malformed)
        #expect(try altered { $0.status = 3 } == .malformed)
        #expect(try altered { $0.status = 258 } == .malformed)
        #expect(try altered { $0.outTradeNo.append(0) } == .malformed)
        #expect(try altered { $0.outTradeNo.removeLast() } == .malformed)
    }

    /// M3, M4: what can be read from the order number must be the same as in the field of its own.
    @Test func refusesFieldsThatContradictTheOrderNumber() throws {
        func altered(_ change: (inout WireGrantTokenPayload) -> Void) throws -> GrantPayload.Parse {
            var wire = message(sample)
            change(&wire)
            return parse(try bytes(wire))
        }
        #expect(try altered { $0.actID ^= 1 } == .contradictory)
        #expect(try altered { $0.activityID ^= 1 } == .contradictory)
        #expect(try altered { $0.sceneID ^= 1 } == .contradictory)
        #expect(try altered { $0.rainID ^= 1 } == .contradictory)
        for index in 0..<14 {
            #expect(try altered { $0.outTradeNo[index] ^= 1 } == .contradictory)
        }
        // Award type and stage stand nowhere else.
        #expect(try altered { $0.outTradeNo[15] ^= 1 } != .contradictory)
    }

    /// Whatever it accepts, it would have written itself.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func acceptsOnlyWhatItWrites(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            var bytes = encoded(random.payload())
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = random.number()
            }
            if case .payload(let payload) = parse(bytes) { #expect(encoded(payload) == bytes) }
            let noise = random.bytes(Int.random(in: 0...80, using: &random))
            if case .payload(let payload) = parse(noise) { #expect(encoded(payload) == noise) }
        }
    }

    private func fieldRanges(_ bytes: [UInt8]) throws -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var end = 0
        while end < bytes.count {
            let start = end
            let wireType = bytes[end] & 7
            end += 1
            switch wireType {
            case 0:
                while bytes[end] >= 0x80 { end += 1 }
                end += 1
            case 1: end += 8
            default: end += 1 + Int(bytes[end])
            }
            ranges.append(start..<end)
        }
        return ranges
    }
}
