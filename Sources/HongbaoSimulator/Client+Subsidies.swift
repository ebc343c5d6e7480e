import HongbaoCore
import HongbaoEngine

/// What people do with subsidies: send packets that these pay for, and try more than that.
extension Client {
    private static let sharesMax: Int = 8

    /// What somebody asks for.
    private struct Wish {
        let draft: RedPacketDraft
        let subsidy: OrderNumber
        let tokens: [[UInt8]]
    }

    func sendBySubsidy() async {
        guard let wish = wish() else { return world.auditor.note(-9) }
        let (draft, order) = (wish.draft, wish.subsidy)
        memory.keep(draft, by: order)
        let floor = world.auditor.floor(of: order.person)
        let wasBooked = world.auditor.isBooked(order)
        let target = process()
        let answer = await target.call { engine in
            await engine.packets.send(draft, by: order, tokens: wish.tokens)
        }
        switch answer {
        case .sent(let packet), .replayed(let packet):
            world.auditor.sent(packet, draft, by: order)
            memory.keep(packet)
        case .unavailable, nil: world.auditor.note(-10)
        case .conflict?, .subsidyMismatch?, .subsidyUsed?, .subsidyUnknown?:
            guard let answer else { return }
            world.auditor.refused(answer, draft, order, wasBooked: wasBooked, floor: floor)
        }
    }

    /// Mostly one of the latest of somebody's own, which may be used already; sometimes another's, or none at all, or
    /// an earlier wish again.
    private func wish() -> Wish? {
        let known = memory.wishes
        if !known.isEmpty, world.draw(4) == 0 {
            let earlier = known[world.draw(known.count)]
            let other = world.draw(3) == 0 ? known[world.draw(known.count)].subsidy : earlier.subsidy
            return Wish(draft: earlier.draft, subsidy: other, tokens: [])
        }
        let given = memory.tokens.filter { world.auditor.isSubsidy($0.order) }
        guard !given.isEmpty else { return nil }
        let kept = given[given.count - 1 - world.draw(min(given.count, 8))]
        var order = kept.order
        var (sender, fen) = (order.person, kept.amount)
        switch world.draw(10) {
        case 0: sender = PersonID(UInt64(world.draw(Self.people) + 1))
        case 1: fen += 1
        case 2:
            let number = RainID(Setup.rainMax + 1)
            order = OrderNumber(
                person: order.person,
                scene: order.scene,
                rain: number,
                awardType: order.awardType,
                stage: order.stage
            )
        default: break
        }
        let count = world.draw(min(Self.sharesMax, Int(clamping: fen))) + 1
        guard let amount = Amount(fen: fen), let cover = RedPacket.Cover(),
            let split = Split(world.draw(2) == 0 ? .equal : .lucky, amount: amount, count: count),
            let key = SendKey(sender: sender, book: order.book, id: "s\(world.draw(100_000))")
        else { return nil }
        let draft = RedPacketDraft(key: key, kind: .b2c, split: split, scope: .everyone, cover: cover)
        return Wish(draft: draft, subsidy: order, tokens: world.draw(2) == 0 ? [kept.token] : [])
    }
}
