import HongbaoCore
import HongbaoEngine
import Hummingbird

/// What services may look up: budgets, inventories, and a person's sums (BU-3, BU-6, SK-1).
struct ServiceReadRoutes: Sendable {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/v1/budgets/{campaign}/{scene}", about: .anybody, .service(.read, budget)),
            Route(.get, "/v1/inventory/{template}", about: .anybody, .service(.read, inventory)),
            Route(
                .get,
                "/v1/persons/{person}/summary",
                isCutOff: false,
                about: .capturedPersonsWallet,
                .service(.read, summary)
            ),
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
                json.field("budget", view.total.fen)
                json.field("issued", view.issued.fen)
                json.field("leased", view.leased.fen)
                json.field("available", view.available.fen)
            }
        }
    }

    /// Of a coupon or pendant by the key of its reward ID. Where several campaigns give one of that name, the caller
    /// says which is meant.
    private func inventory(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        let template = String(call.captures[0])
        let named = try Query(call.head, allowed: ["campaign"]).name("campaign")
        if let named, !service.allows(campaign: named) { throw .forbiddenCampaign }
        let campaigns = services.campaigns().campaigns.filter { campaign in
            named.map { $0 == campaign.key } ?? service.allows(campaign: campaign.key)
        }
        var found: [BudgetView] = []
        do throws(StoreError) {
            for campaign in campaigns {
                if let view = try await services.inventory(campaign.key, template) { found.append(view) }
            }
        } catch {
            throw Problem(error)
        }
        guard let view = found.first else { throw Problem(.notFound) }
        guard found.count == 1 else {
            throw Problem(.malformed, param: "campaign", detail: "Several campaigns give it: say which is meant.")
        }
        return .json { json in
            json.object { json in
                json.field("template", template)
                json.field("kind", view.kind.rawValue)
                json.field("unlimited", view.isUnlimited)
                if !view.isUnlimited {
                    json.field("total", view.total.fen)
                    json.field("available", view.available.fen)
                    json.field("reserve", view.reserve.fen)
                }
                json.field("consumed", view.issued.fen)
                json.field("leased", view.leased.fen)
                json.field("stranded", view.stranded.fen)
            }
        }
    }

    private func summary(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        guard let person = UInt64(canonicalDecimal: call.captures[0].utf8), person > 0 else { throw Problem(.notFound) }
        let campaign = try Query(call.head, allowed: ["campaign"]).requiredName("campaign")
        guard service.allows(campaign: campaign) else { throw .forbiddenCampaign }
        let reading = try await services.reading(of: PersonID(person), campaign)
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
