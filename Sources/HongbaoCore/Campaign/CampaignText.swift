extension CampaignReading {
    /// The result of a check for the terminal: every problem, and one line of summary at the end.
    package func rendered(file: String) -> String {
        switch self {
        case .loaded(let campaign, let warnings):
            var lines = warnings.map { $0.rendered(file: file) }
            let scenes = campaign.phases.map { "\($0.kind.name) with \($0.scenes.count.of("scene"))" }.joined(
                separator: ", "
            )
            let count = warnings.isEmpty ? "" : "; \(warnings.count.of("warning"))"
            lines.append(
                "\(file): campaign \(campaign.key), number \(campaign.number), is valid: "
                    + "\(campaign.apps.count.of("app")), \(scenes)\(count)"
            )
            return lines.joined(separator: "\n")
        case .refused(let problems):
            let errorCount = problems.count { $0.severity == .error }
            let lines = problems.map { $0.rendered(file: file) }
            let summary = "\(file): refused: \(errorCount.of("error"))"
            return (lines + [summary]).joined(separator: "\n")
        }
    }
}

extension CampaignPreview {
    /// The preview for the terminal, in China's time.
    package func rendered() -> String {
        var lines = ["campaign    \(campaign)", "at          \(instant.iso8601())"]
        if let phase {
            lines.append("phase       \(phase.name)")
        } else {
            let wallet = phaseShown.map { "the wallet shows \($0.name)" } ?? "no phase has begun"
            lines.append("phase       none: grants answer not_in_phase; \(wallet)")
        }
        if let person {
            lines.append("person      \(person.rawValue)\(admission.map { ": \($0)" } ?? "")")
        }
        lines.append("withdrawal  \(withdrawal)")
        let width = scenes.map(\.key.count).max() ?? 0
        for scene in scenes {
            let name = scene.key + String(repeating: " ", count: width - scene.key.count)
            var line = "scene       \(name)  \(scene.state), \(scene.kind.rawValue)"
            if let cap = scene.cap, let budget = scene.budget {
                line += ", cap \(cap.yuan), budget \(budget.yuan)"
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }
}

extension CampaignPreview.Withdrawal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .never: "closed: there is no gate"
        case .forPeople(let isOpen, let gate):
            "\(isOpen ? "open" : "closed"): \(gate.window.from.iso8601()) to \(gate.window.to.iso8601()), "
                + "for \(gate.admission)"
        case .forPerson(let state): "\(state)"
        }
    }
}

extension WithdrawalGate.State: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notYet(let opens): "closed: opens \(opens.iso8601())"
        case .ended(let end): "closed: ended \(end.iso8601())"
        case .notAdmitted(let verdict): "closed: \(verdict)"
        case .open(let verdict): "open: \(verdict)"
        }
    }
}

extension CampaignPreview.ScenePreview.State: CustomStringConvertible {
    package var description: String {
        switch self {
        case .personNotAdmitted: "closed (the person is not admitted)"
        case .notYet(let opens): "closed (opens \(opens.iso8601()))"
        case .ended(let end): "closed (ended \(end.iso8601()))"
        case .open(let end): "open until \(end.iso8601())"
        }
    }
}

extension Admission: CustomStringConvertible {
    package var description: String {
        switch self {
        case .everyone: "everyone"
        case .listed(let people): "\(people.count) listed people"
        case .percentage(let basisPoints, let people):
            "\(basisPoints) of \(Lottery.pointCount) people and \(people.count) listed"
        }
    }
}

extension Admission.Verdict: CustomStringConvertible {
    package var description: String {
        switch self {
        case .everyone: "admitted, as everyone is"
        case .listed: "admitted: listed"
        case .withinPercentage(let point): "admitted: point \(point) is within the share"
        case .notListed: "not admitted: not listed"
        case .outsidePercentage(let point): "not admitted: point \(point) is outside the share"
        }
    }
}

extension Int {
    /// That many of a thing: `1 error`, `2 errors`.
    fileprivate func of(_ thing: String) -> String { "\(self) \(thing)\(self == 1 ? "" : "s")" }
}

extension Amount {
    /// In yuan, for people: `200.00 yuan`.
    fileprivate var yuan: String { "\(fen / 100).\(fen % 100 < 10 ? "0" : "")\(fen % 100) yuan" }
}
