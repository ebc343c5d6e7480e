import HongbaoCore
import Hummingbird
import NIOCore

/// The demo's account centre over HTTP. Not there at all where the demo is off.
struct DemoRoutes: Sendable {
    private enum Field: String, CaseIterable { case app, user, phone }
    private static let fields = JSONFields<Field>()
    private static let userLength = 1...64
    /// Digits (ITU-T E.164 has at most 15).
    private static let phoneLength = 5...15

    let services: GatewayServices
    let accounts: DemoAccounts

    var routes: [Route] {
        [
            Route(.post, "/v1/demo/login", body: .json, .open(login)),
            Route(.get, "/v1/demo/apps", .open(apps)),
        ]
    }

    private func login(_ call: Call) async throws(Problem) -> Response {
        let asked = try Self.read(call.body)
        guard let app = services.campaigns().campaigns.lazy.compactMap({ $0.app(asked.app) }).first else {
            throw Problem(.appUnknown, param: "app")
        }
        let person =
            asked.phone.map { accounts.person(phone: $0) } ?? accounts.person(family: app.family, user: asked.user)
        let token: String
        do {
            token = try accounts.token(for: person, app: app.key, at: call.now)
        } catch {
            throw Problem(.internal)
        }
        return .json(capacity: 512) { json in
            json.object { json in
                json.field("person", decimal: person.rawValue)
                json.field("jwt", token)
            }
        }
    }

    private static func read(_ body: ByteBuffer) throws(Problem) -> (app: String, user: String, phone: String?) {
        var reader = JSONReader(body)
        var cache = NameCache()
        var (app, user, phone): (String?, String?, String?)
        do throws(JSONFault) {
            try reader.object(fields) { reader, field throws(JSONFault) in
                switch field {
                case .app: app = try reader.name(&cache)
                case .user: user = try reader.identifier(length: userLength)
                case .phone: phone = try Self.phone(&reader)
                }
            }
            try reader.finish()
            guard let app else { throw .missing(Field.app) }
            guard let user else { throw .missing(Field.user) }
            return (app, user, phone)
        } catch {
            throw Problem(error)
        }
    }

    /// The digits of a phone number; a leading plus doesn't count.
    private static func phone(_ reader: inout JSONReader) throws(JSONFault) -> String {
        var digits = try reader.ascii(length: 1...phoneLength.upperBound + 1)
        if digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw reader.fault(.unacceptableCharacter)
        }
        guard phoneLength.contains(digits.count) else { throw reader.fault(.wrongLength) }
        return String(decoding: digits, as: UTF8.self)
    }

    private func apps(_ call: Call) async throws(Problem) -> Response {
        let asked = try Query(call.head, allowed: ["campaign"]).name("campaign")
        let campaigns = services.campaigns()
        let campaign =
            asked.map { campaigns.campaign($0) }
            ?? campaigns.campaigns.first { $0.phase(at: call.now) != nil } ?? campaigns.campaigns.first
        guard let campaign else { throw Problem(.campaignUnknown, param: "campaign") }
        return .json(capacity: 512) { json in
            json.object { json in
                json.field("campaign", campaign.key)
                json.key("apps")
                json.array { json in
                    for app in campaign.apps {
                        json.object { json in
                            json.field("id", app.key)
                            json.field("name", app.name)
                        }
                    }
                }
            }
        }
    }
}
