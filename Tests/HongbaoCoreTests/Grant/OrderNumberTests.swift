import HongbaoCore
import HongbaoTesting
import Testing

/// GR-2: packing is injective, and the text is its inverse and nothing else's.
@Suite struct OrderNumberTests {
    private struct Parts: Hashable {
        let person: UInt64
        let scene: UInt32
        let rain: UInt16
        let awardType: UInt8
        let stage: UInt8

        var order: OrderNumber {
            OrderNumber(
                person: PersonID(person),
                scene: SceneID(scene),
                rain: RainID(rain),
                awardType: awardType,
                stage: stage
            )
        }
    }

    /// Each part small, large or at an end, so that neighbours would run into each other if they could.
    private static func parts(_ random: inout Seeded) -> Parts {
        func pick<Number: FixedWidthInteger & UnsignedInteger>(_: Number.Type, _ random: inout Seeded) -> Number {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: 0
            case 1: .max
            case 2: .random(in: 0...3, using: &random)
            default: .random(in: 0 ... .max, using: &random)
            }
        }
        return Parts(
            person: pick(UInt64.self, &random),
            scene: pick(UInt32.self, &random),
            rain: pick(UInt16.self, &random),
            awardType: pick(UInt8.self, &random),
            stage: pick(UInt8.self, &random)
        )
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func packingIsInjective(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var seen: [UInt128: Parts] = [:]
        for _ in 0..<2000 {
            let parts = Self.parts(&random)
            let order = parts.order
            #expect(order.person.rawValue == parts.person && order.scene.rawValue == parts.scene)
            #expect(order.rain.rawValue == parts.rain && order.awardType == parts.awardType)
            #expect(order.stage == parts.stage)
            #expect(order.book == SceneID(parts.scene).book)
            if let earlier = seen.updateValue(parts, forKey: order.bits) { #expect(earlier == parts) }
            #expect(OrderNumber(order.description) == order)
            #expect(OrderNumber(bits: order.bits) == order)
            // TransferID(person:book:serial:) has the scene number 0, which no order has.
            let serial = UInt32.random(in: 0 ... .max, using: &random)
            let transfer = TransferID(person: order.person, book: order.book, serial: serial)
            #expect(transfer.order == nil)
            if order.scene.number != 0 {
                #expect(transfer.bits != order.bits)
                #expect(TransferID(order).order == order)
            }
            #expect(transfer.book == order.book && transfer.person == order.person)
            #expect(TransferID(order).book == order.book && TransferID(order).person == order.person)
        }
    }

    @Test func transferIDsOfDifferentSerialsDiffer() {
        let serials: [UInt32] = [0, 1, 255, 256, 65_535, 65_536, .max]
        let books: [UInt16] = [0, 1, 31, .max]
        let people: [UInt64] = [0, 1, .max]
        var ids = Set<TransferID>()
        for serial in serials {
            for book in books {
                for person in people {
                    ids.insert(TransferID(person: PersonID(person), book: BookID(book), serial: serial))
                }
            }
        }
        #expect(ids.count == serials.count * books.count * people.count)
    }

    @Test func theTextOfALargestOrder() {
        let parts = Parts(person: .max, scene: .max, rain: .max, awardType: .max, stage: .max)
        #expect(parts.order.description == "18446744073709551615_4294967295_65535_255_255")
        #expect(parts.order.bits == .max)
        #expect(OrderNumber("0_0_0_0_0")?.bits == 0)
    }

    @Test(
        arguments: [
            "", "_", "____", "1_2_3_4", "1_2_3_4_", "_1_2_3_4", "1_2_3_4_5_", "1_2_3_4_5_6", "1__3_4_5", "01_2_3_4_5",
            "1_02_3_4_5", "1_2_3_4_00", "+1_2_3_4_5", "-1_2_3_4_5", "1_2_3_4_-0", " 1_2_3_4_5", "1_2_3_4_5 ",
            "1_ 2_3_4_5",
            "1_2_3_4_5\n", "１_2_3_4_5", "1_2_3_4_５", "1_2_3_4_0x5", "1.0_2_3_4_5", "1e1_2_3_4_5", "a_2_3_4_5",
            "1-2-3-4-5",
            "18446744073709551616_2_3_4_5", "99999999999999999999_2_3_4_5", "1_4294967296_3_4_5", "1_2_65536_4_5",
            "1_2_3_256_5", "1_2_3_4_256", "1_2_3_4_999999999999999999999999999999", "1_2_3_4_5\u{0}", "1_2_3_4_\u{661}",
            "1_2_3_4_5\u{301}", "1\u{2D}2_3_4_5_6",
        ]
    )
    func textsThatNoOrderHas(text: String) {
        #expect(OrderNumber(text) == nil)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func noiseIsReadAsItselfOrNotAtAll(seed: UInt64) {
        var random = Seeded(seed: seed)
        let letters = Array("0123456789___ +-a９")
        for _ in 0..<500 {
            let count = Int.random(in: 0..<30, using: &random)
            let text = String((0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
            if let order = OrderNumber(text) { #expect(order.description == text) }
        }
    }
}
