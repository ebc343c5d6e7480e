// Temporary: the shapes of use cases that others are writing.
package import HongbaoCore

package enum GrantAnswer: Hashable, Sendable {
    case granted(Granted)
    case refused(GrantRefusal)
    case unavailable(StoreError)
}

package enum WalletSource: String, Hashable, Sendable, CaseIterable {
    case ledger, tokens, coupons, pendants, subsidies
}

package struct WalletReading: Sendable {
    package let person: PersonID
    package let book: BookID
    package let campaign: Campaign
    package let phase: Phase
    package let view: WalletView
    package let missing: [WalletSource]
    package let rejectedTokens: [Int]

    package init(
        person: PersonID, book: BookID, campaign: Campaign, phase: Phase, view: WalletView, missing: [WalletSource],
        rejectedTokens: [Int]
    ) {
        self.person = person
        self.book = book
        self.campaign = campaign
        self.phase = phase
        self.view = view
        self.missing = missing
        self.rejectedTokens = rejectedTokens
    }
}

package enum WalletAnswer: Sendable {
    case wallet(WalletReading)
    case campaignUnknown
    case notInPhase
}

package enum WithdrawalAnswer: Hashable, Sendable {
    case replayed(Withdrawal)
    case conflict
    case amountInvalid
    case closed
    case insufficientBalance
    case accepted(Withdrawal)
    case unavailable(StoreError)
}
