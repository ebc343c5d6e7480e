import HongbaoCore
import HongbaoEngine
import HongbaoSQLite

/// Why something wasn't done.
///
/// Decide by ``code``, which is stable: for grants and reading it's the code of the HTTP API's problems. The text is
/// for people, and may change.
public struct HongbaoError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, as one word that never changes its meaning. There may be more of them in later versions.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        /// The word, such as `order_conflict`.
        public let rawValue: String

        /// Any word; codes that this version knows are constants of this type.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The word.
        public var description: String { rawValue }

        /// A campaign file is wrong, or two don't go together.
        public static let campaignsInvalid = Code(rawValue: "campaigns_invalid")
        /// What is in the data folder isn't sound, is of a newer version, or its keyring is missing or damaged.
        public static let dataUnusable = Code(rawValue: "data_unusable")
        /// It isn't running, or has ended.
        public static let notRunning = Code(rawValue: "not_running")

        /// There is no such campaign.
        public static let campaignUnknown = Code(rawValue: "campaign_unknown")
        /// There is no such scene in the campaign's present phase.
        public static let sceneUnknown = Code(rawValue: "scene_unknown")
        /// The app isn't one of the campaign's.
        public static let appUnknown = Code(rawValue: "app_unknown")
        /// The scene doesn't give this reward.
        public static let rewardUnknown = Code(rawValue: "reward_unknown")
        /// Rain, award type or stage is outside what the scene's order rule takes, or the person is nobody.
        public static let orderPartInvalid = Code(rawValue: "order_part_invalid")
        /// No phase of the campaign is on, or the person isn't admitted to it.
        public static let notInPhase = Code(rawValue: "not_in_phase")
        /// The order number isn't that of the person and the request.
        public static let personMismatch = Code(rawValue: "person_mismatch")
        /// The amount isn't positive, or is missing.
        public static let amountInvalid = Code(rawValue: "amount_invalid")
        /// A time is before 1970 or too far ahead of the clock, or a text isn't an order number.
        public static let malformed = Code(rawValue: "malformed")
        /// The amount is above the cap for a single grant of the scene.
        public static let overCap = Code(rawValue: "over_cap")
        /// The scene's budget is used up.
        public static let budgetExhausted = Code(rawValue: "budget_exhausted")
        /// Nothing is left of the reward, nor of what the scene gives instead.
        public static let stockExhausted = Code(rawValue: "stock_exhausted")
        /// What may be given in this slice of time is given: come back in the next one.
        public static let quotaExhausted = Code(rawValue: "quota_exhausted")
        /// The same order number came before with other content. The first grant stands.
        public static let orderConflict = Code(rawValue: "order_conflict")
        /// It's switched off at present.
        public static let switchedOff = Code(rawValue: "switched_off")
        /// Too much is waiting to be written or posted: come back later.
        public static let overloaded = Code(rawValue: "overloaded")
        /// There is no such thing here.
        public static let notFound = Code(rawValue: "not_found")
        /// It can't be done now, or it isn't known whether it was: repeat the same later, it counts once.
        public static let unavailable = Code(rawValue: "unavailable")
        /// The log or the books contradict themselves: a person must look at it.
        public static let `internal` = Code(rawValue: "internal")
    }

    /// What to decide by.
    public let code: Code
    /// What a person should know, without personal data.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether the same may work later.
    public var isRetryable: Bool { code == .unavailable || code == .overloaded || code == .quotaExhausted }

    /// The code and the message.
    public var description: String { "\(code): \(message)" }
}

extension HongbaoError {
    init(_ fault: StoreError) {
        switch fault.code {
        case .unavailable, .outcomeUnknown, .fenced: self.init(.unavailable, fault.message)
        case .corrupt, .tooNew: self.init(.internal, fault.message)
        }
    }

    /// Whatever opening a data folder throws.
    init(opening fault: any Error) {
        switch fault {
        case let fault as HongbaoError: self = fault
        case let fault as StoreError:
            let isUnusable = fault.code == .corrupt || fault.code == .tooNew
            self.init(isUnusable ? .dataUnusable : .unavailable, fault.message)
        case let fault as KeyringFault: self.init(.dataUnusable, fault.description)
        case let fault as DataFolderFault: self.init(.dataUnusable, fault.description)
        default: self.init(.unavailable, "\(fault)")
        }
    }

    init(_ refusal: GrantRefusal) {
        switch refusal {
        case .campaignUnknown: self.init(.campaignUnknown, "there is no such campaign")
        case .notInPhase: self.init(.notInPhase, "no phase is on, or the person isn't admitted to it")
        case .sceneUnknown: self.init(.sceneUnknown, "there is no such scene in the present phase")
        case .appUnknown: self.init(.appUnknown, "the app isn't one of the campaign's")
        case .rewardUnknown: self.init(.rewardUnknown, "the scene doesn't give this reward")
        case .orderPartInvalid:
            self.init(.orderPartInvalid, "rain, award type or stage is outside what the scene takes, or nobody gets it")
        case .openedAtInvalid: self.init(.malformed, "the time of opening can't be")
        case .personMismatch: self.init(.personMismatch, "the order number isn't that of this request")
        case .amountInvalid: self.init(.amountInvalid, "the amount isn't positive, or is missing")
        case .orderConflict: self.init(.orderConflict, "the same order came before with other content")
        case .switchedOff: self.init(.switchedOff, "it's switched off at present")
        case .overCap: self.init(.overCap, "the amount is above the scene's cap")
        case .budgetExhausted: self.init(.budgetExhausted, "the scene's budget is used up")
        case .inventoryExhausted: self.init(.stockExhausted, "nothing is left of the reward")
        case .quotaExhausted: self.init(.quotaExhausted, "nothing more in this slice of time")
        case .overloaded: self.init(.overloaded, "too much is waiting: come back later")
        }
    }

    /// Runs what talks to the store, and throws its faults as ours.
    static func of<Answer>(
        _ body: () async throws(StoreError) -> Answer
    ) async throws(HongbaoError) -> Answer {
        do throws(StoreError) {
            return try await body()
        } catch {
            throw HongbaoError(error)
        }
    }
}
