package import HongbaoCore
package import HongbaoEngine

/// What kind of trouble a code stands for: the first thing that a caller decides by.
package enum ErrorKind: String, Hashable, Sendable, CaseIterable {
    /// The request itself is wrong; the same request will never do.
    case invalid
    case unauthorized
    /// The rules say no.
    case refused
    case conflict
    case limited
    case unavailable
    case `internal`
}

/// The stable codes of the wire. A code is never given another meaning, and never removed.
package enum ErrorCode: String, Hashable, Sendable, CaseIterable {
    case malformed
    case unknownField = "unknown_field"
    case amountInvalid = "amount_invalid"
    case campaignUnknown = "campaign_unknown"
    case sceneUnknown = "scene_unknown"
    case appUnknown = "app_unknown"
    case rewardUnknown = "reward_unknown"
    case orderPartInvalid = "order_part_invalid"
    case notInPhase = "not_in_phase"
    case personMismatch = "person_mismatch"
    case overCap = "over_cap"
    case budgetExhausted = "budget_exhausted"
    case stockExhausted = "stock_exhausted"
    case quotaExhausted = "quota_exhausted"
    case rewardRefused = "reward_refused"
    case orderConflict = "order_conflict"
    case tryAgain = "try_again"
    case alreadyClaimed = "already_claimed"
    case exhausted
    case expired
    case notPaid = "not_paid"
    case outOfScope = "out_of_scope"
    case subsidyMismatch = "subsidy_mismatch"
    case subsidyUsed = "subsidy_used"
    case phoneInUse = "phone_in_use"
    case paymentClosed = "payment_closed"
    case paymentUnavailable = "payment_unavailable"
    case insufficientBalance = "insufficient_balance"
    case withdrawalClosed = "withdrawal_closed"
    case tokenInvalid = "token_invalid"
    case switchedOff = "switched_off"
    case overloaded
    case rateLimited = "rate_limited"
    case notFound = "not_found"
    case unauthorized
    case forbidden
    case methodNotAllowed = "method_not_allowed"
    case unsupportedMediaType = "unsupported_media_type"
    case bodyTooLarge = "body_too_large"
    case unavailable
    case `internal`
}

/// All that the wire says about a code.
package struct ErrorRow: Hashable, Sendable {
    package let status: Int
    package let kind: ErrorKind
    package let isRetryable: Bool
    package let title: String

    init(_ status: Int, _ kind: ErrorKind, _ title: String, retryable: Bool = false) {
        self.status = status
        self.kind = kind
        self.isRetryable = retryable
        self.title = title
    }

    /// Seconds for `Retry-After`, which goes with 429 and 503 and with nothing else.
    package var retryAfterSeconds: Int? { status == 429 || status == 503 ? 1 : nil }
}

extension ErrorCode {
    /// The one table of codes.
    package var row: ErrorRow {
        switch self {
        case .malformed: ErrorRow(400, .invalid, "The request can't be read as documented.")
        case .unknownField: ErrorRow(400, .invalid, "The request has a field that isn't documented.")
        case .unauthorized: ErrorRow(401, .unauthorized, "Credentials are missing, wrong or expired.")
        case .forbidden: ErrorRow(403, .unauthorized, "These credentials don't allow it.")
        case .campaignUnknown: ErrorRow(404, .invalid, "There is no such campaign.")
        case .sceneUnknown: ErrorRow(404, .invalid, "There is no such scene in the campaign's present phase.")
        case .notFound: ErrorRow(404, .invalid, "There is no such thing here.")
        case .methodNotAllowed: ErrorRow(405, .invalid, "The address doesn't take this method.")
        case .bodyTooLarge: ErrorRow(413, .invalid, "The body is larger than allowed.")
        case .unsupportedMediaType: ErrorRow(415, .invalid, "The body's media type isn't accepted here.")
        case .amountInvalid: ErrorRow(422, .invalid, "The amount isn't a whole, positive number of fen, or is missing.")
        case .appUnknown: ErrorRow(422, .invalid, "The app isn't one of the campaign's.")
        case .rewardUnknown: ErrorRow(422, .invalid, "The scene doesn't give this reward.")
        case .orderPartInvalid:
            ErrorRow(422, .invalid, "Rain, award type or stage is outside what the scene's order rule takes.")
        case .personMismatch: ErrorRow(422, .invalid, "The order number isn't that of this person and request.")
        case .tokenInvalid: ErrorRow(422, .invalid, "The grant token doesn't verify for this person.")
        case .subsidyMismatch: ErrorRow(422, .invalid, "The subsidy isn't this person's, or is of another amount.")
        case .outOfScope: ErrorRow(403, .refused, "The person isn't among those it is meant for.")
        case .notInPhase: ErrorRow(409, .refused, "No phase of the campaign is on, or the person isn't admitted to it.")
        case .overCap: ErrorRow(422, .refused, "The amount is above the cap for a single grant of the scene.")
        case .budgetExhausted: ErrorRow(409, .refused, "The scene's budget is used up.")
        case .stockExhausted: ErrorRow(409, .refused, "The stock is used up.")
        case .quotaExhausted:
            ErrorRow(429, .limited, "What may be given at this time is given: come back soon.", retryable: true)
        case .rewardRefused: ErrorRow(409, .refused, "Whoever honours it doesn't give it.")
        case .exhausted: ErrorRow(409, .refused, "All shares are taken.")
        case .expired: ErrorRow(409, .refused, "It's too late.")
        case .notPaid: ErrorRow(409, .refused, "It isn't paid for yet.")
        case .subsidyUsed: ErrorRow(409, .conflict, "The subsidy has paid for another red packet.")
        case .phoneInUse:
            ErrorRow(409, .conflict, "The phone is another person's, and others share the wallet that would join it.")
        case .paymentClosed: ErrorRow(409, .refused, "Nobody takes payments for red packets here.")
        case .insufficientBalance: ErrorRow(409, .refused, "The balance is lower than the amount.")
        case .withdrawalClosed: ErrorRow(409, .refused, "Withdrawal isn't open for this person now.")
        case .switchedOff: ErrorRow(409, .refused, "It's switched off at present.")
        case .alreadyClaimed: ErrorRow(409, .conflict, "The person has claimed a share already.")
        case .orderConflict: ErrorRow(409, .conflict, "The same identifier came before with other content.")
        case .tryAgain: ErrorRow(429, .limited, "Too many at once: try again.", retryable: true)
        case .rateLimited: ErrorRow(429, .limited, "Too many requests: slow down.", retryable: true)
        case .overloaded: ErrorRow(503, .unavailable, "The server is busy: come back later.", retryable: true)
        case .paymentUnavailable:
            ErrorRow(
                503,
                .unavailable,
                "The cashier can't be reached; repeat the same request later, and it goes on.",
                retryable: true
            )
        case .unavailable:
            ErrorRow(503, .unavailable, "It can't be done now; repeat the same request later.", retryable: true)
        case .internal: ErrorRow(500, .internal, "The server made a mistake.")
        }
    }
}

extension GrantRefusal {
    package var problem: Problem {
        switch self {
        case .campaignUnknown: Problem(.campaignUnknown, param: "campaign")
        case .notInPhase: Problem(.notInPhase)
        case .sceneUnknown: Problem(.sceneUnknown, param: "scene")
        case .appUnknown: Problem(.appUnknown, param: "app")
        case .rewardUnknown: Problem(.rewardUnknown, param: "rewardID")
        case .orderPartInvalid: Problem(.orderPartInvalid)
        case .openedAtInvalid:
            Problem(.malformed, param: "openedAt", detail: "The time is too far ahead of the server's clock.")
        case .personMismatch: Problem(.personMismatch, param: "order")
        case .amountInvalid: Problem(.amountInvalid, param: "amount")
        case .orderConflict: Problem(.orderConflict)
        case .switchedOff: Problem(.switchedOff)
        case .overCap: Problem(.overCap, param: "amount")
        case .budgetExhausted: Problem(.budgetExhausted)
        case .inventoryExhausted: Problem(.stockExhausted)
        case .quotaExhausted: Problem(.quotaExhausted)
        case .overloaded: Problem(.overloaded)
        }
    }
}

extension Problem {
    /// A fault of the store, without its text.
    package init(_ fault: StoreError) {
        switch fault.code {
        case .unavailable: self.init(.unavailable, detail: "Nothing happened. Repeat the same request later.")
        case .outcomeUnknown:
            self.init(.unavailable, detail: "It may or may not have happened. Repeat the same request: it counts once.")
        case .fenced: self.init(.unavailable, detail: "Another node has taken over. Nothing happened here.")
        case .corrupt, .tooNew: self.init(.internal)
        }
    }

    /// A text that isn't the JSON that was expected. What concerns an amount has a code of its own.
    package init(_ fault: JSONFault, within place: String? = nil) {
        let param: String? =
            switch (place, fault.field) {
            case (let place?, let field?) where place != field: "\(place).\(field)"
            case (let place?, _): place
            case (nil, let field): field
            }
        let isAmount = fault.field == "amount"
        switch fault.reason {
        case .unknownField: self.init(.unknownField, param: param)
        case .wrongType where isAmount, .notAnInteger where isAmount, .outOfRange where isAmount,
            .missingField where isAmount:
            self.init(.amountInvalid, param: param)
        case .malformed: self.init(.malformed, param: param, detail: "Not JSON, near byte \(fault.offset).")
        case .tooDeep: self.init(.malformed, param: param, detail: "Nested too deep.")
        case .duplicateField: self.init(.malformed, param: param, detail: "The field is there twice.")
        case .missingField: self.init(.malformed, param: param, detail: "The field is missing.")
        case .wrongType: self.init(.malformed, param: param, detail: "A value of another type is due here.")
        case .notAnInteger:
            self.init(.malformed, param: param, detail: "An integer without fraction and exponent is due here.")
        case .outOfRange: self.init(.malformed, param: param, detail: "The value is out of range.")
        case .wrongLength: self.init(.malformed, param: param, detail: "Too long, too short, or empty.")
        case .unacceptableCharacter:
            self.init(.malformed, param: param, detail: "It has a character that isn't allowed here.")
        }
    }
}
