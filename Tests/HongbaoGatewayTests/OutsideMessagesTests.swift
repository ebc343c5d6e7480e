import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Testing

@Suite struct OutsideMessagesTests {
    @Test func bothSidesOfACashierReadWhatTheOtherWrites() throws {
        let amount = try #require(Amount(fen: 1_000))
        let orders = [
            PaymentOrder(order: "p_5", person: PersonID(.max), amount: amount, closesAt: .max),
            PaymentOrder(order: "p_6", person: PersonID(0), amount: .zero, closesAt: Timestamp(milliseconds: 0)),
        ]
        #expect(try CashierMessages.readOpenRequest(CashierMessages.openRequest(orders)) == orders)
        let pages = PayoutMessages.Result.State.allCases.map {
            CashierMessages.Opened(
                PayoutMessages.Result(order: "p_5", state: $0, amount: $0 == .paid ? amount : nil),
                url: $0 == .processing ? "https://pay.example/p/5?a=b&c=%20#d" : nil
            )
        }
        #expect(try CashierMessages.readOpened(CashierMessages.opened(pages)) == pages)
    }

    /// AS-1: a refund names its payment; other orders have none.
    @Test func refundsNameTheirPayment() throws {
        let amount = try #require(Amount(fen: 412))
        let refund = PayoutOrder(order: "r_5", person: PersonID(7), amount: amount, payment: "p_5")
        let bytes = PayoutMessages.payRequest([refund])
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"orders":[{"order":"r_5","person":"7","amount":412,"payment":"p_5"}]}"#
        )
        #expect(try PayoutMessages.readPayRequest(bytes) == [refund])
    }

    /// Addresses that people are sent to: whatever a browser would run, or that isn't one whole address, is refused.
    @Test(arguments: [
        ("http://a", true), ("https://pay.example:8443/p_5", true), ("http://[::1]:9600/pay/p_5", true),
        ("javascript:alert(1)", false), ("data:text/html,a", false), ("HTTP://a.example", false),
        ("//a.example/p", false), ("/pay/p_5", false), ("http://", false), ("https:///a/bcd", false),
        ("http://?a=bcdef", false), ("http://a b", false), ("http://a/\\u0022", false), ("http://a/<b>", false),
        ("http:\\/\\/a/", false), ("http://é.example", false), ("http://a/\\n", false), ("http://a/`", false),
        ("", false),
        ("http://a/" + String(repeating: "b", count: 2040), false),
    ])
    func addressesOfPaymentPages(url: String, isGood: Bool) throws {
        let bytes = Array(#"{"results":[{"order":"p_5","state":"processing","url":"\#(url)"}]}"#.utf8)
        if isGood {
            #expect(try CashierMessages.readOpened(bytes).map(\.url) == [url])
        } else {
            #expect(throws: JSONFault.self) { try CashierMessages.readOpened(bytes) }
        }
    }

    @Test(arguments: [
        "", "{}", "[]", "{", #"{"results":[]} {}"#, #"{"results":[{}]}"#, #"{"results":[{"order":"p"}]}"#,
        #"{"results":[{"state":"processing","url":"http://a"}]}"#, #"{"results":[],"results":[]}"#,
        #"{"results":[{"order":"p","order":"p","state":"paid"}]}"#,
        #"{"results":[{"order":"p","state":"paid","x":1}]}"#,
        #"{"results":[{"order":"p","state":"paid","amount":1.5}]}"#, #"{"results":{"order":"p","state":"paid"}}"#,
        #"{"results":[{"order":"p","state":"PAID"}]}"#, #"{"results":[{"order":"p","state":"paid","url":null}]}"#,
    ])
    func answersOfACashierThatMakeNoSense(text: String) {
        #expect(throws: JSONFault.self) { try CashierMessages.readOpened(Array(text.utf8)) }
    }

    @Test(arguments: [
        #"{"orders":[{"order":"p","person":"1","amount":1}]}"#,
        #"{"orders":[{"order":"p","person":"1","closesAt":1}]}"#,
        #"{"orders":[{"order":"p","person":1,"amount":1,"closesAt":1}]}"#,
        #"{"orders":[{"order":"p","person":"1","amount":1,"closesAt":-1}]}"#,
        #"{"orders":[{"order":"p","person":"1","amount":1,"closesAt":9007199254740992}]}"#,
        #"{"orders":[{"order":"p","person":"01","amount":1,"closesAt":1}]}"#,
        #"{"orders":[{"order":"p","person":"1","amount":1,"closesAt":1,"payment":"p"}]}"#,
        #"{"orders":[{"order":"","person":"1","amount":1,"closesAt":1}]}"#,
    ])
    func paymentsThatMakeNoSense(text: String) {
        #expect(throws: JSONFault.self) { try CashierMessages.readOpenRequest(Array(text.utf8)) }
    }

    /// No list is longer than what is asked at a time, and a huge body is refused without being kept.
    @Test func longListsAreRefused() throws {
        let names = (0...PayoutMessages.ordersMax).map { "p_\($0)" }
        #expect(throws: JSONFault.self) { try PayoutMessages.readQueryRequest(PayoutMessages.queryRequest(names)) }
        #expect(try PayoutMessages.readQueryRequest(PayoutMessages.queryRequest(names.dropLast())).count == 1_000)
        let pages = names.map {
            CashierMessages.Opened(PayoutMessages.Result(order: $0, state: .failed, amount: nil), url: nil)
        }
        #expect(throws: JSONFault.self) { try CashierMessages.readOpened(CashierMessages.opened(pages)) }
        let huge = Array(#"{"results":[{"order":""#.utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
        #expect(throws: JSONFault.self) { try CashierMessages.readOpened(huge) }
        let deep = Array(#"{"results":"#.utf8) + [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20)
        #expect(throws: JSONFault.self) { try PayoutMessages.readResults(deep) }
    }
}
