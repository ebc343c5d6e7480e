import Foundation
import HongbaoCore

/// An account centre and a campaign that have people who turn out to be one.
struct TwinCaller: Sendable {
    let caller: Caller
    let serviceKey: String
    let campaign: String
    let book: TwinBook

    static let scene = "friend-rain"

    /// From their first login to what they have as one. Whoever is cancelled meanwhile leaves it unfinished.
    func play(_ twins: TwinBook.Twins) async throws {
        if book.people(twins).isEmpty {
            let first = try await person(twins, .first, "resolve", phone: twins.phone)
            book.note(twins, people: [first, try await person(twins, .second, "resolve")])
        }
        for stage in UInt8(0)..<6 { try await grant(twins, stage, stage < 3 ? .first : .second) }
        // Meanwhile both are given something.
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let one = try await person(twins, .second, "bind", phone: twins.phone)
                if one != book.people(twins).first { book.breach("ID-3: twins \(twins.number) are \(one.rawValue)") }
            }
            group.addTask { try await grant(twins, 6, .first) }
            group.addTask { try await grant(twins, 7, .second) }
            try await group.waitForAll()
        }
        // The same by the other name, which gets nothing new.
        for stage in UInt8(0)..<8 { try await grant(twins, stage, stage < 3 || stage == 6 ? .second : .first) }
        book.noteDone(twins)
    }

    /// Who a user is.
    private func person(
        _ twins: TwinBook.Twins,
        _ name: TwinBook.Name,
        _ what: String,
        phone: String? = nil
    ) async throws -> PersonID {
        let (app, user) = twins.users[name.rawValue]
        let fields = phone.map { #","phone":"\#($0)""# } ?? ""
        let body = #"{"app":"\#(app)","user":"\#(user)"\#(fields)}"#
        let answer = try await caller.askUntilKnown("/v1/accounts/\(what)", body, as: serviceKey) { answer in
            book.breach("twins \(twins.number), \(what): \(answer.text)")
        }
        guard let number = try (answer.object()?["person"] as? String).flatMap(UInt64.init) else {
            throw KillTestFault("POST /v1/accounts/\(what): \(answer.text)")
        }
        return PersonID(number)
    }

    private func grant(_ twins: TwinBook.Twins, _ stage: UInt8, _ name: TwinBook.Name) async throws {
        let order = OrderNumber(
            person: book.people(twins)[name.rawValue],
            scene: book.scene,
            rain: RainID(1),
            awardType: 1,
            stage: stage
        )
        let body = GrantCaller.body(campaign, scene: Self.scene, order, amount: twins.amount(stage))
        let answer = try await caller.askUntilKnown("/v1/grants", body, as: serviceKey) { answer in
            book.breach("twins \(twins.number), a grant: \(answer.text)")
        }
        guard let told = try answer.object(), let order = (told["order"] as? String).flatMap(OrderNumber.init),
            (told["amount"] as? NSNumber)?.int64Value == twins.amount(stage), let isReplay = told["replayed"] as? Bool
        else { return book.breach("twins \(twins.number), a grant: \(answer.text)") }
        book.note(twins, stage, order, isReplay: isReplay)
    }
}
