import HongbaoCore
import HongbaoEngine

/// What people do with coupons: use them, theirs and none.
extension Client {
    /// An inventory with more left isn't used up: it would take too long.
    private static let usablePieces: Int64 = 60

    /// A request for a coupon, seldom for a certain one.
    func couponRequest(by person: PersonID) -> GrantRequest {
        let named = [nil, nil, nil, Setup.Coupons.keys[0], Setup.Coupons.keys[1]][world.draw(5)]
        return GrantRequest(
            campaign: Setup.campaign,
            scene: Setup.couponKey,
            rain: RainID(UInt16(world.draw(Int(Setup.rainMax)) + 1)),
            awardType: 1,
            stage: UInt8(world.draw(2)),
            person: person,
            app: Setup.apps[world.draw(2)],
            rewardID: named
        )
    }

    func redeem() async {
        let own = memory.tokens.filter { world.auditor.isCoupon($0.order) }
        guard !own.isEmpty else { return world.auditor.note(-12) }
        let order = own[own.count - 1 - world.draw(min(own.count, 8))].order
        let before = world.auditor.rewardState(of: order)
        let outcome = await process().call { engine -> RedeemOutcome? in
            do throws(StoreError) {
                return try await engine.rewards.redeem(order)
            } catch {
                return nil
            }
        }
        guard let outcome = outcome ?? nil else { return world.auditor.note(-13) }
        world.auditor.redeemed(outcome, order, before: before)
    }

    /// BU-5: each inventory can be given away to its reserve, and no further.
    func useUpInventories() async {
        guard let coupons = setup.coupons, let live = phase() else { return }
        for (place, key) in Setup.Coupons.keys.enumerated() {
            let template = TemplateID(book: live.book, number: Setup.Coupons.number(of: key))
            guard let pieces = coupons.pieces(of: template.number) else { continue }
            let issuable = pieces - coupons.reserve(of: template.number)
            guard issuable - world.auditor.couponCount(of: template) <= Self.usablePieces else { continue }
            var number = UInt64(place) * 1_000 + 9_000
            // A quota lets a few through at a time.
            for _ in 0..<200 where world.auditor.couponCount(of: template) < issuable {
                var request = couponRequest(by: PersonID(number))
                request.rewardID = key
                request.rain = RainID(1)
                number += 1
                await world.pause(milliseconds: 300)
                _ = await give([request], attempts: 1)
            }
            if world.auditor.couponCount(of: template) < issuable {
                world.auditor.violation("BU-3: what is left of an inventory can't be given away")
            }
        }
    }
}
