import Crypto
import HongbaoCore
import HongbaoEngine
import Testing

@testable import HongbaoGateway

@Suite struct CallbackSignatureTests {
    private static let key = SymmetricKey(data: Array("Jefe".utf8))
    private static let now = Timestamp(milliseconds: 1_643_630_400_000)
    private static let nonce = "0123456789abcdef"
    private static let body = Array(#"{"order":"w_1_2_3","state":"paid","amount":5}"#.utf8)

    private static func signed(_ time: Timestamp = now, _ nonce: String = nonce) -> String {
        CallbackSignature(key: key).sign(timestamp: time, nonce: nonce, body: body)
    }

    /// Computed with `printf 'v1\n1643630400000\n0123456789abcdef\n%s' "$body" | openssl dgst -sha256 -hmac Jefe`.
    @Test func isPlainHMAC() {
        #expect(Self.signed() == "v1=ad7448a1ac095a9e2fa11fc3b68ad5634a75b40e480f992e29659a3124568768")
    }

    @Test func letsEachMessageInOnce() {
        let door = CallbackGuard(key: Self.key)
        func check(_ time: Timestamp, _ nonce: String, at now: Timestamp) -> CallbackVerdict {
            door.check(
                timestamp: "\(time.milliseconds)",
                nonce: nonce,
                signature: Self.signed(time, nonce),
                body: Self.body,
                now: now
            )
        }
        let end = Self.now.advanced(bySeconds: 300)
        let later = Timestamp(milliseconds: end.milliseconds + 1)
        #expect(check(Self.now, Self.nonce, at: Self.now) == .accepted)
        #expect(check(Self.now, Self.nonce, at: Self.now) == .replayed)
        #expect(check(Self.now, Self.nonce, at: end) == .replayed)
        #expect(check(Self.now, Self.nonce, at: later) == .outsideWindow)
        #expect(check(Self.now, "another-nonce-0001", at: end) == .accepted)
        #expect(check(later, "another-nonce-0002", at: Self.now) == .outsideWindow)
        #expect(check(end, "another-nonce-0003", at: Self.now) == .accepted)
        #expect(check(end, "another-nonce-0003", at: later) == .replayed)
    }

    @Test func everyChangeIsNoticed() throws {
        let signature = CallbackSignature(key: Self.key)
        let time = "\(Self.now.milliseconds)"
        func isAuthentic(_ time: String, _ nonce: String, _ text: String, _ body: [UInt8]) -> Bool {
            signature.isAuthentic(timestamp: time, nonce: nonce, signature: text, body: body)
        }
        let good = Self.signed()
        #expect(isAuthentic(time, Self.nonce, good, Self.body))
        for position in Self.body.indices {
            var body = Self.body
            body[position] ^= 1
            #expect(!isAuthentic(time, Self.nonce, good, body))
        }
        for position in good.utf8.indices {
            var bytes = Array(good.utf8)
            bytes[good.utf8.distance(from: good.utf8.startIndex, to: position)] ^= 1
            #expect(!isAuthentic(time, Self.nonce, String(decoding: bytes, as: UTF8.self), Self.body))
        }
        #expect(!isAuthentic(time, Self.nonce, good, []))
        #expect(!isAuthentic(time, Self.nonce, good, Self.body + [10]))
        #expect(!isAuthentic("1643630400001", Self.nonce, good, Self.body))
        #expect(!isAuthentic("01643630400000", Self.nonce, good, Self.body))
        #expect(!isAuthentic("", Self.nonce, good, Self.body))
        #expect(!isAuthentic("-1", Self.nonce, good, Self.body))
        #expect(!isAuthentic("99999999999999999999999", Self.nonce, good, Self.body))
        #expect(!isAuthentic(time, "0123456789abcdeF", good, Self.body))
        #expect(!isAuthentic(time, "", good, Self.body))
        #expect(!isAuthentic(time, "0123456789abcdef\n", good, Self.body))
        for text in [
            "", "v1=", good.uppercased(), String(good.dropLast()), good + "00", "v2" + good.dropFirst(2), "v1=🧧",
        ] {
            #expect(!isAuthentic(time, Self.nonce, text, Self.body), "\(text)")
        }
        let other = CallbackSignature(key: SymmetricKey(data: Array("Jeff".utf8)))
        #expect(!other.isAuthentic(timestamp: time, nonce: Self.nonce, signature: good, body: Self.body))
    }

    @Test func missingHeadersAndHugeTimes() {
        let door = CallbackGuard(key: Self.key)
        let time = "\(Self.now.milliseconds)"
        func check(_ time: String?, _ nonce: String?, _ text: String?) -> CallbackVerdict {
            door.check(timestamp: time, nonce: nonce, signature: text, body: Self.body, now: Self.now)
        }
        #expect(check(nil, Self.nonce, Self.signed()) == .notAuthentic)
        #expect(check(time, nil, Self.signed()) == .notAuthentic)
        #expect(check(time, Self.nonce, nil) == .notAuthentic)
        let last = Timestamp(milliseconds: .max)
        #expect(check("\(Int64.max)", Self.nonce, Self.signed(last)) == .outsideWindow)
    }

    /// Only authentic messages take room, and when it's used up within the window no more are let in.
    @Test func memoryIsBounded() {
        let door = CallbackGuard(key: Self.key, noncesMax: 3)
        func check(_ number: Int, at now: Timestamp = Self.now, forged: Bool = false) -> CallbackVerdict {
            let nonce = "nonce-number-\(100 + number)"
            return door.check(
                timestamp: "\(now.milliseconds)",
                nonce: nonce,
                signature: forged ? Self.signed(now) : Self.signed(now, nonce),
                body: Self.body,
                now: now
            )
        }
        for number in 0..<100 { #expect(check(number, forged: true) == .notAuthentic) }
        for number in 0..<3 { #expect(check(number) == .accepted) }
        #expect(check(3) == .overloaded)
        #expect(check(1) == .replayed)
        #expect(check(4, at: Self.now.advanced(bySeconds: 301)) == .accepted)
    }
}

@Suite struct PayoutMessagesTests {
    @Test func bothSidesReadWhatTheOtherWrites() throws {
        let amount = try #require(Amount(fen: 1_288))
        let orders = [
            PayoutOrder(order: "w_18446744073709551615_30_1", person: PersonID(.max), amount: amount),
            PayoutOrder(order: "w_1_30_4294967295", person: PersonID(1), amount: amount),
        ]
        #expect(try PayoutMessages.readPayRequest(PayoutMessages.payRequest(orders)) == orders)
        let names = orders.map(\.order)
        #expect(try PayoutMessages.readQueryRequest(PayoutMessages.queryRequest(names)) == names)
        let results = PayoutMessages.Result.State.allCases.map {
            PayoutMessages.Result(order: "w_1_30_1", state: $0, amount: $0 == .paid ? amount : nil)
        }
        #expect(try PayoutMessages.readResults(PayoutMessages.results(results)) == results)
        #expect(results.map(\.report) == [.processing, .paid(amount), .failed, .unknownOrder, .unreachable])
        for result in results {
            #expect(try PayoutMessages.readCallback(PayoutMessages.callback(result)) == result)
        }
    }

    @Test(arguments: [
        "{}", #"{"results":[]} "x""#, #"{"results":[{"order":"w"}]}"#, #"{"results":[{"state":"paid"}]}"#,
        #"{"results":[{"order":"w","state":"Paid","amount":1}]}"#,
        #"{"results":[{"order":"w","state":"paid","amount":-1}]}"#,
        #"{"results":[{"order":"w","state":"paid","amount":1.0}]}"#, #"{"results":[{"order":"","state":"failed"}]}"#,
        #"{"results":[{"order":"w","state":"paid","state":"failed"}]}"#, #"{"results":{}}"#, #"[]"#, "",
        #"{"results":[{"order":"w","state":"failed","reason":"x"}]}"#,
    ])
    func answersThatMakeNoSense(text: String) {
        #expect(throws: JSONFault.self) { try PayoutMessages.readResults(Array(text.utf8)) }
    }

    @Test func paidWithoutAnAmountTellsNothing() throws {
        let bytes = Array(#"{"results":[{"order":"w","state":"paid"}]}"#.utf8)
        #expect(try PayoutMessages.readResults(bytes).map(\.report) == [.unreachable])
    }
}
