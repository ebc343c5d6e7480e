import HongbaoCore
import Hummingbird
import NIOCore

/// Signing in to the demo. Not there at all where the demo is off.
struct DemoRoutes: Sendable {
    let services: GatewayServices
    let accounts: DemoAccounts

    var routes: [Route] {
        [
            Route(.post, "/v1/demo/login", body: .json, isCutOff: true, about: .anybody, .open(login)),
            Route(.get, "/v1/demo/apps", .open(apps)),
        ]
    }

    private func login(_ call: Call) async throws(Problem) -> Response {
        let asked = try AccountRequest(call.body, takesJoin: false)
        let (login, app) = try asked.login(services.campaigns())
        let person = try await services.identities.resolve(login).person
        let token: String
        do {
            token = try accounts.token(for: person, app: app, at: call.now)
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
