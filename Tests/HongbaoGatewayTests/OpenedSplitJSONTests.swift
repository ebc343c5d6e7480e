import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@testable import HongbaoGateway

@Suite struct OpenedSplitJSONTests {
    private static let digits = String(repeating: "0aF9", count: 16)
    private static let whole =
        #"{"packet":"18446744073709551615","amount":1000,"count":10,"split":"lucky","commitment":"\#(digits)","#
        + #""seed":"\#(digits)","claims":[{"position":0,"amount":76,"person":"42"},{"amount":0,"position":-1}],"#
        + #""sender":{"name":"春节"}}"#

    private static func fault(_ text: String) -> JSONFault.Reason? { fault(Array(text.utf8)) }

    private static func fault(_ bytes: [UInt8]) -> JSONFault.Reason? {
        do throws(JSONFault) {
            _ = try OpenedSplitJSON(bytes)
            return nil
        } catch { return error.reason }
    }

    @Test func readsWhatItKnowsAndPassesOverTheRest() throws {
        let document = try OpenedSplitJSON(Array(Self.whole.utf8))
        #expect(document.packet == .max && document.amount == 1000 && document.count == 10)
        #expect(document.kind == .lucky)
        let bytes = try #require([UInt8](hex: Self.digits))
        #expect(document.commitment == SplitCommitment(bytes) && document.seed == SplitSeed(bytes))
        #expect(document.claims.map(\.position) == [0, -1])
        #expect(document.claims.map(\.amount.fen) == [76, 0])
        #expect(try OpenedSplitJSON(Array("{}".utf8)) == OpenedSplitJSON())
    }

    /// As the API answers it: what doesn't change from page to page is within `reveal`.
    @Test func readsAReveal() throws {
        let reveal = Self.whole.replacing(
            #""claims":[{"position":0,"amount":76,"person":"42"},{"amount":0,"position":-1}],"#,
            with: ""
        )
        let claims = #""claims":[{"position":0,"amount":76},{"position":-1,"amount":0}]"#
        for text in [
            #"{\#(claims),"next":"2","reveal":\#(reveal)}"#, #"{"reveal":\#(reveal),\#(claims),"amount":1000}"#,
        ] {
            #expect(try OpenedSplitJSON(Array(text.utf8)) == OpenedSplitJSON(Array(Self.whole.utf8)))
        }
        #expect(try OpenedSplitJSON(Array(#"{"reveal":{"claims":7,"reveal":7}}"#.utf8)) == OpenedSplitJSON())
    }

    @Test(
        arguments: [
            ("", .malformed), ("{", .malformed), ("[]", .wrongType), ("{} {}", .malformed),
            (#"{"packet":7}"#, .wrongType),
            (#"{"packet":"-7"}"#, .outOfRange), (#"{"packet":"18446744073709551616"}"#, .outOfRange),
            (#"{"amount":"7"}"#, .wrongType), (#"{"amount":-1}"#, .outOfRange), (#"{"amount":1.5}"#, .notAnInteger),
            (#"{"amount":9223372036854775808}"#, .outOfRange), (#"{"amount":1,"amount":1}"#, .duplicateField),
            (#"{"count":true}"#, .wrongType), (#"{"split":"Lucky"}"#, .outOfRange), (#"{"split":""}"#, .wrongLength),
            (#"{"seed":"00"}"#, .wrongLength), (#"{"seed":"\#(String(repeating: "0g", count: 32))"}"#, .outOfRange),
            (#"{"commitment":"\#(String(repeating: "é", count: 32))"}"#, .unacceptableCharacter),
            (#"{"claims":{}}"#, .wrongType), (#"{"claims":[{}]}"#, .missingField), (#"{"claims":[7]}"#, .wrongType),
            (#"{"claims":[{"position":0}]}"#, .missingField), (#"{"claims":[{"amount":0}]}"#, .missingField),
            (#"{"claims":[{"position":0,"amount":-1}]}"#, .outOfRange), (#"{"reveal":7}"#, .wrongType),
            (#"{"reveal":{"amount":-1}}"#, .outOfRange), (#"{"amount":1,"reveal":{"amount":2}}"#, .duplicateField),
        ] as [(String, JSONFault.Reason)]
    )
    func refusesWhatIsNot(text: String, reason: JSONFault.Reason) {
        #expect(Self.fault(text) == reason)
    }

    /// Total: changed documents are read or refused, and what is read can be checked.
    @Test(arguments: 0..<20 as Range<UInt64>) func nothingTraps(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let whole = Array(Self.whole.utf8)
        var refused = 0
        for _ in 0..<200 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = whole[Int.random(in: 0..<whole.count, using: &random)]
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: place)
                }
            }
            guard Self.fault(bytes) == nil else {
                refused += 1
                continue
            }
            let document = try OpenedSplitJSON(bytes)
            guard
                let amount = document.amount.flatMap({ Amount(fen: $0) }), let count = document.count,
                let split = document.kind.flatMap({ Split($0, amount: amount, count: Int(min(count, 50))) }),
                let seed = document.seed, let commitment = document.commitment
            else { continue }
            let opened = OpenedSplit(
                packet: RedPacketID(document.packet ?? 0),
                split: split,
                seed: seed,
                commitment: commitment,
                claims: document.claims
            )
            #expect(!opened.verify().isCommitted)
        }
        #expect((20..<200).contains(refused))
    }
}
