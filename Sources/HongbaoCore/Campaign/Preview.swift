/// What of a campaign is on at an instant, in general or for one person (CF-7).
package struct CampaignPreview: Hashable, Sendable {
    package let campaign: String
    package let instant: Timestamp
    package let person: PersonID?
    /// The phase that a grant at that instant belongs to; `nil` answers `not_in_phase`.
    package let phase: PhaseKind?
    /// The phase whose wallet is shown; `nil` before the first one.
    package let phaseShown: PhaseKind?
    /// `nil` without a person or without a phase.
    package let admission: Admission.Verdict?
    /// The scenes of `phase` in the order of the file.
    package let scenes: [ScenePreview]
    /// How the gate of `phaseShown` stands, for the person if there is one.
    package let withdrawal: Withdrawal

    package struct ScenePreview: Hashable, Sendable {
        package let id: SceneID
        package let key: String
        package let kind: RewardKind
        package let state: State
        package let cap: Amount?
        package let budget: Amount?

        /// Cases are in order of precedence.
        package enum State: Hashable, Sendable {
            /// The person may not take part in the phase.
            case personNotAdmitted
            /// Between or before its windows.
            case notYet(opens: Timestamp)
            case ended(at: Timestamp)
            case open(until: Timestamp)

            package var isOpen: Bool {
                if case .open = self { true } else { false }
            }
        }
    }

    package enum Withdrawal: Hashable, Sendable {
        /// No phase is shown, or the one that is has no gate.
        case never
        /// Nobody in particular was asked about.
        case forPeople(open: Bool, WithdrawalGate)
        case forPerson(WithdrawalGate.State)
    }
}

extension Campaign {
    package func preview(at instant: Timestamp, person: PersonID?) -> CampaignPreview {
        let phase = phase(at: instant)
        let shown = phaseShown(at: instant)
        let admission = person.flatMap { person in phase?.verdict(on: person) }
        let scenes: [CampaignPreview.ScenePreview] =
            phase.map { phase in
                phase.scenes.map { scene in
                    CampaignPreview.ScenePreview(
                        id: scene.id,
                        key: scene.key,
                        kind: scene.kind,
                        state: admission?.isAdmitted == false
                            ? .personNotAdmitted : scene.state(at: instant, in: phase.window),
                        cap: scene.cap,
                        budget: scene.budget
                    )
                }
            } ?? []
        return CampaignPreview(
            campaign: key,
            instant: instant,
            person: person,
            phase: phase?.kind,
            phaseShown: shown?.kind,
            admission: admission,
            scenes: scenes,
            withdrawal: shown?.withdrawalPreview(for: person, at: instant) ?? .never
        )
    }
}

extension Scene {
    fileprivate func state(at instant: Timestamp, in phase: Window) -> CampaignPreview.ScenePreview.State {
        let windows = windows.isEmpty ? [phase] : windows
        if let window = windows.first(where: { $0.contains(instant) }) { return .open(until: window.to) }
        if let next = windows.first(where: { instant < $0.from }) { return .notYet(opens: next.from) }
        return .ended(at: windows[windows.count - 1].to)
    }
}

extension Phase {
    fileprivate func withdrawalPreview(for person: PersonID?, at instant: Timestamp) -> CampaignPreview.Withdrawal {
        guard let withdrawal else { return .never }
        guard let person, let state = withdrawalState(for: person, at: instant) else {
            return .forPeople(open: withdrawal.window.contains(instant), withdrawal)
        }
        return .forPerson(state)
    }
}
