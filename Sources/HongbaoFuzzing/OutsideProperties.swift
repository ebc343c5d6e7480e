import HongbaoCore
import HongbaoEngine
import HongbaoGateway

/// What is read as a message of an outside system, or as one to it, survives being written again, and half of it or two
/// of it are none.
enum OutsideProperties {
    static func check(_ input: [UInt8]) throws(FuzzBreach) {
        try check(input, "orders", PayoutMessages.payRequest) { (bytes) throws(JSONFault) in
            try PayoutMessages.readPayRequest(bytes)
        }
        try check(input, "names", PayoutMessages.queryRequest) { (bytes) throws(JSONFault) in
            try PayoutMessages.readQueryRequest(bytes)
        }
        try check(input, "results", PayoutMessages.results) { (bytes) throws(JSONFault) in
            try PayoutMessages.readResults(bytes)
        }
        try check(input, "a callback", PayoutMessages.callback) { (bytes) throws(JSONFault) in
            try PayoutMessages.readCallback(bytes)
        }
        try check(input, "payments", CashierMessages.openRequest) { (bytes) throws(JSONFault) in
            try CashierMessages.readOpenRequest(bytes)
        }
        try check(input, "orders of rewards", RewardMessages.giveRequest) { (bytes) throws(JSONFault) in
            try RewardMessages.readGiveRequest(bytes)
        }
        try check(input, "a reward's callback", RewardMessages.callback) { (bytes) throws(JSONFault) in
            try RewardMessages.readCallback(bytes)
        }
        let rewards = try check(input, "results of rewards", RewardMessages.results) { (bytes) throws(JSONFault) in
            try RewardMessages.readResults(bytes)
        }
        for result in rewards ?? [] {
            // It becomes a label and an alarm's text: one of ours, whatever it says.
            guard case .failed(let fault) = result.report else { continue }
            try hold(RewardCode(rawValue: fault.code) != nil, "a code that isn't ours")
            try hold(fault.kind != .unknown, "a downstream that says that it doesn't know")
        }
        let pages = try check(input, "pages", CashierMessages.opened) { (bytes) throws(JSONFault) in
            try CashierMessages.readOpened(bytes)
        }
        for page in pages ?? [] {
            // People are sent there: nothing that a browser would run or that ends an attribute.
            guard let url = page.url else { continue }
            try hold(url.hasPrefix("http://") || url.hasPrefix("https://"), "an address that a browser might run")
            try hold(url.utf8.allSatisfy { (0x21...0x7E).contains($0) }, "an address with blanks or beyond ASCII")
            try hold(!url.contains { "<>\"\\`".contains($0) }, "an address that ends an attribute")
        }
    }

    @discardableResult
    private static func check<Message: Equatable>(
        _ input: [UInt8],
        _ what: String,
        _ write: (Message) -> [UInt8],
        _ read: ([UInt8]) throws(JSONFault) -> Message
    ) throws(FuzzBreach) -> Message? {
        guard let message = message(input, read) else { return nil }
        var json = JSONReader(input)
        var isJSON = true
        do {
            try json.skip()
            try json.finish()
        } catch {
            isJSON = false
        }
        try hold(isJSON, "\(what) were read from what isn't JSON")
        try hold(self.message(write(message), read) == message, "written and read again, \(what) differ")
        let end = input.lastIndex(of: UInt8(ascii: "}")) ?? 0
        try hold(self.message(Array(input[..<end]), read) == nil, "half of \(what) was read")
        try hold(self.message(input + input, read) == nil, "two of \(what) were read as one")
        return message
    }

    private static func message<Message>(
        _ bytes: [UInt8],
        _ read: ([UInt8]) throws(JSONFault) -> Message
    ) -> Message? {
        do {
            return try read(bytes)
        } catch {
            return nil
        }
    }
}
