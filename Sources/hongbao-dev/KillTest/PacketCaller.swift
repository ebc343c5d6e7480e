import Foundation
import HongbaoCore

/// A campaign that grants subsidies, people who send red packets with them, and crowds that claim: each asks until they
/// know, and writes it down.
struct PacketCaller: Sendable {
    let people: PersonCaller
    let serviceKey: String
    let campaign: String
    let book: PacketBook

    static let scene = "rain-subsidy"

    /// From the subsidy to the last who claims. Whoever is cancelled meanwhile leaves it unfinished.
    func play(_ plan: PacketBook.Plan) async throws {
        if book.id(of: plan) == nil {
            try await grant(plan)
            try await send(plan)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for person in plan.claimants where book.told(plan, person) == nil {
                group.addTask { try await claim(plan, person) }
            }
            try await group.waitForAll()
        }
        // The same again.
        for person in plan.claimants.prefix(2) { try await claim(plan, person) }
    }

    private func grant(_ plan: PacketBook.Plan) async throws {
        let body = GrantCaller.body(campaign, scene: Self.scene, plan.subsidy, amount: plan.amount)
        let answer = try await people.caller.askUntilKnown("/v1/grants", body, as: serviceKey) { answer in
            book.breach("\(plan.name), its subsidy: \(answer.text)")
        }
        if try answer.object()?["order"] as? String != "\(plan.subsidy)" {
            book.breach("\(plan.name), its subsidy: \(answer.text)")
        }
    }

    private func send(_ plan: PacketBook.Plan) async throws {
        let body =
            #"{"id":"\#(plan.name)","kind":"b2c","count":\#(PacketBook.shares),"split":"\#(plan.split)""#
            + #","scope":"everyone","subsidy":"\#(plan.subsidy)"}"#
        let token = try people.token(plan.sender)
        let answer = try await people.caller.askUntilKnown("/v1/red-packets", body, as: token) { answer in
            book.breach("\(plan.name), sending it: \(answer.text)")
        }
        guard let id = try (answer.object()?["packet"] as? String).flatMap(UInt64.init) else {
            return book.breach("\(plan.name), sending it: \(answer.text)")
        }
        book.noteSent(plan, RedPacketID(id))
    }

    private func claim(_ plan: PacketBook.Plan, _ person: PersonID) async throws {
        guard let id = book.id(of: plan) else { return }
        let answer = try await people.caller.askUntilKnown(
            "/v1/red-packets/\(id.rawValue)/claims",
            "{}",
            as: try people.token(person),
            isDue: { try $0.status == 200 || $0.object()?["code"] as? String == "exhausted" },
            breach: { book.breach("\(plan.name), claiming it: \($0.text)") }
        )
        if answer.status != 200 { return book.note(plan, person, .exhausted) }
        guard let fen = try (answer.object()?["amount"] as? NSNumber)?.int64Value else {
            return book.breach("\(plan.name), claiming it: \(answer.text)")
        }
        book.note(plan, person, .share(fen: fen))
    }
}
