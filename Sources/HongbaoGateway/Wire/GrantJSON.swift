package import HongbaoCore

/// Grants as JSON. One reader serves all items of a batch, which nearly always name the same campaign and scene.
package struct GrantJSON {
    private enum Field: String, CaseIterable {
        case campaign, scene, rain, awardType, stage, person, app, amount, rewardID, openedAt, order
    }
    private enum BatchField: String, CaseIterable { case grants }

    private static let fields = JSONFields<Field>()
    private static let batchFields = JSONFields<BatchField>()
    private static let orderLength = 9...OrderText.lengthMax

    private var campaigns = NameCache()
    private var scenes = NameCache()
    private var apps = NameCache()
    private var rewards = NameCache()

    package static func request(_ bytes: [UInt8]) throws(Problem) -> GrantRequest {
        var reader = JSONReader(bytes)
        var grants = GrantJSON()
        do throws(JSONFault) {
            let request = try grants.request(&reader)
            try reader.finish()
            return request
        } catch {
            throw Problem(error)
        }
    }

    /// A batch is read as a whole or not at all.
    package static func batch(_ bytes: [UInt8], max: Int) throws(Problem) -> [GrantRequest] {
        var reader = JSONReader(bytes)
        var grants = GrantJSON()
        var requests: [GrantRequest] = []
        var isInItem = false
        do throws(JSONFault) {
            try reader.object(batchFields) { reader, _ throws(JSONFault) in
                try reader.array(max: max) { reader throws(JSONFault) in
                    isInItem = true
                    requests.append(try grants.request(&reader))
                    isInItem = false
                }
                guard !requests.isEmpty else { throw reader.fault(.wrongLength) }
            }
            guard !requests.isEmpty else { throw .missing(BatchField.grants) }
            try reader.finish()
            return requests
        } catch {
            guard isInItem else { throw Problem(error) }
            // An item that isn't an object is a fault of the field that holds it.
            let isWhole = error.field == BatchField.grants.rawValue && error.reason != .unknownField
            let fault = JSONFault(error.reason, offset: error.offset, field: isWhole ? nil : error.field)
            throw Problem(fault, within: "grants[\(requests.count)]")
        }
    }

    private mutating func request(_ reader: inout JSONReader) throws(JSONFault) -> GrantRequest {
        var (campaign, scene, app): (String?, String?, String?)
        var rain: UInt16?
        var (awardType, stage): (UInt8?, UInt8?)
        var person: UInt64?
        var amount: Int64?
        var rewardID: String?
        var openedAt: Timestamp?
        var order: OrderNumber?
        try reader.object(Self.fields) { reader, field throws(JSONFault) in
            switch field {
            case .campaign: campaign = try reader.name(&campaigns)
            case .scene: scene = try reader.name(&scenes)
            case .rain: rain = try reader.integer(UInt16.self)
            case .awardType: awardType = try reader.integer(UInt8.self)
            case .stage: stage = try reader.integer(UInt8.self)
            case .person: person = try reader.person()
            case .app: app = try reader.name(&apps)
            case .amount: amount = try reader.integer()
            case .rewardID: rewardID = try reader.name(&rewards)
            case .openedAt:
                openedAt = Timestamp(
                    milliseconds: try reader.integer(Int64.self, in: 1...Timestamp.max.milliseconds)
                )
            case .order:
                let text = try reader.ascii(length: Self.orderLength)
                order = OrderNumber(String(decoding: text, as: UTF8.self))
                guard order != nil else { throw reader.fault(.outOfRange) }
            }
        }
        guard let campaign else { throw .missing(Field.campaign) }
        guard let scene else { throw .missing(Field.scene) }
        guard let rain else { throw .missing(Field.rain) }
        guard let awardType else { throw .missing(Field.awardType) }
        guard let stage else { throw .missing(Field.stage) }
        guard let person else { throw .missing(Field.person) }
        guard let app else { throw .missing(Field.app) }
        return GrantRequest(
            campaign: campaign,
            scene: scene,
            rain: RainID(rain),
            awardType: awardType,
            stage: stage,
            person: PersonID(person),
            app: app,
            amount: amount,
            rewardID: rewardID,
            openedAt: openedAt,
            order: order
        )
    }

    static func write(_ granted: Granted, to json: inout JSONWriter) {
        json.object { json in
            json.key("order")
            json.value(ascii: OrderText.bytes(granted.order))
            json.field("status", Int64(granted.status.rawValue))
            if granted.amount > .zero { json.field("amount", granted.amount.fen) }
            if let id = granted.rewardID { json.field("rewardID", id) }
            if let fallback = granted.fallback {
                json.field("fallback", fallback.name)
                if let blessing = fallback.blessing { json.field("blessing", blessing) }
            }
            json.key("token")
            json.value(ascii: Base64URL.encode(granted.token))
            json.field("replayed", granted.isReplay)
        }
    }
}

extension GivenFallback {
    /// What it is called on the wire.
    var name: String {
        switch self {
        case .backup: "backup"
        case .blessing: "blessing"
        }
    }

    var blessing: String? {
        switch self {
        case .backup: nil
        case .blessing(let text): text
        }
    }
}

extension JSONReader {
    /// Reads a person's ID: a decimal string, because JavaScript can't hold the number; never zero.
    mutating func person() throws(JSONFault) -> UInt64 {
        let person = try decimal(UInt64.self)
        guard person > 0 else { throw fault(.outOfRange) }
        return person
    }
}
