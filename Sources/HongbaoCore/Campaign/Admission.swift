/// Who may take part in a phase (CF-4).
package enum Admission: Hashable, Sendable {
    case everyone
    case listed(Set<PersonID>)
    /// The people listed, and of all others a fixed share in basis points (1/10,000).
    case percentage(basisPoints: UInt16, listed: Set<PersonID>)

    /// The answer for one person, with its reason.
    package enum Verdict: Hashable, Sendable {
        case everyone
        case listed
        /// The person's point of the lottery, 0…9999, is below the share.
        case withinPercentage(point: UInt16)
        case notListed
        case outsidePercentage(point: UInt16)

        package var isAdmitted: Bool {
            switch self {
            case .everyone, .listed, .withinPercentage: true
            case .notListed, .outsidePercentage: false
            }
        }
    }

    package func verdict(on person: PersonID, in lottery: Lottery) -> Verdict {
        switch self {
        case .everyone: return .everyone
        case .listed(let people): return people.contains(person) ? .listed : .notListed
        case .percentage(let basisPoints, let people):
            if people.contains(person) { return .listed }
            let point = lottery.point(of: person)
            return point < basisPoints ? .withinPercentage(point: point) : .outsidePercentage(point: point)
        }
    }
}

/// Gives every person a point from 0 to 9999 that is the same on every node, in every version and for ever.
///
/// A share of n basis points is everyone whose point is below n, so raising a share keeps all who were in. The point
/// is salted with the campaign's number, so that it isn't always the same people who come first, and with the purpose.
///
///     z = person &+ (campaign << 8 | purpose) &* 0x9E3779B97F4A7C15, mixed by the finalizer of SplitMix64
///     point = z * 10000 >> 64
package struct Lottery: Hashable, Sendable {
    package enum Purpose: UInt8, Sendable {
        case admission = 1
        case withdrawal = 2
    }

    private let salt: UInt64

    package init(campaign: UInt16, purpose: Purpose) {
        salt = (UInt64(campaign) << 8 | UInt64(purpose.rawValue)) &* 0x9E37_79B9_7F4A_7C15
    }

    package static let pointCount: UInt16 = 10_000

    package func point(of person: PersonID) -> UInt16 {
        var z = person.rawValue &+ salt
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return UInt16(z.multipliedFullWidth(by: UInt64(Self.pointCount)).high)
    }
}

/// When withdrawal is open, and for whom (WD-1).
package struct WithdrawalGate: Hashable, Sendable {
    /// May reach past the end of the phase, so that people can still withdraw what they earned.
    package let window: Window
    package let admission: Admission

    package init(window: Window, admission: Admission) {
        self.window = window
        self.admission = admission
    }

    /// Cases are in order of precedence.
    package enum State: Hashable, Sendable {
        case notYet(opens: Timestamp)
        case ended(at: Timestamp)
        /// Open, but not for this person.
        case notAdmitted(Admission.Verdict)
        case open(Admission.Verdict)

        package var isOpen: Bool { if case .open = self { true } else { false } }
    }

    package func state(for person: PersonID, at instant: Timestamp, in lottery: Lottery) -> State {
        if instant < window.from { return .notYet(opens: window.from) }
        if instant >= window.to { return .ended(at: window.to) }
        let verdict = admission.verdict(on: person, in: lottery)
        return verdict.isAdmitted ? .open(verdict) : .notAdmitted(verdict)
    }
}
