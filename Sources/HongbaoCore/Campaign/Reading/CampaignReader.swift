/// What reading a campaign file comes to. There is nothing between the two: a campaign with an error isn't applied.
package enum CampaignReading: Hashable, Sendable {
    case loaded(Campaign, warnings: [CampaignProblem])
    /// All problems in the order of the file; at least one is an error.
    case refused([CampaignProblem])
}

extension Campaign {
    /// Makes a campaign of a file's raw tree and checks it as a whole (CF-5). Total: every tree has an answer.
    package static func read(_ root: RawNode) -> CampaignReading {
        var reader = CampaignReader()
        let root = RawField(node: root, path: "")
        let campaign = reader.read(root)
        if let campaign, !reader.problems.hasErrors { return .loaded(campaign, warnings: reader.problems.sorted) }
        if !reader.problems.hasErrors { reader.problems.error(root.spot, "can't be made into a campaign") }
        return .refused(reader.problems.sorted)
    }
}

/// Reads the root of the tree, the apps and the phases, and checks the phases against each other.
struct CampaignReader {
    var problems = ProblemList()

    mutating func read(_ root: RawField) -> Campaign? {
        guard let fields = problems.fields(root, required: ["key", "number", "title", "apps", "phases"]) else {
            return nil
        }
        let key = fields["key"].flatMap { problems.reference($0) }
        let number = fields["number"].flatMap { problems.number($0, 1...UInt16(BookID.campaignNumberMax)) }
        let title = fields["title"].flatMap { problems.text($0) }
        let apps = fields["apps"].map { readApps($0) } ?? []
        let drafts = fields["phases"].map { readPhases($0, apps: apps) } ?? []
        checkWindows(drafts)
        if let phases = fields["phases"], !drafts.contains(where: { $0.kind == .live }) {
            problems.warning(phases.spot, "there is no live phase")
        }
        guard let key, let number, let title, !problems.hasErrors else { return nil }
        let phases = drafts.compactMap { $0.finished(campaign: number) }
        guard phases.count == drafts.count else { return nil }
        return Campaign(key: key, number: number, title: title, apps: apps, phases: phases)
    }

    private mutating func readApps(_ field: RawField) -> [App] {
        var apps: [App] = []
        var keysByNumber: [UInt16: String] = [:]
        for entry in problems.entries(field) {
            let fields = problems.fields(entry.value, required: ["number", "name", "family"])
            let number: UInt16 = fields?["number"].flatMap { problems.number($0, 1...UInt16.max) } ?? 0
            let name = fields?["name"].flatMap { problems.text($0) } ?? ""
            let family = fields?["family"].flatMap { problems.reference($0) } ?? ""
            if number > 0, let spot = fields?["number"]?.spot {
                if let other = keysByNumber[number] {
                    problems.error(spot, "app \(other.shown) has the number \(number) already")
                } else {
                    keysByNumber[number] = entry.key
                }
            }
            apps.append(App(id: AppID(number), key: entry.key, name: name, family: family))
        }
        return apps
    }

    private mutating func readPhases(_ field: RawField, apps: [App]) -> [PhaseDraft] {
        var drafts: [PhaseDraft] = []
        let entries = problems.map(field) ?? []
        if entries.isEmpty, case .map = field.node.content { problems.error(field.spot, "has nothing in it") }
        for entry in entries {
            guard let kind = PhaseKind(name: entry.key) else {
                let hint = ProblemList.hint(for: entry.key, among: PhaseKind.allCases.map(\.name))
                problems.error(entry.spot, "unknown phase \(entry.key.shown)", hint: hint)
                continue
            }
            var reader = PhaseReader(problems: problems, apps: apps)
            drafts.append(reader.read(entry, kind: kind))
            problems = reader.problems
        }
        return drafts
    }

    private mutating func checkWindows(_ drafts: [PhaseDraft]) {
        for (index, later) in drafts.enumerated() {
            for earlier in drafts[..<index] {
                guard let a = earlier.window, let b = later.window, a.overlaps(b) else { continue }
                problems.error(
                    later.spot,
                    "overlaps the phase \(earlier.kind.name), \(a.from.iso8601()) to \(a.to.iso8601())",
                    hint: "a phase ends where the next begins: 'to' is the first instant that is no longer in it"
                )
            }
        }
    }
}
