package import HongbaoCore

/// Grants in the wire format of `proto/hongbao/v1/grants.proto`, read by hand: generated code would let unknown and
/// repeated fields pass.
package struct GrantProtobuf {
    private var campaigns = NameCache()
    private var scenes = NameCache()
    private var apps = NameCache()
    private var rewards = NameCache()

    package static func request(_ bytes: [UInt8]) throws(Problem) -> GrantRequest {
        var grants = GrantProtobuf()
        return try grants.request(bytes[...], within: nil)
    }

    /// A batch is read as a whole or not at all.
    package static func batch(_ bytes: [UInt8], max: Int) throws(Problem) -> [GrantRequest] {
        var grants = GrantProtobuf()
        var requests: [GrantRequest] = []
        var reader = ProtobufReader(bytes[...])
        while !reader.isAtEnd {
            let item: ArraySlice<UInt8>
            do throws(ProtobufReader.Fault) {
                let (number, type) = try reader.field(repeated: true)
                guard number == 1 else { throw ProtobufReader.Fault(reason: .unknownField) }
                item = try reader.slice(type)
            } catch {
                throw Problem(error, param: "grants")
            }
            guard requests.count < max else { throw Problem(.malformed, param: "grants", detail: "Too many grants.") }
            requests.append(try grants.request(item, within: requests.count))
        }
        guard !requests.isEmpty else { throw Problem(.malformed, param: "grants", detail: "No grants.") }
        return requests
    }

    private mutating func request(_ bytes: ArraySlice<UInt8>, within item: Int?) throws(Problem) -> GrantRequest {
        // Fields that aren't sent have their default, as proto3 has it; those that must not be zero or empty are
        // caught below.
        var request = GrantRequest(
            campaign: "",
            scene: "",
            rain: RainID(0),
            awardType: 0,
            stage: 0,
            person: PersonID(0),
            app: ""
        )
        var reader = ProtobufReader(bytes)
        do throws(ProtobufReader.Fault) {
            while !reader.isAtEnd {
                let (number, type) = try reader.field()
                switch number {
                case 1: request.campaign = try reader.name(type, &campaigns)
                case 2: request.scene = try reader.name(type, &scenes)
                case 3: request.rain = RainID(try reader.varint(type, as: UInt16.self))
                case 4: request.awardType = try reader.varint(type, as: UInt8.self)
                case 5: request.stage = try reader.varint(type, as: UInt8.self)
                case 6: request.person = PersonID(try reader.fixed64(type))
                case 7: request.app = try reader.name(type, &apps)
                case 8: request.amount = try reader.varint(type, as: Int64.self)
                case 9: request.rewardID = try reader.name(type, &rewards)
                case 10:
                    let range = 1...Timestamp.max.milliseconds
                    request.openedAt = Timestamp(milliseconds: try reader.varint(type, as: Int64.self, in: range))
                case 11: request.order = try reader.order(type)
                default: throw ProtobufReader.Fault(reason: .unknownField)
                }
            }
        } catch {
            throw Problem(error, param: Self.place(Self.name(of: reader.fieldNumber), within: item))
        }
        let missing: String? =
            request.campaign.isEmpty
            ? "campaign"
            : request.scene.isEmpty
                ? "scene" : request.person.rawValue == 0 ? "person" : request.app.isEmpty ? "app" : nil
        if let missing {
            throw Problem(.malformed, param: Self.place(missing, within: item), detail: "The field is missing.")
        }
        return request
    }

    private static let names = [
        "campaign", "scene", "rain", "awardType", "stage", "person", "app", "amount", "rewardID", "openedAt",
        "order",
    ]

    private static func name(of number: Int) -> String? { (1...names.count).contains(number) ? names[number - 1] : nil }

    private static func place(_ name: String?, within item: Int?) -> String? {
        guard let item else { return name }
        return name.map { "grants[\(item)].\($0)" } ?? "grants[\(item)]"
    }

    // MARK: Answers

    static func write(_ granted: Granted, to proto: inout ProtobufWriter) {
        proto.bytes(1, OrderText.bytes(granted.order))
        proto.varint(2, UInt64(granted.status.rawValue))
        if granted.amount > .zero { proto.varint(3, UInt64(granted.amount.fen)) }
        if let id = granted.rewardID { proto.bytes(4, id.utf8) }
        if let fallback = granted.fallback { proto.bytes(5, fallback.name.utf8) }
        proto.bytes(6, granted.token)
        if granted.isReplay { proto.varint(7, 1) }
        if let blessing = granted.fallback?.blessing { proto.bytes(9, blessing.utf8) }
    }

    static func write(_ problem: Problem, to proto: inout ProtobufWriter) {
        let row = problem.code.row
        var error = ProtobufWriter(capacity: 256)
        error.bytes(1, (Problem.typePrefix + problem.code.rawValue).utf8)
        error.bytes(2, row.title.utf8)
        error.varint(3, UInt64(row.status))
        error.bytes(4, (problem.detail ?? row.title).utf8)
        error.bytes(5, problem.code.rawValue.utf8)
        if let param = problem.param { error.bytes(6, param.utf8) }
        if row.isRetryable { error.varint(7, 1) }
        error.bytes(8, row.kind.rawValue.utf8)
        proto.bytes(8, error.bytes)
    }
}

extension Problem {
    init(_ fault: ProtobufReader.Fault, param: String?) {
        switch fault.reason {
        case .unknownField: self.init(.unknownField, param: param)
        case .malformed: self.init(.malformed, param: param, detail: "Not protobuf, or cut off.")
        case .duplicateField: self.init(.malformed, param: param, detail: "The field is there twice.")
        case .wrongType: self.init(.malformed, param: param, detail: "Another wire type is due here.")
        case .outOfRange: self.init(.malformed, param: param, detail: "The value is out of range.")
        case .notAName:
            self.init(.malformed, param: param, detail: "1 to 64 of A-Z, a-z, 0-9, dot, dash, underscore.")
        }
    }
}
