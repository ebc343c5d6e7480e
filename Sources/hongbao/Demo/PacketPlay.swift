import Foundation
import HongbaoProto
import HongbaoServer

/// Red packets after the rain, over HTTP: people send and pay, a crowd claims, everybody looks, and what nobody claimed
/// goes back.
struct PacketPlay: Sendable {
    let api: DemoClient
    let people: [Rain.Person]
    let campaign: String
    /// Is told of a subsidy's amount when it's granted.
    let granted: @Sendable (Int64) -> Void
    let say: @Sendable (String) -> Void

    /// How long packets can be claimed in the demo, instead of a day.
    static let lifeSeconds = 10
    private static let shares = 200
    private static let amount: Int64 = 20_000
    private static let subsidyAmount: Int64 = 888
    private static let subsidyShares = 8

    private struct Outcome: Sendable {
        var shares: [Int64] = []
        var refused: [String: Int] = [:]
    }

    /// - Returns: whether everything that was checked holds.
    func play() async throws -> Bool {
        let isFull = try await claimed(by: people.count, name: "full")
        let isHalf = try await claimed(by: min(people.count, Self.shares / 2), name: "half")
        let isGiven = try await subsidised()
        return isFull && isHalf && isGiven
    }

    // MARK: Paid by a person

    /// Somebody sends a lucky packet, pays for it at the cashier, and so many people claim at once.
    private func claimed(by crowd: Int, name: String) async throws -> Bool {
        let sender = people[0]
        let fields = """
            "id":"demo-\(name)","kind":"c2c","amount":\(Self.amount),"count":\(Self.shares),"split":"lucky",\
            "scope":"everyone","greeting":"恭喜发财"
            """
        let sent = try await api.send(sender.jwt, fields)
        guard let page = sent.paymentPage else { throw StartFault("a packet without a page to pay it") }
        try await api.pay(page)
        guard try await comes("open", sent, sender, within: 30) else {
            say("packets  \(sent.id) was paid and isn't open")
            return false
        }
        let outcome = try await claims(of: sent, by: Array(people.suffix(crowd)))
        let sum = outcome.shares.reduce(0, +)
        say(
            "packet   \(AuditText.yuan(Int128(Self.amount))) in \(Self.shares) lucky shares: \(crowd) people claimed, "
                + "\(outcome.shares.count) got \(AuditText.yuan(Int128(sum)))"
        )
        let isRight = outcome.shares.count == min(crowd, Self.shares) && outcome.shares.allSatisfy { $0 > 0 }
        let isWhole = crowd < Self.shares || sum == Self.amount
        let end = crowd < Self.shares ? "refunded" : "finished"
        guard try await comes(end, sent, sender, within: Self.lifeSeconds + 60) else {
            say("packet   \(sent.id) isn't \(end)")
            return false
        }
        if crowd < Self.shares { say("refund   \(AuditText.yuan(Int128(Self.amount - sum))) went back") }
        let isShown = try await agrees(sent, outcome, sender)
        return isRight && isWhole && isShown
    }

    private func claims(of packet: DemoClient.SentPacket, by crowd: [Rain.Person]) async throws -> Outcome {
        let answers = try await concurrently(crowd.count, width: 256) { index in
            try await api.claim(crowd[index].jwt, packet.id)
        }
        return answers.reduce(into: Outcome()) { outcome, answer in
            switch answer {
            case .share(let amount): outcome.shares.append(amount)
            case .refused(let code): outcome.refused[code, default: 0] += 1
            }
        }
    }

    /// The details say what the claimants were told, and mark one luckiest: the first of the best (RP-3).
    private func agrees(_ packet: DemoClient.SentPacket, _ outcome: Outcome, _ person: Rain.Person) async throws -> Bool
    {
        let details = try await api.details(person.jwt, packet.id)
        let best = details.shares.map(\.amount).max()
        let first = details.shares.firstIndex { $0.amount == best }
        let marked = details.shares.indices.filter { details.shares[$0].isLuckiest }
        let isSame = details.shares.map(\.amount).sorted() == outcome.shares.sorted()
        let isMarked = marked == (first.map { [$0] } ?? [])
        if let best { say("luckiest \(AuditText.yuan(Int128(best))); the split is open: \(details.isRevealed)") }
        if !isSame || !isMarked || !details.isRevealed { say("details  of \(packet.id) say something else") }
        return isSame && isMarked && details.isRevealed
    }

    // MARK: Paid by a subsidy

    /// The rain gives somebody a subsidy; they send a packet with it, and those who claim have it in their wallets.
    private func subsidised() async throws -> Bool {
        guard people.count > Self.subsidyShares else { return true }
        let sender = people[1]
        try await give(Self.subsidyAmount, to: sender)
        guard let subsidy = try await api.subsidies(sender.jwt).first(where: { $0.amount == Self.subsidyAmount }) else {
            say("subsidy  isn't listed")
            return false
        }
        let fields = """
            "id":"demo-subsidy","kind":"b2c","count":\(Self.subsidyShares),"split":"equal","scope":"everyone",\
            "subsidy":"\(subsidy.order)"
            """
        let crowd = Array(people.suffix(Self.subsidyShares))
        let before = try await balances(of: crowd)
        let sent = try await api.send(sender.jwt, fields)
        let outcome = try await claims(of: sent, by: crowd)
        let sum = outcome.shares.reduce(0, +)
        say(
            "subsidy  \(AuditText.yuan(Int128(subsidy.amount))) sent as a packet: \(outcome.shares.count) people got "
                + AuditText.yuan(Int128(sum))
        )
        guard sum == subsidy.amount, try await api.subsidies(sender.jwt).allSatisfy({ $0.order != subsidy.order })
        else {
            say("subsidy  wasn't used up")
            return false
        }
        for _ in 0..<100 {
            if try await balances(of: crowd) == before + sum { return true }
            try await Task.sleep(for: .milliseconds(200))
        }
        say("wallets  don't show what was claimed")
        return false
    }

    private func give(_ amount: Int64, to person: Rain.Person) async throws {
        var request = WireGrantRequest()
        request.campaign = campaign
        request.scene = "rain-subsidy"
        request.rain = 1
        request.awardType = 3
        request.stage = 0
        request.person = person.id
        request.app = person.app
        request.amount = amount
        var batch = WireGrantBatch()
        batch.grants = [request]
        guard let result = try await api.grant(batch).results.first, !result.hasError else {
            throw StartFault("a subsidy wasn't granted")
        }
        granted(amount)
    }

    private func balances(of crowd: [Rain.Person]) async throws -> Int64 {
        try await concurrently(crowd.count, width: 8) { try await api.wallet(crowd[$0].jwt).balance }.reduce(0, +)
    }

    private func comes(
        _ state: String,
        _ packet: DemoClient.SentPacket,
        _ person: Rain.Person,
        within seconds: Int
    ) async throws -> Bool {
        for _ in 0..<seconds * 5 {
            if try await api.packetState(person.jwt, packet.id) == state { return true }
            try await Task.sleep(for: .milliseconds(200))
        }
        return false
    }
}
