import HongbaoCore
import HongbaoGateway
import HongbaoProto
import SwiftProtobuf

/// What the readers by hand take, generated code takes too and reads the same.
enum ProtobufProperties {
    static func check(_ input: [UInt8]) throws(FuzzBreach) {
        try checkResults(input)
        try checkResults([0x0A] + varint(input.count) + input)
        let batch = batch([0x0A] + varint(input.count) + input)
        guard let grant = grant(input) else {
            try hold(batch == nil, "in a batch it's a grant, alone it isn't")
            _ = self.batch(input)
            return
        }
        try hold(batch == [grant], "in a batch it isn't the same grant")
        guard let message = message(input) else { throw FuzzBreach("generated code doesn't read it") }
        try hold(isAlike(message, grant), "generated code reads another grant")
        try hold(self.grant(written(message)) == grant, "written and read again, the grant differs")
        try hold(self.grant(input + input) == nil, "fields that are there twice were read")
    }

    private static func grant(_ bytes: [UInt8]) -> GrantRequest? {
        do {
            return try GrantProtobuf.request(bytes)
        } catch {
            return nil
        }
    }

    private static func batch(_ bytes: [UInt8]) -> [GrantRequest]? {
        do {
            return try GrantProtobuf.batch(bytes, max: 16)
        } catch {
            return nil
        }
    }

    private static func message(_ bytes: [UInt8]) -> WireGrantRequest? {
        do {
            return try WireGrantRequest(serializedBytes: bytes)
        } catch {
            return nil
        }
    }

    private static func written(_ message: WireGrantRequest) -> [UInt8] {
        do {
            return try message.serializedBytes()
        } catch {
            return []
        }
    }

    private static func isAlike(_ message: WireGrantRequest, _ grant: GrantRequest) -> Bool {
        message.campaign == grant.campaign && message.scene == grant.scene && message.app == grant.app
            && message.rain == UInt32(grant.rain.rawValue) && message.awardType == UInt32(grant.awardType)
            && message.stage == UInt32(grant.stage) && message.person == grant.person.rawValue
            && (message.hasAmount ? message.amount : nil) == grant.amount
            && (message.hasRewardID ? message.rewardID : nil) == grant.rewardID
            && (message.hasOpenedAt ? message.openedAt : nil) == grant.openedAt?.milliseconds
            && (message.hasOrder ? OrderNumber(message.order) : nil) == grant.order
            && message.unknownFields.data.isEmpty
    }

    // MARK: Results

    private static func checkResults(_ input: [UInt8]) throws(FuzzBreach) {
        guard let results = GrantProtobuf.results(input, max: 16) else { return }
        guard let messages = resultMessages(input), messages.count == results.count else {
            throw FuzzBreach("generated code doesn't read the results")
        }
        try hold(zip(messages, results).allSatisfy(isAlike), "generated code reads other results")
        let again = GrantProtobuf.results(GrantProtobuf.bytes(results), max: 16)
        try hold(again == results, "written and read again, the results differ")
    }

    private static func resultMessages(_ bytes: [UInt8]) -> [WireGrantResult]? {
        do {
            return try WireGrantBatchResult(serializedBytes: bytes).results
        } catch {
            return nil
        }
    }

    private static func isAlike(_ message: WireGrantResult, _ result: Result<Granted, Problem>) -> Bool {
        switch result {
        case .success(let granted):
            !message.hasError && message.order == granted.order.description
                && message.status == UInt32(granted.status.rawValue) && message.amount == granted.amount.fen
                && (message.hasRewardID ? message.rewardID : nil) == granted.rewardID
                && message.hasFallback == (granted.fallback != nil)
                && message.hasBlessing == (message.fallback == "blessing")
                && Array(message.token) == granted.token && message.replayed == granted.isReplay
        case .failure(let problem):
            message.hasError && message.order.isEmpty && message.token.isEmpty
                && (message.error.code == problem.code.rawValue || ErrorCode(rawValue: message.error.code) == nil)
                && (message.error.hasParam ? message.error.param : nil) == problem.param
        }
    }

    private static func varint(_ number: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
