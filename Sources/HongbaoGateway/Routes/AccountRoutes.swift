import HongbaoCore
import HongbaoEngine
import Hummingbird

/// The account centre for services: who a user is, and what becomes of them when they bind a phone (ID-2, ID-3).
struct AccountRoutes: Sendable {
    let identities: IdentityServices
    let campaigns: @Sendable () -> CampaignSet

    var routes: [Route] {
        [
            Route(.post, "/v1/accounts/resolve", body: .json, about: .anybody, .service(.accounts, resolve)),
            Route(.post, "/v1/accounts/bind", body: .json, about: .anybody, .service(.accounts, bind)),
        ]
    }

    private func resolve(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        let login = try AccountRequest(call.body, takesJoin: false).login(campaigns()).login
        return try Self.response(await identities.resolve(login))
    }

    private func bind(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        let asked = try AccountRequest(call.body, takesJoin: true)
        guard asked.phone != nil else { throw Problem(JSONFault(.missingField, field: "phone")) }
        let login = try asked.login(campaigns()).login
        return try Self.response(await identities.bind(login, asked.joins ? .always : .ifAlone))
    }

    private static func response(_ answer: IdentityAnswer) throws(Problem) -> Response {
        let (person, isNew, merged) = try answer.found
        return .json(capacity: 128) { json in
            json.object { json in
                json.field("person", decimal: person.rawValue)
                json.field("new", isNew)
                if let merged { json.field("merged", decimal: merged.rawValue) }
            }
        }
    }
}
