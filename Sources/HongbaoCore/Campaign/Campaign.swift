/// A terminal app in which a campaign runs (ID-1).
package struct App: Hashable, Sendable {
    package let id: AppID
    package let key: String
    /// What people call it.
    package let name: String
    /// The account system whose user IDs it shares (ID-2).
    package let family: String

    package init(id: AppID, key: String, name: String, family: String) {
        self.id = id
        self.key = key
        self.name = name
        self.family = family
    }
}

/// A campaign with its phases: what a campaign file says, checked as a whole and immutable from then on (CF-1).
package struct Campaign: Hashable, Sendable {
    /// What callers pass (CF-3).
    package let key: String
    /// 1…16383, and in every order number of the campaign: never given to another campaign.
    package let number: UInt16
    package let title: String
    package let apps: [App]
    /// In order of time, apart from one another.
    package let phases: [Phase]

    package init(key: String, number: UInt16, title: String, apps: [App], phases: [Phase]) {
        precondition(number > 0 && Int(number) <= BookID.campaignNumberMax)
        let phases = phases.sorted { $0.window.from < $1.window.from }
        for (index, phase) in phases.enumerated() {
            precondition(phase.book == BookID(campaign: number, phase: phase.kind))
            precondition(index == 0 || phases[index - 1].window.to <= phase.window.from)
        }
        self.key = key
        self.number = number
        self.title = title
        self.apps = apps
        self.phases = phases
    }

    /// The phase that a request at that instant belongs to. This is the only place where it is chosen (CF-3).
    package func phase(at instant: Timestamp) -> Phase? { phases.first { $0.window.contains(instant) } }

    /// The phase whose wallet people see at that instant: the one that is on, or else the last that ended.
    package func phaseShown(at instant: Timestamp) -> Phase? { phases.last { $0.window.from <= instant } }

    package func phase(_ kind: PhaseKind) -> Phase? { phases.first { $0.kind == kind } }

    package func phase(_ book: BookID) -> Phase? { phases.first { $0.book == book } }

    package func app(_ id: AppID) -> App? { apps.first { $0.id == id } }

    package func app(_ key: String) -> App? { apps.first { $0.key == key } }
}
