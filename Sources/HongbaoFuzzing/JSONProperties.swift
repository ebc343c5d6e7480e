import Foundation
import HongbaoCore
import HongbaoGateway

/// What is read as a grant is JSON to everybody, says the same to everybody, and survives being written again.
enum JSONProperties {
    static func check(_ input: [UInt8]) throws(FuzzBreach) {
        let isJSON = isSkipped(input)
        let batch = batch(Array(#"{"grants":["#.utf8) + input + Array("]}".utf8))
        guard let grant = grant(input) else {
            try hold(batch?.count != 1, "in a batch it's a grant, alone it isn't")
            return
        }
        try hold(isJSON, "a grant was read from what isn't JSON")
        try hold(batch == [grant], "in a batch it isn't the same grant")
        try hold(self.grant(written(grant)) == grant, "written and read again, the grant differs")
        try hold(isReadAlike(input, grant), "Foundation reads another grant")
        let end = input.lastIndex(of: UInt8(ascii: "}")) ?? 0
        try hold(self.grant(Array(input[..<end])) == nil, "half a grant was read")
        try hold(self.grant(input + input) == nil, "two grants were read as one")
    }

    private static func grant(_ bytes: [UInt8]) -> GrantRequest? {
        do {
            return try GrantJSON.request(bytes)
        } catch {
            return nil
        }
    }

    private static func batch(_ bytes: [UInt8]) -> [GrantRequest]? {
        do {
            return try GrantJSON.batch(bytes, max: 16)
        } catch {
            return nil
        }
    }

    private static func isSkipped(_ bytes: [UInt8]) -> Bool {
        var reader = JSONReader(bytes)
        do {
            try reader.skip()
            try reader.finish()
            return true
        } catch {
            return false
        }
    }

    private static func written(_ grant: GrantRequest) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.field("campaign", grant.campaign)
            json.field("scene", grant.scene)
            json.field("rain", Int64(grant.rain.rawValue))
            json.field("awardType", Int64(grant.awardType))
            json.field("stage", Int64(grant.stage))
            json.field("person", decimal: grant.person.rawValue)
            json.field("app", grant.app)
            if let amount = grant.amount { json.field("amount", amount) }
            if let rewardID = grant.rewardID { json.field("rewardID", rewardID) }
            if let openedAt = grant.openedAt { json.field("openedAt", openedAt.milliseconds) }
            if let order = grant.order { json.field("order", order.description) }
        }
        return json.bytes
    }

    /// Compares with a parser that isn't ours.
    private static func isReadAlike(_ bytes: [UInt8], _ grant: GrantRequest) -> Bool {
        let fields: [String: Any]
        do {
            let value = try JSONSerialization.jsonObject(with: Data(bytes))
            guard let object = value as? [String: Any] else { return false }
            fields = object
        } catch {
            return false
        }
        func number(_ name: String) -> Int64? { (fields[name] as? NSNumber)?.int64Value }
        func text(_ name: String) -> String? { fields[name] as? String }
        return text("campaign") == grant.campaign && text("scene") == grant.scene && text("app") == grant.app
            && text("person") == "\(grant.person.rawValue)" && number("rain") == Int64(grant.rain.rawValue)
            && number("awardType") == Int64(grant.awardType) && number("stage") == Int64(grant.stage)
            && number("amount") == grant.amount && text("rewardID") == grant.rewardID
            && number("openedAt") == grant.openedAt?.milliseconds && text("order") == grant.order?.description
    }
}
