import HongbaoCore
import HongbaoEngine
import Hummingbird

/// What services may look up: budgets, inventories, and a person's sums (BU-3, BU-6, SK-1).
struct ServiceReadRoutes: Sendable {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/v1/budgets/{campaign}/{scene}", .service(.read, budget)),
            Route(.get, "/v1/inventory/{template}", .service(.read, inventory)),
            Route(.get, "/v1/persons/{person}/summary", isCutOff: false, .service(.read, summary)),
        ]
    }

    private func budget(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        let campaign = String(call.captures[0])
        guard service.allows(campaign: campaign) else { throw .forbiddenCampaign }
        guard services.campaigns().campaign(campaign) != nil else {
            throw Problem(.campaignUnknown, param: "campaign")
        }
        let found: BudgetView?
        do throws(StoreError) {
            found = try await services.budget(campaign, String(call.captures[1]))
        } catch {
            throw Problem(error)
        }
        guard let view = found else { throw Problem(.notFound) }
        return .json { json in
            json.object { json in
                json.field("budget", view.budget.fen)
                json.field("issued", view.issued.fen)
                json.field("leased", view.leased.fen)
                json.field("available", view.available.fen)
            }
        }
    }

    /// There are no templates until coupons are given.
    private func inventory(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        throw Problem(.notFound)
    }

    private func summary(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        guard let person = UInt64(canonicalDecimal: call.captures[0].utf8), person > 0 else { throw Problem(.notFound) }
        let campaign = try Query(call.head, allowed: ["campaign"]).requiredName("campaign")
        guard service.allows(campaign: campaign) else { throw .forbiddenCampaign }
        let reading = try await services.wallet(PersonID(person), campaign, []).reading()
        return .json { json in
            json.object { json in
                json.field("balance", reading.view.balance)
                json.field("income", reading.view.income.fen)
                json.field("received", reading.view.income > .zero)
                json.write(missing: reading)
            }
        }
    }
}
