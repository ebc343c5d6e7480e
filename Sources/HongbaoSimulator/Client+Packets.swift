import HongbaoCore
import HongbaoEngine

/// What people do with red packets: send, pay, claim in crowds, look.
extension Client {
    /// Those who claim; the first of them also send and have wallets.
    private static let claimants: Int = 12
    private static let sharesMax: Int = 8

    /// Answers how many operations that was.
    func handlePackets() async -> Int {
        let known = memory.packets
        switch world.draw(10) {
        case ..<3:
            if setup.givesSubsidies, world.draw(3) == 0 { await sendBySubsidy() } else { await sendPacket() }
            return 1
        case ..<8:
            guard !known.isEmpty else { return 1 }
            // Mostly one of the latest, which are open.
            let packet = known[known.count - 1 - world.draw(min(known.count, world.draw(4) == 0 ? 40 : 3))]
            let crowd = (0...world.draw(world.draw(2) == 0 ? 10 : 2)).map { _ in
                PersonID(UInt64(world.draw(Self.claimants) + 1))
            }
            await withTaskGroup(of: Void.self) { group in
                for person in crowd { group.addTask { await self.claim(packet, by: person) } }
            }
            return crowd.count
        default:
            if !known.isEmpty { await look(at: known[world.draw(known.count)]) }
            return 1
        }
    }

    // MARK: Sending

    private func sendPacket() async {
        guard let book = phase()?.book, let draft = draft(in: book) else { return }
        memory.keep(draft)
        let answer = await process().call { engine in await engine.packets.send(draft) }
        switch answer {
        case .sent(let packet), .replayed(let packet):
            world.auditor.sent(packet, draft)
            memory.keep(packet)
            await pay(packet)
        case .conflict: world.auditor.conflicts(draft)
        case .unavailable, nil: world.auditor.note(-4)
        case .subsidyMismatch, .subsidyUsed, .subsidyUnknown:
            world.auditor.violation("RP-2: a packet without a subsidy is refused for one")
        }
    }

    /// Mostly something new, sometimes a repeat, and of those some with another amount.
    private func draft(in book: BookID) -> RedPacketDraft? {
        let known = memory.drafts
        let isRepeat = !known.isEmpty && world.draw(4) == 0
        let earlier = isRepeat ? known[world.draw(known.count)] : nil
        if let earlier, world.draw(3) > 0 { return earlier }
        let count = world.draw(Self.sharesMax) + 1
        let sender = PersonID(UInt64(world.draw(Self.people) + 1))
        guard let amount = Amount(fen: Int64(count + world.draw(300))),
            let split = Split(world.draw(2) == 0 ? .equal : .lucky, amount: amount, count: count),
            let key = earlier?.key ?? SendKey(sender: sender, book: book, id: "p\(world.draw(100_000))"),
            let cover = RedPacket.Cover()
        else { return nil }
        return RedPacketDraft(key: key, kind: .c2c, split: split, scope: scope(), cover: cover)
    }

    private func scope() -> RecipientScope {
        switch world.draw(8) {
        case 0: return .followers
        case 1: return .friends
        case 2: return .list((0..<4).map { _ in PersonID(UInt64(world.draw(Self.claimants) + 1)) }) ?? .everyone
        default: return .everyone
        }
    }

    /// Goes to the cashier; some never arrive, some come back.
    private func pay(_ packet: RedPacket) async {
        guard packet.kind == .c2c, world.draw(12) > 0 else { return }
        let answer = await process().call { engine in await engine.payments.open(packet) }
        guard case .page? = answer else { return world.auditor.note(-5) }
        if world.draw(3) == 0 { await world.pause(milliseconds: world.draw(3_000)) }
        cashier.visit(packet.paymentOrder)
    }

    // MARK: Claiming

    private func claim(_ packet: RedPacket, by person: PersonID) async {
        let key = ClaimKey(packet: packet.id, person: person)
        let wasFunded = world.auditor.isFunded(packet.id)
        let wasAcknowledged = world.auditor.isAcknowledged(key)
        let jumps = world.jumps
        let target = world.happens(world.faults.strays) ? staleProcess() : process()
        // One that was taken over doesn't know of later merges.
        let hadShare = target === process() && world.auditor.isAcknowledgedToAnyName(key)
        let answer = await target.call { engine in await engine.packets.claim(packet.id, by: person) }
        switch answer {
        case .decided(.claimed(let claim, let left)):
            world.auditor.claimed(claim, key, left: left, isReplay: false)
            if wasAcknowledged || hadShare { world.auditor.violation("RP-11: somebody claims twice") }
        case .decided(.alreadyClaimed(let claim, let left)):
            world.auditor.claimed(claim, key, left: left, isReplay: true)
        case .decided(let outcome):
            let now = world.now
            let isSameTime = world.jumps == jumps
            world.auditor.refused(outcome, key, wasFunded: wasFunded, wasAcknowledged: wasAcknowledged) { end in
                isSameTime && now < end
            }
        case .tryLater: world.auditor.note(-6)
        case .unavailable, nil: world.auditor.note(-7)
        }
    }

    // MARK: Looking

    private func look(at packet: RedPacket) async {
        let person = PersonID(UInt64(world.draw(Self.claimants) + 1))
        let isAcknowledged = world.auditor.isAcknowledged(ClaimKey(packet: packet.id, person: person))
        let (view, page) =
            await process().call { engine in
                do throws(StoreError) {
                    let view = try await engine.packets.look(packet.id, as: person)
                    return (view, try await engine.packets.claims(of: packet.id, limit: 100))
                } catch {
                    return (nil, nil) as (PacketView?, ClaimPage?)
                }
            } ?? (nil, nil)
        if let page { world.auditor.looked(page.claims, of: packet.id) }
        guard let view else { return world.auditor.note(-8) }
        if isAcknowledged, view.mine == nil { world.auditor.violation("RP-3: an own share isn't shown") }
        if view.seed != nil, world.auditor.isOpen(packet.id) {
            world.auditor.violation("RP-10: a seed is shown while shares can be claimed")
        }
    }
}
