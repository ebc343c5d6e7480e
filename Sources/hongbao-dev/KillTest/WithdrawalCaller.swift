import Foundation
import HongbaoCore

/// People with their wallets as a kill test plays them: they ask for withdrawals and write down every answer.
struct WithdrawalCaller: Sendable {
    let people: PersonCaller
    let campaign: String
    var book: WithdrawalBook

    func ask(_ asked: WithdrawalBook.Asked) async throws {
        let body = #"{"campaign":"\#(campaign)","id":"\#(asked.id)","amount":\#(asked.amount)}"#
        try take(try await people.post("/v1/wallet/withdrawals", body, as: asked.person), asked)
    }

    /// Asks what has become of it.
    func look(_ asked: WithdrawalBook.Asked) async throws {
        let path = "/v1/wallet/withdrawals/\(asked.id)?campaign=\(campaign)"
        try take(try await people.get(path, as: asked.person), asked)
    }

    private func take(_ answer: Caller.Answer, _ asked: WithdrawalBook.Asked) throws {
        if answer.isPassing { return }
        guard let told = try answer.object() else {
            return book.breach("withdrawal \(asked.index): \(answer.text)")
        }
        if told["code"] as? String == "insufficient_balance" { return book.note(asked, .refused) }
        guard answer.status == 200, told["id"] as? String == asked.id,
            (told["amount"] as? NSNumber)?.int64Value == asked.amount,
            let state = (told["state"] as? String).flatMap(WithdrawalBook.Told.init(rawValue:))
        else { return book.breach("withdrawal \(asked.index): \(answer.text)") }
        book.note(asked, state)
    }
}
